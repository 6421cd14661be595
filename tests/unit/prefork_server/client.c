/* Unit tests of prefork_server/client. */
#include "prefork_server/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/clock.h"

#define LONG_NS (30 * NS_PER_SEC)
#define SHORT_NS (50 * NS_PER_MS)

struct pair {
	struct client client;
	int peer;
};

static struct pair
open_pair(void)
{
	struct pair pair;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	pair.client = (struct client){.fd = fds[0], .expires_ns = UINT64_MAX};
	pair.peer = fds[1];
	return pair;
}

static void
close_pair(struct pair *pair)
{
	if (pair->peer >= 0)
		close(pair->peer);
	client_close(&pair->client, 0);
	assert_int_equal(pair->client.fd, -1);
}

static void
test_read_takes_what_has_come(void **state)
{
	struct pair pair = open_pair();
	char buf[16];

	(void)state;
	assert_false(client_has_unread(&pair.client));
	assert_int_equal(write(pair.peer, "hello", 5), 5);
	assert_true(client_has_unread(&pair.client));
	assert_int_equal(client_read(&pair.client, buf, 3, clock_now_ns() + LONG_NS), 3);
	assert_int_equal(client_read(&pair.client, buf, sizeof(buf), clock_now_ns() + LONG_NS), 2);
	assert_false(client_has_unread(&pair.client));
	shutdown(pair.peer, SHUT_WR);
	assert_int_equal(client_read(&pair.client, buf, sizeof(buf), clock_now_ns() + LONG_NS), 0);
	close_pair(&pair);
}

static void
test_read_gives_up_at_the_deadline_and_not_before(void **state)
{
	struct pair pair = open_pair();
	uint64_t start = clock_now_ns();
	char buf[16];

	(void)state;
	assert_int_equal(client_read(&pair.client, buf, sizeof(buf), start + SHORT_NS), -ETIMEDOUT);
	assert_true(clock_now_ns() - start >= SHORT_NS);
	assert_int_equal(client_read(&pair.client, buf, sizeof(buf), start), -ETIMEDOUT);
	/* What has come in time is taken, however late it is looked at. */
	assert_int_equal(write(pair.peer, "x", 1), 1);
	assert_int_equal(client_read(&pair.client, buf, sizeof(buf), start), 1);
	close_pair(&pair);
}

static void
test_read_now_does_not_wait(void **state)
{
	struct pair pair = open_pair();
	char buf[16];

	(void)state;
	assert_int_equal(client_read(&pair.client, buf, sizeof(buf), CLIENT_NOW), -EAGAIN);
	assert_int_equal(write(pair.peer, "x", 1), 1);
	assert_int_equal(client_read(&pair.client, buf, sizeof(buf), CLIENT_NOW), 1);
	shutdown(pair.peer, SHUT_WR);
	assert_int_equal(client_read(&pair.client, buf, sizeof(buf), CLIENT_NOW), 0);
	close_pair(&pair);
}

static void
test_no_wait_goes_beyond_the_expiry(void **state)
{
	struct pair pair = open_pair();
	uint64_t start = clock_now_ns();
	char buf[16];

	(void)state;
	pair.client.expires_ns = start + SHORT_NS;
	assert_int_equal(client_read(&pair.client, buf, sizeof(buf), start + LONG_NS), -ETIMEDOUT);
	assert_true(clock_now_ns() - start >= SHORT_NS);
	assert_true(clock_now_ns() - start < LONG_NS);
	close_pair(&pair);
}

static void
test_a_stream_without_a_pause_ends_at_the_expiry_too(void **state)
{
	struct pair pair = open_pair();
	char buf[16] = "";

	(void)state;
	pair.client.expires_ns = clock_now_ns();
	assert_int_equal(write(pair.peer, buf, sizeof(buf)), sizeof(buf));
	assert_int_equal(client_read(&pair.client, buf, sizeof(buf), clock_now_ns() + LONG_NS), -ETIMEDOUT);
	/* What came before, and is all, is taken however late. */
	assert_int_equal(write(pair.peer, buf, sizeof(buf) - 1), sizeof(buf) - 1);
	assert_int_equal(client_read(&pair.client, buf, sizeof(buf), clock_now_ns() + LONG_NS), sizeof(buf) - 1);
	close_pair(&pair);
}

