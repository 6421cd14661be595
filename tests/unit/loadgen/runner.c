/* Unit tests of loadgen/runner and what it runs: whole cells, with a clock, sockets and addresses as no real server gives them. */
#include "loadgen/runner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"

#define BODY_LEN ((uint64_t)512 << 10)

static const char ok[] = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/* The clock goes by itself, by a nanosecond a reading so that no two are the same, and as far as a test moves it. */
static _Atomic uint64_t clock_offset_ns;

uint64_t __real_clock_now_ns(void);
uint64_t __wrap_clock_now_ns(void);

uint64_t
__wrap_clock_now_ns(void)
{
	return __real_clock_now_ns() + atomic_fetch_add(&clock_offset_ns, 1);
}

static uint64_t send_takes_ns;
static bool await_reset;
static atomic_bool was_reset;

ssize_t __real_send(int fd, const void *data, size_t len, int flags);
ssize_t __wrap_send(int fd, const void *data, size_t len, int flags);

ssize_t
__wrap_send(int fd, const void *data, size_t len, int flags)
{
	while (await_reset && !atomic_load(&was_reset))
		usleep(1000);
	atomic_fetch_add(&clock_offset_ns, send_takes_ns);
	return __real_send(fd, data, len, flags);
}

static unsigned connects, refused_from, refused_to; /* of the connects, these are refused, after a second each */

int __real_connect(int fd, const struct sockaddr *address, socklen_t len);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t len);

int
__wrap_connect(int fd, const struct sockaddr *address, socklen_t len)
{
	unsigned nth = connects++;

	if (nth < refused_from || nth >= refused_to)
		return __real_connect(fd, address, len);
	atomic_fetch_add(&clock_offset_ns, NS_PER_SEC);
	errno = ECONNREFUSED;
	return -1;
}

static unsigned without_delay;

int __real_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len);

int
__wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	without_delay += level == IPPROTO_TCP && name == TCP_NODELAY;
	return __real_setsockopt(fd, level, name, value, len);
}

/* A server that answers one connection after the other, each after so many bytes; 0: it resets them. */
struct server {
	int fd;
	struct sockaddr_in address;
	uint64_t request_len;
	pthread_t thread;
};

static void
answer(int fd, uint64_t left)
{
	static char buf[65536];

	while (left > 0) {
		ssize_t len = read(fd, buf, left < sizeof(buf) ? left : sizeof(buf));

		if (len <= 0)
			return;
		left -= (uint64_t)len;
	}
	if (write(fd, ok, strlen(ok)) < 0)
		return; /* the test will notice */
}

static void *
serve(void *arg)
{
	const struct linger at_once = {.l_onoff = 1};
	struct server *server = arg;
	int fd;

	while ((fd = accept(server->fd, NULL, NULL)) != -1) {
		if (server->request_len > 0)
			answer(fd, server->request_len);
		else
			__real_setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
		close(fd);
		atomic_store(&was_reset, true);
	}
	return NULL;
}

static void
listen_on(struct server *server, int backlog)
{
	socklen_t len = sizeof(server->address);

	server->address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(server->fd >= 0);
	assert_int_equal(bind(server->fd, (struct sockaddr *)&server->address, len), 0);
	assert_int_equal(listen(server->fd, backlog), 0);
	assert_int_equal(getsockname(server->fd, (struct sockaddr *)&server->address, &len), 0);
}

