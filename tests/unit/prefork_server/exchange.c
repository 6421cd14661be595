/* Unit tests of prefork_server/exchange: several requests on one connection, and how it goes on after each. */
#include "prefork_server/exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/compiler.h"
#include "common/http_response.h"

#define GET "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
#define GET_CLOSE "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
#define SAYS_KEEP "\r\nConnection: keep-alive\r\n"
#define SAYS_CLOSE "\r\nConnection: close\r\n"

/* A connection between a client, whose end PEER is, and an exchange. */
struct bench {
	struct config config;
	struct settings *settings;
	struct metrics *metrics;
	struct worker worker;
	struct exchange exchange;
	int peer;
	char answer[65536];
};

static struct lane lane;

static bool
keep(const void *keeper)
{
	(void)keeper;
	return true;
}

static int
set_up(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	const struct settings_values values = {.mode = WAIT_BLOCKING};
	const struct settings_limits limits = {.max_sleep_ns = 60 * NS_PER_SEC, .modes = 1U << WAIT_BLOCKING};
	int fds[2];

	assert_non_null(bench);
	bench->config = (struct config){
	    .body_timeout_ns = 50 * NS_PER_MS,
	    .drain_timeout_ns = 10 * NS_PER_SEC,
	};
	bench->settings = settings_new(values, limits);
	bench->metrics = metrics_new(1);
	assert_non_null(bench->settings);
	assert_non_null(bench->metrics);
	bench->worker = (struct worker){
	    .config = &bench->config,
	    .settings = bench->settings,
	    .limits = {.request_line = 4094, .field_size = 8190, .fields = 100, .header_size = 1 << 20},
	    .lane = &lane,
	    .metrics = bench->metrics,
	};
	assert_int_equal(exchange_init(&bench->exchange, &bench->worker), 0);
	bench->exchange.keeps = keep;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	bench->peer = fds[1];
	exchange_attach(&bench->exchange, fds[0], clock_now_ns());
	*state = bench;
	return 0;
}

static int
tear_down(void **state)
{
	struct bench *bench = *state;

	client_close(&bench->exchange.client, 0);
	exchange_deinit(&bench->exchange);
	close(bench->peer);
	metrics_free(bench->metrics, 1);
	settings_free(bench->settings);
	free(bench);
	return 0;
}

static void
send_text(const struct bench *bench, const char *text)
{
	assert_int_equal(write(bench->peer, text, strlen(text)), (ssize_t)strlen(text));
}

static enum exchange_end
next(struct bench *bench)
{
	return exchange_next(&bench->exchange, CLIENT_NOW);
}

/* answered returns what the client has got since it last looked. */
static const char *
answered(struct bench *bench)
{
	ssize_t got = recv(bench->peer, bench->answer, sizeof(bench->answer) - 1, MSG_DONTWAIT);

	bench->answer[got > 0 ? got : 0] = '\0';
	return bench->answer;
}

/* is_answer tells whether TEXT is an answer with STATUS that says CONNECTION. */
static bool
is_answer(const char *text, const char *status, const char *connection)
{
	return strncmp(text, status, strlen(status)) == 0 && strstr(text, connection) != NULL;
}

static void
test_a_connection_stays_until_the_client_wants_no_more(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(next(bench), EXCHANGE_MORE);
	for (int i = 0; i < 3; i++) {
		send_text(bench, GET);
		assert_int_equal(next(bench), EXCHANGE_KEEP);
		assert_true(is_answer(answered(bench), "HTTP/1.1 200", SAYS_KEEP));
		assert_false(exchange_has_more(&bench->exchange));
		assert_int_equal(next(bench), EXCHANGE_MORE);
		assert_false(http_request_started(&bench->exchange.request));
	}
	send_text(bench, GET_CLOSE);
	assert_int_equal(next(bench), EXCHANGE_CLOSE);
	assert_true(is_answer(answered(bench), "HTTP/1.1 200", SAYS_CLOSE));
}