static void
test_the_time_that_it_was_waited_for_is_counted(void **state)
{
	static char bytes[4 << 20];
	struct iovec part = {bytes, sizeof(bytes)};
	struct pair pair = open_pair();
	char buf[16];
	uint64_t read_ns;

	(void)state;
	assert_int_equal(write(pair.peer, "x", 1), 1);
	assert_int_equal(client_read(&pair.client, buf, sizeof(buf), clock_now_ns() + LONG_NS), 1);
	assert_int_equal(pair.client.waited_ns, 0);
	assert_int_equal(client_read(&pair.client, buf, sizeof(buf), clock_now_ns() + SHORT_NS), -ETIMEDOUT);
	read_ns = pair.client.waited_ns;
	assert_true(read_ns >= SHORT_NS / 2 && read_ns < LONG_NS);
	assert_int_equal(client_write(&pair.client, &part, 1, clock_now_ns() + SHORT_NS), -ETIMEDOUT);
	assert_true(pair.client.waited_ns >= read_ns + SHORT_NS / 2);
	close_pair(&pair);
}

static void
on_alarm(int number)
{
	(void)number;
}

static void
test_signals_do_not_end_a_wait(void **state)
{
	struct sigaction action = {.sa_handler = on_alarm};
	struct itimerval timer = {.it_interval = {0, 1000}, .it_value = {0, 1000}};
	struct pair pair = open_pair();
	uint64_t start = clock_now_ns();
	char buf[16];

	(void)state;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	assert_int_equal(client_read(&pair.client, buf, sizeof(buf), start + SHORT_NS), -ETIMEDOUT);
	assert_true(clock_now_ns() - start >= SHORT_NS);
	timer = (struct itimerval){0};
	setitimer(ITIMER_REAL, &timer, NULL);
	close_pair(&pair);
}

static void
test_write_sends_all_parts_to_a_slow_reader(void **state)
{
	enum { PART = 300000 };
	struct pair pair = open_pair();
	char *bytes = malloc(PART);
	struct iovec parts[] = {
	    {(void *)(uintptr_t) "head", 4}, {bytes, PART}, {bytes, 0}, {(void *)(uintptr_t) "tail", 4}};
	char last[4] = "";
	size_t total = 0;
	pid_t pid;

	(void)state;
	assert_non_null(bytes);
	memset(bytes, 'b', PART);
	pid = fork();
	if (pid == 0) {
		int result = client_write(&pair.client, parts, 4, clock_now_ns() + LONG_NS);

		_exit(result == 0 ? 0 : 1);
	}
	assert_true(pid > 0);
	client_close(&pair.client, 0);
	for (;;) {
		char buf[1000];
		ssize_t got = read(pair.peer, buf, sizeof(buf));

		assert_true(got >= 0);
		if (got == 0)
			break;
		total += (size_t)got;
		if (got >= 4)
			memcpy(last, buf + got - 4, 4);
		clock_sleep_until_ns(clock_now_ns() + NS_PER_MS / 10);
	}
	assert_int_equal(total, 8 + PART);
	assert_memory_equal(last, "tail", 4);
	close(pair.peer);
	free(bytes);
}

static void
test_write_to_one_who_does_not_read(void **state)
{
	struct pair pair = open_pair();
	static char bytes[4 << 20];
	struct iovec part = {bytes, sizeof(bytes)};
	uint64_t start = clock_now_ns();

	(void)state;
	assert_int_equal(client_write(&pair.client, &part, 1, start + SHORT_NS), -ETIMEDOUT);
	assert_true(clock_now_ns() - start >= SHORT_NS);
	close_pair(&pair);
}

