/* Unit tests of prefork_server/exchange_rest: a header that comes in pieces, with others served in between. */
#include "prefork_server/exchange_rest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/http_response.h"
#include "prefork_server/lane.h"

#define GET "GET /some/where HTTP/1.1\r\nHost: x\r\nReferer: from\r\n\r\n"

static bool no_memory;
static int skip; /* allocations that work before there is no memory */

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

static bool
fails(void)
{
	return no_memory && skip-- <= 0;
}

void *
__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

static struct config config = {.drain_timeout_ns = NS_PER_SEC};
static struct lane lane;
static struct worker worker = {
    .config = &config,
    .limits = {.request_line = 4094, .field_size = 8190, .fields = 100, .header_size = 1 << 20},
    .lane = &lane,
    .metrics = &lane.metrics,
};
static struct exchange exchange;

/* A connection: ours is the end that the exchange has. */
struct pair {
	int ours, peer;
};

static struct pair
open_pair(void)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	return (struct pair){.ours = fds[0], .peer = fds[1]};
}

static void
close_pair(struct pair pair)
{
	close(pair.ours);
	close(pair.peer);
}

static int
set_up(void **state)
{
	const struct settings_values values = {.mode = WAIT_BLOCKING};
	const struct settings_limits limits = {.modes = 1U << WAIT_BLOCKING};

	(void)state;
	worker.settings = settings_new(values, limits);
	assert_non_null(worker.settings);
	return exchange_init(&exchange, &worker);
}

static int
tear_down(void **state)
{
	(void)state;
	exchange_deinit(&exchange);
	settings_free(worker.settings);
	return 0;
}

static void
send_bytes(int fd, const char *bytes, size_t len)
{
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
}

static void
test_several_headers_come_byte_by_byte(void **state)
{
	enum { PAIRS = 3 };
	struct exchange_rest *rests[PAIRS] = {NULL};
	struct pair pairs[PAIRS];
	size_t len = strlen(GET);

	(void)state;
	for (size_t k = 0; k < PAIRS; k++)
		pairs[k] = open_pair();
	for (size_t i = 0; i < len; i++) {
		for (size_t k = 0; k < PAIRS; k++) {
			enum exchange_end end;

			exchange_attach(&exchange, pairs[k].ours, clock_now_ns());
			if (rests[k] != NULL)
				exchange_take_up(&exchange, rests[k]);
			assert_int_equal(exchange.received, i);
			send_bytes(pairs[k].peer, &GET[i], 1);
			end = exchange_next(&exchange, CLIENT_NOW);
			if (i == len - 1) {
				assert_int_equal(end, EXCHANGE_CLOSE);
				continue;
			}
			assert_int_equal(end, EXCHANGE_MORE);
			assert_true(http_request_started(&exchange.request));
			rests[k] = exchange_put_aside(&exchange);
			assert_non_null(rests[k]);
			assert_false(http_request_started(&exchange.request));
		}
	}
	for (size_t k = 0; k < PAIRS; k++) {
		char answer[1024] = "";

		assert_true(read(pairs[k].peer, answer, sizeof(answer) - 1) > 0);
		assert_memory_equal(answer, "HTTP/1.1 404 ", 13); /* it was read to its end: two parts are no name */
		close_pair(pairs[k]);
	}
}

static void
test_what_the_log_shows_is_kept(void **state)
{
	struct pair pair = open_pair();
	struct exchange_rest *rest;

	(void)state;
	exchange_attach(&exchange, pair.ours, clock_now_ns());
	send_bytes(pair.peer, GET, 10);
	assert_int_equal(exchange_next(&exchange, CLIENT_NOW), EXCHANGE_MORE);
	rest = exchange_put_aside(&exchange);
	assert_non_null(rest);
	memset(exchange.came, '#', sizeof(exchange.came));
	exchange_attach(&exchange, pair.ours, clock_now_ns());
	exchange_take_up(&exchange, rest);
	assert_int_equal(exchange.received, 10);
	assert_int_equal(exchange.came_len, 10);
	assert_memory_equal(exchange.came, GET, 10);
	http_request_reset(&exchange.request);
	close_pair(pair);
}

static void
test_what_is_put_aside_can_be_forgotten(void **state)
{
	struct pair pair = open_pair();
	struct exchange_rest *rest;

	(void)state;
	exchange_attach(&exchange, pair.ours, clock_now_ns());
	send_bytes(pair.peer, GET, 10);
	assert_int_equal(exchange_next(&exchange, CLIENT_NOW), EXCHANGE_MORE);
	rest = exchange_put_aside(&exchange);
	assert_non_null(rest);
	exchange_forget(rest); /* leaks nothing: see `make asan` */
	close_pair(pair);
}

static void
test_without_memory_nothing_changes(void **state)
{
	struct pair pair = open_pair();

	(void)state;
	exchange_attach(&exchange, pair.ours, clock_now_ns());
	send_bytes(pair.peer, GET, 10);
	assert_int_equal(exchange_next(&exchange, CLIENT_NOW), EXCHANGE_MORE);
	for (int i = 0; i < 2; i++) {
		no_memory = true;
		skip = i;
		assert_null(exchange_put_aside(&exchange));
		no_memory = false;
		assert_true(http_request_started(&exchange.request));
	}
	send_bytes(pair.peer, &GET[10], strlen(GET) - 10);
	assert_int_equal(exchange_next(&exchange, CLIENT_NOW), EXCHANGE_CLOSE);
	close_pair(pair);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_several_headers_come_byte_by_byte),
	    TEST(test_what_the_log_shows_is_kept),
	    TEST(test_what_is_put_aside_can_be_forgotten),
	    TEST(test_without_memory_nothing_changes),
	};

	http_response_set_server("prefork_server/test");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