static void
server_start(struct server *server, uint64_t request_len)
{
	listen_on(server, 64);
	server->request_len = request_len;
	assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void
server_stop(struct server *server)
{
	shutdown(server->fd, SHUT_RDWR);
	pthread_join(server->thread, NULL);
	close(server->fd);
}

static struct config config;
static struct target target;
static struct addrinfo addresses[2];
static struct request request;
static struct request_list requests;
static struct cell cell;
static struct progress progress;
static struct result result;

/* set_up makes a cell of one request of SPEC's kind on one connection to SERVER, to be changed and run. */
static void
set_up(const struct server *server, const struct request_spec *spec)
{
	config = (struct config){
	    .requests = 1,
	    .threads = 1,
	    .pipeline = 1,
	    .repeats = 1,
	    .timeout_ns = 1000 * NS_PER_SEC,
	    .quiet = true,
	    .go_on = true,
	    .spec = *spec,
	};
	target = (struct target){.url = "http://test/", .field = "test", .path = "/", .addresses = addresses};
	for (size_t i = 0; i < 2; i++)
		addresses[i] = (struct addrinfo){
		    .ai_family = AF_INET,
		    .ai_socktype = SOCK_STREAM,
		    .ai_addr = (struct sockaddr *)(uintptr_t)&server->address,
		    .ai_addrlen = sizeof(server->address),
		};
	assert_int_equal(request_build(&request, spec, &target, "/"), 0);
	requests = (struct request_list){.items = &request, .len = 1};
	cell = (struct cell){
	    .config = &config, .target = &target, .requests = &requests, .path = "/", .concurrency = 1, .seed = 1};
	connects = refused_from = refused_to = without_delay = 0;
	send_takes_ns = 0;
	await_reset = false;
	atomic_store(&was_reset, false);
	atomic_store(&clock_offset_ns, 0); /* the kernel's timers know nothing of it */
	progress_init(&progress, PROGRESS_NONE, stderr, &config, 1);
}

static void
run(enum cell_end end)
{
	progress_cell_begin(&progress, &cell);
	assert_int_equal(runner_run(&cell, NULL, &progress, &result), 0);
	assert_int_equal(result.end, end);
}

static void
clean_up(void)
{
	runner_free(&result);
	request_deinit(&request);
}

static const struct request_spec get = {.body_fd = -1};

/* length_of: what a request of SPEC's kind has on the wire. */
static uint64_t
length_of(const struct request_spec *spec)
{
	const struct target any = {.url = "http://test/", .field = "test", .path = "/"};
	struct request one;
	uint64_t len;

	assert_int_equal(request_build(&one, spec, &any, "/"), 0);
	len = one.len;
	request_deinit(&one);
	return len;
}

/* fill takes all places in the queue of a server that accepts nobody: who comes now is not answered. */
static size_t
fill(const struct server *server, int *fds, size_t most)
{
	for (size_t len = 0; len < most; len++) {
		struct pollfd pfd = {.events = POLLOUT};

		fds[len] = pfd.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		__real_connect(fds[len], (const struct sockaddr *)&server->address, sizeof(server->address));
		if (poll(&pfd, 1, 300) == 0)
			return len + 1;
	}
	fail_msg("the queue has no end");
	return 0;
}

static void
test_an_address_that_does_not_answer_is_left_for_the_next(void **state)
{
	struct server silent, server;
	int fds[16];
	size_t filled;

	(void)state;
	listen_on(&silent, 0);
	filled = fill(&silent, fds, 16);
	server_start(&server, length_of(&get));
	set_up(&silent, &get);
	addresses[0].ai_next = &addresses[1];
	addresses[1].ai_addr = (struct sockaddr *)&server.address;
	config.timeout_ns = NS_PER_SEC;
	config.requests = 14;
	cell.concurrency = 12; /* more than may fail in a row, all in vain at first */
	run(CELL_DONE);
	assert_int_equal(result.stats.complete, 14);
	assert_int_equal(result.stats.failures[FAILURE_TIMEOUT], 12);
	assert_int_equal(stats_failed(&result.stats), 12);
	clean_up();
	server_stop(&server);
	while (filled > 0)
		close(fds[--filled]);
	close(silent.fd);
}

static void
test_what_is_sent_in_many_parts_has_left_with_the_last(void **state)
{
	struct request_spec spec = {.body_fd = -1, .body_len = BODY_LEN};
	struct server server;
	FILE *file = tmpfile();

	(void)state;
	assert_non_null(file);
	assert_int_equal(ftruncate(fileno(file), (off_t)BODY_LEN), 0);
	spec.body_file = "body";
	spec.body_fd = fileno(file);
	server_start(&server, length_of(&spec));
	set_up(&server, &spec);
	send_takes_ns = NS_PER_SEC;
	run(CELL_DONE);
	assert_int_equal(stats_failed(&result.stats), 0);
	assert_int_equal(result.stats.complete, 1);
	assert_true(result.stats.total.max >= BODY_LEN / REQUEST_SMALL_MAX * NS_PER_SEC);
	/* What the last one took belongs to waiting, and a machine that is busy may add a little. */
	assert_true(result.stats.waiting.max < 4 * NS_PER_SEC);
	clean_up();
	server_stop(&server);
	fclose(file);
}

static void
test_a_list_with_long_requests_has_no_delay_whichever_comes_first(void **state)
{
	struct server server;

	(void)state;
	server_start(&server, length_of(&get));
	for (unsigned long_ones = 0; long_ones < 2; long_ones++) {
		set_up(&server, &get);
		requests.long_ones = long_ones == 1;
		config.requests = 3;
		run(CELL_DONE);
		assert_int_equal(result.stats.complete, 3);
		assert_int_equal(without_delay, 3 * long_ones);
		clean_up();
	}
	server_stop(&server);
}

static void
test_a_connection_that_is_reset_at_once_has_no_handshake_of_tls(void **state)
{
	struct server server;

	(void)state;
	server_start(&server, 0);
	set_up(&server, &get);
	await_reset = true;
	run(CELL_DONE);
	assert_int_equal(result.stats.complete, 1);
	assert_int_equal(result.stats.failures[FAILURE_RESET], 1);
	assert_int_equal(result.stats.tls.count, 0);
	clean_up();
	server_stop(&server);
}

static void
at_ten_a_second(int64_t requests_len)
{
	config.requests = requests_len;
	config.rates = (struct list){.values = {10000}, .len = 1};
	cell.open_loop = true;
	cell.ramp = (struct ramp){.from = 10, .to = 10};
}

static void
test_the_time_of_failed_connects_is_no_lag_of_ours(void **state)
{
	struct server server;

	(void)state;
	server_start(&server, length_of(&get));
	set_up(&server, &get);
	at_ten_a_second(2);
	config.go_on = false;
	cell.concurrency = 2;
	refused_from = 1;
	refused_to = 6;
	run(CELL_DONE);
	assert_int_equal(result.stats.complete, 2);
	assert_int_equal(result.stats.failures[FAILURE_CONNECT], 5);
	assert_int_equal(result.stats.queued, 0);
	assert_true(result.stats.delay.max >= 5 * NS_PER_SEC);
	assert_int_equal(result.stats.delay.count, 2);
	assert_int_equal(result.stats.lag.count, 1);
	assert_true(result.stats.lag.max < 5 * NS_PER_SEC);
	clean_up();
	server_stop(&server);
}

static void
test_with_r_a_refused_request_has_failed_and_the_next_one_is_on_time(void **state)
{
	struct server server;

	(void)state;
	server_start(&server, length_of(&get));
	set_up(&server, &get);
	at_ten_a_second(20);
	refused_from = 1;
	refused_to = 16; /* more than may fail in a row without -r */
	run(CELL_DONE);
	assert_int_equal(result.stats.complete, 20);
	assert_int_equal(result.stats.failures[FAILURE_CONNECT], 15);
	assert_int_equal(stats_failed(&result.stats), 15);
	assert_int_equal(result.stats.total.count, 20);
	assert_true(result.stats.total.max >= NS_PER_SEC); /* refused after a second */
	assert_true(result.stats.lag.count <= 5);
	clean_up();
	server_stop(&server);
}

static void
test_a_server_that_was_never_there_ends_the_cell_also_with_r(void **state)
{
	struct server server;

	(void)state;
	server_start(&server, length_of(&get));
	set_up(&server, &get);
	at_ten_a_second(20);
	refused_to = 20;
	run(CELL_UNREACHABLE);
	assert_int_equal(connects, 1);
	assert_int_equal(result.stats.complete, 0);
	clean_up();
	server_stop(&server);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_an_address_that_does_not_answer_is_left_for_the_next),
	    cmocka_unit_test(test_what_is_sent_in_many_parts_has_left_with_the_last),
	    cmocka_unit_test(test_a_list_with_long_requests_has_no_delay_whichever_comes_first),
	    cmocka_unit_test(test_a_connection_that_is_reset_at_once_has_no_handshake_of_tls),
	    cmocka_unit_test(test_the_time_of_failed_connects_is_no_lag_of_ours),
	    cmocka_unit_test(test_with_r_a_refused_request_has_failed_and_the_next_one_is_on_time),
	    cmocka_unit_test(test_a_server_that_was_never_there_ends_the_cell_also_with_r),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