static void
test_http_1_0_stays_where_it_asks_to(void **state)
{
	struct bench *bench = *state;

	send_text(bench, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	assert_int_equal(next(bench), EXCHANGE_KEEP);
	assert_true(is_answer(answered(bench), "HTTP/1.1 200", SAYS_KEEP));
	send_text(bench, "GET / HTTP/1.0\r\n\r\n");
	assert_int_equal(next(bench), EXCHANGE_CLOSE);
	assert_true(is_answer(answered(bench), "HTTP/1.1 200", SAYS_CLOSE));
}

static void
test_what_was_sent_ahead_is_there_at_once(void **state)
{
	struct bench *bench = *state;

	send_text(bench, GET GET "GET /nobody/here HTTP/1.1\r\nHost: x\r\n\r\nGET / HT");
	assert_int_equal(next(bench), EXCHANGE_KEEP);
	assert_true(exchange_has_more(&bench->exchange));
	assert_int_equal(next(bench), EXCHANGE_KEEP);
	(void)answered(bench);
	assert_int_equal(next(bench), EXCHANGE_KEEP);
	assert_true(is_answer(answered(bench), "HTTP/1.1 404", SAYS_KEEP));
	assert_true(exchange_has_more(&bench->exchange));
	assert_int_equal(next(bench), EXCHANGE_MORE);
	assert_true(http_request_started(&bench->exchange.request));
	/* What the log would show of it is its own beginning, not that of the ones before. */
	assert_int_equal(bench->exchange.received, 8);
	assert_memory_equal(bench->exchange.came, "GET / HT", bench->exchange.came_len);
	send_text(bench, "TP/1.1\r\nHost: x\r\n\r\n");
	assert_int_equal(next(bench), EXCHANGE_KEEP);
}

static void
test_a_body_ahead_of_the_next_request(void **state)
{
	struct bench *bench = *state;

	send_text(bench,
	    "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
	    "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" GET);
	assert_int_equal(next(bench), EXCHANGE_KEEP);
	assert_non_null(strstr(answered(bench), "\r\n\r\nhello"));
	assert_int_equal(next(bench), EXCHANGE_KEEP);
	assert_non_null(strstr(answered(bench), "\r\n\r\n3\r\nabc\r\n0\r\n\r\n"));
	assert_int_equal(next(bench), EXCHANGE_KEEP);
	assert_true(is_answer(answered(bench), "HTTP/1.1 200", SAYS_KEEP));
}

static void
test_a_full_read_may_have_left_something(void **state)
{
	struct bench *bench = *state;
	char *many = malloc(EXCHANGE_READ_BYTES + 1);
	size_t len = strlen(GET);

	assert_non_null(many);
	for (size_t i = 0; i < EXCHANGE_READ_BYTES / len; i++)
		memcpy(many + i * len, GET, len + 1);
	send_text(bench, many);
	send_text(bench, GET GET GET GET GET GET GET GET);
	for (size_t i = 0; i < EXCHANGE_READ_BYTES / len + 7; i++) {
		assert_int_equal(next(bench), EXCHANGE_KEEP);
		assert_true(exchange_has_more(&bench->exchange));
		(void)answered(bench);
	}
	assert_int_equal(next(bench), EXCHANGE_KEEP);
	assert_false(exchange_has_more(&bench->exchange));
	free(many);
}

static void
test_who_refuses_does_not_go_on(void **state)
{
	struct bench *bench = *state;

	send_text(bench, "GET / HTTP/1.1\r\nHost: x\r\nBad Field: x\r\n\r\n" GET);
	assert_int_equal(next(bench), EXCHANGE_LINGER);
	assert_true(is_answer(answered(bench), "HTTP/1.1 400", SAYS_CLOSE));
}

static void
test_a_body_that_nobody_waits_for_ends_the_connection(void **state)
{
	struct bench *bench = *state;

	send_text(bench, "POST /nobody/here HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel");
	assert_int_equal(next(bench), EXCHANGE_LINGER);
	assert_true(is_answer(answered(bench), "HTTP/1.1 404", SAYS_CLOSE));
}

static void
test_a_worker_that_keeps_none(void **state)
{
	struct bench *bench = *state;

	bench->exchange.keeps = NULL;
	send_text(bench, GET);
	assert_int_equal(next(bench), EXCHANGE_CLOSE);
	assert_true(is_answer(answered(bench), "HTTP/1.1 200", SAYS_CLOSE));
}

static void
test_a_header_that_does_not_come(void **state)
{
	struct bench *bench = *state;

	send_text(bench, "GET / HTTP/1.1\r\nHo");
	assert_int_equal(next(bench), EXCHANGE_MORE);
	assert_int_equal(exchange_expire(&bench->exchange), EXCHANGE_LINGER);
	assert_true(is_answer(answered(bench), "HTTP/1.1 408", SAYS_CLOSE));
}

static void
test_a_header_that_there_is_no_memory_to_wait_for(void **state)
{
	struct bench *bench = *state;

	send_text(bench, "GET / HTTP/1.1\r\nHo");
	assert_int_equal(next(bench), EXCHANGE_MORE);
	assert_int_equal(exchange_starve(&bench->exchange), EXCHANGE_LINGER);
	assert_true(is_answer(answered(bench), "HTTP/1.1 503", "\r\nRetry-After: 1\r\n"));
}

/* trickle sends a byte every 10 ms from a process of its own, which ends with the test at the latest. */
static pid_t
trickle(const struct bench *bench)
{
	pid_t pid = fork();

	if (pid == 0) {
		close(bench->exchange.client.fd);
		for (int i = 0; i < 1000 && send(bench->peer, "x", 1, MSG_NOSIGNAL) == 1; i++)
			clock_sleep_until_ns(clock_now_ns() + 10 * NS_PER_MS);
		_exit(0);
	}
	assert_true(pid > 0);
	return pid;
}

static void
test_a_body_that_trickles_behind_another_request(void **state)
{
	struct bench *bench = *state;
	pid_t pid;

	bench->config.min_rate = 1000;
	send_text(bench, GET "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n");
	assert_int_equal(next(bench), EXCHANGE_KEEP);
	pid = trickle(bench);
	assert_int_equal(next(bench), EXCHANGE_LINGER);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(is_answer(answered(bench), "HTTP/1.1 200", SAYS_KEEP));
	assert_non_null(strstr(bench->answer, "HTTP/1.1 408"));
}

static void
test_a_connection_goes_on_after_a_handler_that_took_too_long(void **state)
{
	struct bench *bench = *state;

	bench->config.handler_timeout_ns = NS_PER_MS;
	send_text(bench, "GET /?sleep=60 HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_int_equal(next(bench), EXCHANGE_KEEP);
	assert_true(is_answer(answered(bench), "HTTP/1.1 504", SAYS_KEEP));
	send_text(bench, GET);
	assert_int_equal(next(bench), EXCHANGE_KEEP);
	assert_true(is_answer(answered(bench), "HTTP/1.1 200", SAYS_KEEP));
	assert_int_equal(atomic_load(&bench->metrics->handler_timeouts), 1);
}

static void
test_a_client_that_leaves(void **state)
{
	struct bench *bench = *state;

	send_text(bench, GET);
	shutdown(bench->peer, SHUT_WR);
	assert_int_equal(next(bench), EXCHANGE_KEEP);
	assert_int_equal(next(bench), EXCHANGE_CLOSE);
	assert_true(is_answer(answered(bench), "HTTP/1.1 200", SAYS_KEEP));
	assert_string_equal(answered(bench), "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_a_connection_stays_until_the_client_wants_no_more),
	    TEST(test_http_1_0_stays_where_it_asks_to),
	    TEST(test_what_was_sent_ahead_is_there_at_once),
	    TEST(test_a_body_ahead_of_the_next_request),
	    TEST(test_a_full_read_may_have_left_something),
	    TEST(test_who_refuses_does_not_go_on),
	    TEST(test_a_body_that_nobody_waits_for_ends_the_connection),
	    TEST(test_a_worker_that_keeps_none),
	    TEST(test_a_header_that_does_not_come),
	    TEST(test_a_header_that_there_is_no_memory_to_wait_for),
	    TEST(test_a_body_that_trickles_behind_another_request),
	    TEST(test_a_connection_goes_on_after_a_handler_that_took_too_long),
	    TEST(test_a_client_that_leaves),
	};

	signal(SIGPIPE, SIG_IGN);
	http_response_set_server("prefork_server/test");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