static void
test_write_to_one_who_is_gone(void **state)
{
	struct pair pair = open_pair();
	struct iovec part = {(void *)(uintptr_t) "x", 1};

	(void)state;
	close(pair.peer);
	pair.peer = -1;
	assert_int_equal(client_write(&pair.client, &part, 1, clock_now_ns() + LONG_NS), -EPIPE);
	close_pair(&pair);
}

/* open_tcp_pair is a connection over the loopback interface. */
static struct pair
open_tcp_pair(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(address);
	struct pair pair;

	assert_int_equal(bind(listen_fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(listen_fd, 1), 0);
	assert_int_equal(getsockname(listen_fd, (struct sockaddr *)&address, &len), 0);
	pair.peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(pair.peer, (struct sockaddr *)&address, len), 0);
	pair.client = (struct client){
	    .fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC),
	    .expires_ns = UINT64_MAX,
	};
	assert_true(pair.client.fd >= 0);
	close(listen_fd);
	return pair;
}

/* What nobody read resets the connection at its close: the answer must have left by then, though it may be held back. */
static void
test_the_last_bytes_arrive_though_something_is_unread(void **state)
{
	struct pair pair = open_tcp_pair();
	struct iovec parts[] = {{.iov_base = (void *)(uintptr_t) "ans", .iov_len = 3},
	    {.iov_base = (void *)(uintptr_t) "wer", .iov_len = 3}};
	char buf[16];

	(void)state;
	assert_int_equal(write(pair.peer, "unread", 6), 6);
	assert_int_equal(client_write_end(&pair.client, parts, 2, clock_now_ns() + LONG_NS), 0);
	client_close(&pair.client, 0);
	assert_int_equal(recv(pair.peer, buf, sizeof(buf), MSG_WAITALL), 6);
	assert_memory_equal(buf, "answer", 6);
	close(pair.peer);
}

static void
test_the_last_bytes_end_our_side(void **state)
{
	struct pair pair = open_tcp_pair();
	struct iovec part = {.iov_base = (void *)(uintptr_t) "answer", .iov_len = 6};
	char buf[16];

	(void)state;
	assert_int_equal(client_write_end(&pair.client, &part, 1, clock_now_ns() + LONG_NS), 0);
	assert_int_equal(recv(pair.peer, buf, sizeof(buf), MSG_WAITALL), 6);
	assert_int_equal(recv(pair.peer, buf, sizeof(buf), 0), 0);
	/* The other one is still open: a lingering close hears what comes. */
	assert_int_equal(write(pair.peer, "more", 4), 4);
	assert_true(client_end(&pair.client));
	assert_int_equal(client_read(&pair.client, buf, sizeof(buf), clock_now_ns() + LONG_NS), 4);
	close_pair(&pair);
}

static void
test_last_words_do_not_wait_and_are_not_reset(void **state)
{
	static char bytes[4 << 20];
	struct iovec parts[] = {{(void *)(uintptr_t) "last ", 5}, {(void *)(uintptr_t) "words", 5}};
	struct iovec much = {bytes, sizeof(bytes)};
	struct pair pair = open_pair();
	char buf[16] = "";

	(void)state;
	assert_int_equal(write(pair.peer, bytes, 20000), 20000);
	assert_true(client_write_last(&pair.client, parts, 2));
	assert_false(client_has_unread(&pair.client));
	client_close(&pair.client, 0);
	assert_int_equal(read(pair.peer, buf, sizeof(buf)), 10);
	assert_string_equal(buf, "last words");
	assert_int_equal(read(pair.peer, buf, sizeof(buf)), 0);
	close(pair.peer);
	pair = open_pair();
	assert_false(client_write_last(&pair.client, &much, 1));
	close(pair.peer);
	assert_false(client_write_last(&pair.client, &much, 1));
	pair.peer = -1;
	close_pair(&pair);
}

static void
test_lingering_ends_when_the_peer_has_ended(void **state)
{
	struct pair pair = open_pair();
	char buf[8];

	(void)state;
	assert_int_equal(write(pair.peer, "unread", 6), 6);
	shutdown(pair.peer, SHUT_WR);
	client_close(&pair.client, UINT64_MAX);
	assert_int_equal(read(pair.peer, buf, sizeof(buf)), 0); /* an end, and no reset */
	close(pair.peer);
}

static void
test_lingering_has_an_end(void **state)
{
	struct pair pair = open_pair();
	uint64_t start = clock_now_ns();

	(void)state;
	pair.client.expires_ns = start + SHORT_NS;
	client_close(&pair.client, UINT64_MAX);
	assert_true(clock_now_ns() - start >= SHORT_NS);
	assert_true(clock_now_ns() - start < LONG_NS);
	close(pair.peer);
}

static void
test_lingering_lasts_as_long_as_it_is_told(void **state)
{
	struct pair pair = open_pair();
	uint64_t start = clock_now_ns();

	(void)state;
	client_close(&pair.client, SHORT_NS);
	assert_true(clock_now_ns() - start >= SHORT_NS);
	assert_true(clock_now_ns() - start < LONG_NS);
	close(pair.peer);
}

static void
test_a_lingering_end_in_parts(void **state)
{
	struct pair pair = open_pair();
	uint64_t due_ns = clock_now_ns() + LONG_NS;
	char buf[8];

	(void)state;
	assert_int_equal(write(pair.peer, "unread", 6), 6);
	assert_true(client_end(&pair.client));
	assert_int_equal(read(pair.peer, buf, sizeof(buf)), 0);
	assert_true(client_drop(&pair.client, due_ns));
	assert_false(client_has_unread(&pair.client));
	assert_true(client_drop(&pair.client, due_ns));
	assert_int_equal(write(pair.peer, "more", 4), 4);
	shutdown(pair.peer, SHUT_WR);
	assert_false(client_drop(&pair.client, due_ns));
	close_pair(&pair);
}

static void
test_dropping_has_an_end(void **state)
{
	struct pair pair = open_pair();

	(void)state;
	/* After the deadline one piece is read, and no more, from one who sends without end. */
	assert_int_equal(write(pair.peer, (char[6000]){0}, 6000), 6000);
	assert_false(client_drop(&pair.client, clock_now_ns()));
	assert_true(client_has_unread(&pair.client));
	close_pair(&pair);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_read_takes_what_has_come),
	    cmocka_unit_test(test_read_gives_up_at_the_deadline_and_not_before),
	    cmocka_unit_test(test_read_now_does_not_wait),
	    cmocka_unit_test(test_no_wait_goes_beyond_the_expiry),
	    cmocka_unit_test(test_a_stream_without_a_pause_ends_at_the_expiry_too),
	    cmocka_unit_test(test_the_time_that_it_was_waited_for_is_counted),
	    cmocka_unit_test(test_signals_do_not_end_a_wait),
	    cmocka_unit_test(test_write_sends_all_parts_to_a_slow_reader),
	    cmocka_unit_test(test_write_to_one_who_does_not_read),
	    cmocka_unit_test(test_write_to_one_who_is_gone),
	    cmocka_unit_test(test_last_words_do_not_wait_and_are_not_reset),
	    cmocka_unit_test(test_the_last_bytes_arrive_though_something_is_unread),
	    cmocka_unit_test(test_the_last_bytes_end_our_side),
	    cmocka_unit_test(test_lingering_ends_when_the_peer_has_ended),
	    cmocka_unit_test(test_lingering_has_an_end),
	    cmocka_unit_test(test_lingering_lasts_as_long_as_it_is_told),
	    cmocka_unit_test(test_a_lingering_end_in_parts),
	    cmocka_unit_test(test_dropping_has_an_end),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
