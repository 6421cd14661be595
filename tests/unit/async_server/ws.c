/* Unit tests of async_server/ws: a WebSocket over a socket pair while memory runs out, and output that waits for output. */
#include "async_server/ws.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "async_server/conn_run.h"
#include "async_server/server.h"
#include "async_server/ws_message.h"
#include "common/clock.h"

#define FINAL 0x80
#define RSV1 0x40

#define HANDSHAKE \
	"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" \
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

/* The test's own allocator: of the calls of each kind, so many succeed; -1: all. */
static int callocs = -1, mallocs = -1, reallocs = -1;
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);

static bool
fails(int *left)
{
	if (*left > 0)
		--*left;
	else if (*left == 0)
		return true;
	return false;
}

void *
__wrap_calloc(size_t count, size_t size)
{
	return fails(&callocs) ? NULL : __real_calloc(count, size);
}

void *
__wrap_malloc(size_t size)
{
	return fails(&mallocs) ? NULL : __real_malloc(size);
}

void *
__wrap_realloc(void *old, size_t size)
{
	return fails(&reallocs) ? NULL : __real_realloc(old, size);
}

static struct server server;
static struct metrics *metrics;
static struct settings *settings;
static struct access_log *access_log;
static char log_path[32];
static int peer; /* the client's end */
static struct conn *conn;

static int
setup(void **state)
{
	const struct config config = {
	    .threads = 1,
	    .pool_queue = 1,
	    .keep_alive_ns = 75 * NS_PER_SEC,
	    .header_timeout_ns = 10 * NS_PER_SEC,
	    .body_timeout_ns = 10 * NS_PER_SEC,
	    .drain_timeout_ns = 10 * NS_PER_SEC,
	    .shutdown_timeout_ns = 10 * NS_PER_SEC,
	    .slow_callback_ns = 3600 * NS_PER_SEC,
	};
	int pair[2];

	callocs = mallocs = reallocs = -1;
	metrics = metrics_new(1);
	settings = settings_new((struct settings_values){0}, (struct settings_limits){.modes = ~0u});
	assert_non_null(metrics);
	assert_non_null(settings);
	assert_int_equal(server_init(&server, &config, settings, metrics, *state, eventfd(0, EFD_NONBLOCK)), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	peer = pair[1];
	conn = conn_open(&server, pair[0], true);
	assert_non_null(conn);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	callocs = mallocs = reallocs = -1;
	close(peer);
	server_stop(&server);
	server_run(&server); /* to its end */
	close(server.notice_fd);
	server_deinit(&server);
	memset(&server, 0, offsetof(struct server, in));
	metrics_free(metrics, 1);
	settings_free(settings);
	return 0;
}

static int
setup_with_log(void **state)
{
	int fd;

	strcpy(log_path, "/tmp/loopfork-ws-XXXXXX");
	fd = mkstemp(log_path);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(access_log_new(&access_log, log_path, ACCESS_LOG_AIOHTTP, NULL), 0);
	*state = access_log;
	return setup(state);
}

static int
teardown_with_log(void **state)
{
	int status = teardown(state);

	access_log_free(access_log);
	unlink(log_path);
	return status;
}

/* say has the server read what the client sends. */
static void
say(const char *bytes, size_t len)
{
	assert_int_equal(write(peer, bytes, len), len);
	conn_read(conn);
}

/* hear returns what the server has sent so far, and its length. */
static const char *
hear(size_t *len)
{
	static char heard[1 << 20];
	ssize_t got;

	*len = 0;
	while ((got = read(peer, heard + *len, sizeof(heard) - 1 - *len)) > 0)
		*len += (size_t)got;
	heard[*len] = '\0';
	return heard;
}

/* frame writes a frame of the client's, with a mask of zeros, and returns its length. */
static size_t
frame(char *to, int first, const char *payload, size_t len)
{
	size_t head = ws_frame_head(to, WS_TEXT, false, len);

	to[0] = (char)first;
	to[1] = (char)(to[1] | 0x80);
	memset(to + head, 0, 4);
	memcpy(to + head + 4, payload, len);
	return head + 4 + len;
}

static void
say_frame(int first, const char *payload, size_t len)
{
	static char bytes[70000];

	say(bytes, frame(bytes, first, payload, len));
}

static void
upgrade(const char *more)
{
	char text[512];
	size_t len;

	snprintf(text, sizeof(text), HANDSHAKE "%s\r\n", more);
	say(text, strlen(text));
	assert_non_null(strstr(hear(&len), "HTTP/1.1 101 "));
	assert_int_equal(conn->state, CONN_UPGRADED);
}

/* assert_heard compares the last frames that came. */
static void
assert_heard(const char *bytes, size_t len)
{
	size_t got;
	const char *heard = hear(&got);

	assert_int_equal(got, len);
	assert_memory_equal(heard, bytes, len);
}

static void
a_message_comes_back(void **state)
{
	(void)state;
	upgrade("");
	say_frame(FINAL | WS_TEXT, "Hello", 5);
	assert_heard("\x81\x05Hello", 7);
	assert_null(conn->exchange); /* an idle WebSocket keeps nothing of its request */
}

/* refused: ATTEMPT of the allocations for a WebSocket fails, and the answer says so. */
static void
refused(const char *more, int *kind, int attempt)
{
	static const char plain[] = "GET /ws HTTP/1.1\r\nHost: a\r\n\r\n";
	char text[512];
	size_t len;

	/* The exchange has its memory from a request before. */
	say(plain, sizeof(plain) - 1);
	assert_non_null(strstr(hear(&len), "HTTP/1.1 400 "));
	snprintf(text, sizeof(text), HANDSHAKE "%s\r\n", more);
	*kind = attempt;
	say(text, strlen(text));
	*kind = -1;
	assert_non_null(strstr(hear(&len), "HTTP/1.1 503 "));
	assert_int_not_equal(conn->state, CONN_UPGRADED);
	assert_int_equal(metrics->websockets_begun, metrics->websockets_ended);
}

static void
without_memory_for_it_the_request_is_503(void **state)
{
	(void)state;
	refused("", &callocs, 0);
}

static void
without_memory_for_its_compression_the_request_is_503(void **state)
{
	(void)state;
	refused("Sec-WebSocket-Extensions: permessage-deflate\r\n", &callocs, 1);
}

static void
without_memory_for_its_line_in_the_log_the_request_is_503(void **state)
{
	(void)state;
	refused("", &mallocs, 0);
}

static void
a_message_in_parts_without_memory_is_1011(void **state)
{
	(void)state;
	upgrade("");
	reallocs = 0;
	say_frame(WS_TEXT, "Hel", 3);
	assert_heard("\x88\x02\x03\xf3", 4);
	assert_int_equal(conn->state, CONN_LINGERING);
	assert_int_equal(metrics->websockets_ended, 1);
}

static void
an_echo_that_cannot_be_compressed_is_1011(void **state)
{
	(void)state;
	upgrade("Sec-WebSocket-Extensions: permessage-deflate\r\n");
	reallocs = 0; /* a message that comes whole and is not compressed needs none */
	say_frame(FINAL | WS_TEXT, "Hello", 5);
	assert_heard("\x88\x02\x03\xf3", 4);
	assert_int_equal(conn->state, CONN_LINGERING);
}

/*
 * fill_output leaves output behind: pongs that the kernel does not take all, and the echo of a large
 * message that became whole in the same read.  There, REALLOCS_LEFT calls of realloc succeed (-1: all).
 */
#define PINGS 400
#define PART 40000

static void
fill_output(int reallocs_left)
{
	static char bytes[SERVER_IN_SIZE], payload[PART];
	int small = 4096;
	size_t len = 0;

	assert_int_equal(setsockopt(conn->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	memset(payload, 'm', sizeof(payload));
	say_frame(WS_BINARY, payload, PART);
	say_frame(WS_CONTINUATION, payload, PART);
	for (int i = 0; i < PINGS; i++)
		len += frame(bytes + len, FINAL | WS_PING, payload, 100);
	len += frame(bytes + len, FINAL | WS_CONTINUATION, "end", 3);
	reallocs = reallocs_left;
	say(bytes, len);
	reallocs = -1;
}

static void
what_is_ready_leaves_in_order_however_little_the_kernel_takes(void **state)
{
	static char heard[PINGS * 102 + 10 + 2 * PART + 3];
	size_t len = 0;

	(void)state;
	upgrade("");
	fill_output(-1);
	assert_non_null(conn->output.bytes);
	while (len < sizeof(heard)) {
		ssize_t got = read(peer, heard + len, sizeof(heard) - len);

		if (got > 0)
			len += (size_t)got;
		else
			conn_on_events(conn, EPOLLOUT);
	}
	assert_null(conn->output.bytes);
	for (int i = 0; i < PINGS; i++)
		assert_memory_equal(heard + i * 102, "\x8a\x64mmmmmmmm", 10);
	assert_memory_equal(heard + PINGS * 102, "\x82\x7f\0\0\0\0\0\x01\x38\x83", 10);
	assert_memory_equal(heard + sizeof(heard) - 4, "mend", 4);
	say_frame(FINAL | WS_TEXT, "on", 2);
	assert_heard("\x81\x02on", 4);
}

/* say_bombs sends messages of 4 MiB each, which take a few KiB on the wire, in one piece. */
#define BOMBS 3

static void
say_bombs(void)
{
	struct ws_deflate *streams = ws_deflate_new((struct ws_deflate_params){.window_bits = 15});
	static char bytes[SERVER_IN_SIZE], zeros[WS_MESSAGE_MAX];
	size_t len = 0;

	assert_non_null(streams);
	for (int i = 0; i < BOMBS; i++) {
		struct ws_buffer buffer = {0};

		assert_int_equal(ws_deflate_compress(streams, &buffer, zeros, sizeof(zeros)), 0);
		len += frame(bytes + len, FINAL | RSV1 | WS_BINARY, ws_buffer_content(&buffer), buffer.len);
		ws_buffer_free(&buffer);
	}
	ws_deflate_free(streams);
	len += frame(bytes + len, FINAL | WS_PING, "", 0);
	say(bytes, len);
}

static void
large_messages_of_one_read_are_answered_in_as_many_rounds(void **state)
{
	size_t len;

	(void)state;
	upgrade("Sec-WebSocket-Extensions: permessage-deflate\r\n");
	say_bombs();
	for (int i = 1; i <= BOMBS; i++) {
		assert_int_equal(metrics->websocket_messages, i);
		assert_int_equal(conn->watch, CONN_WATCH_WRITE);
		assert_int_equal(hear(&len)[0], (char)(FINAL | RSV1 | WS_BINARY));
		conn_on_events(conn, EPOLLOUT);
	}
	assert_heard("\x8a\x00", 2);
	assert_int_equal(conn->watch, CONN_WATCH_READ);
}

static void
what_waits_for_its_round_is_answered_before_a_stop(void **state)
{
	static char close_frame[] = "\x88\x80\0\0\0\0";
	const char *heard;
	size_t len;

	(void)state;
	upgrade("Sec-WebSocket-Extensions: permessage-deflate\r\n");
	say_bombs();
	server.stopping = true;
	conn_stop(conn);
	conn_on_deadline(&conn->deadline); /* nothing is read, and nothing lost, meanwhile */
	for (int i = 1; i <= BOMBS; i++) {
		assert_int_equal(metrics->websocket_messages, i);
		conn_on_events(conn, EPOLLOUT);
	}
	heard = hear(&len);
	assert_memory_equal(heard + len - 6, "\x8a\x00\x88\x02\x03\xe9", 6);
	say(close_frame, sizeof(close_frame) - 1);
	assert_int_equal(conn->state, CONN_CLOSED);
}

static void
without_memory_for_the_output_the_connection_ends(void **state)
{
	(void)state;
	upgrade("");
	fill_output(1); /* for the message's last bytes; not for its echo */
	assert_int_equal(conn->state, CONN_CLOSED);
	assert_int_equal(metrics->websockets_ended, 1);
	assert_int_equal(server.connections, 0);
}

static void
a_websocket_that_vanishes_is_logged(void **state)
{
	struct stat status;

	(void)state;
	upgrade("");
	assert_int_equal(shutdown(peer, SHUT_WR), 0);
	conn_read(conn);
	assert_int_equal(conn->state, CONN_CLOSED);
	access_log_flush(access_log);
	assert_int_equal(stat(log_path, &status), 0);
	assert_true(status.st_size > 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_message_comes_back, setup, teardown),
	    cmocka_unit_test_setup_teardown(without_memory_for_it_the_request_is_503, setup, teardown),
	    cmocka_unit_test_setup_teardown(without_memory_for_its_compression_the_request_is_503, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		without_memory_for_its_line_in_the_log_the_request_is_503, setup_with_log, teardown_with_log),
	    cmocka_unit_test_setup_teardown(a_message_in_parts_without_memory_is_1011, setup, teardown),
	    cmocka_unit_test_setup_teardown(an_echo_that_cannot_be_compressed_is_1011, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		what_is_ready_leaves_in_order_however_little_the_kernel_takes, setup, teardown),
	    cmocka_unit_test_setup_teardown(large_messages_of_one_read_are_answered_in_as_many_rounds, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_waits_for_its_round_is_answered_before_a_stop, setup, teardown),
	    cmocka_unit_test_setup_teardown(without_memory_for_the_output_the_connection_ends, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_websocket_that_vanishes_is_logged, setup_with_log, teardown_with_log),
	};

	return cmocka_run_group_tests_name("async_server/ws", tests, NULL, NULL);
}
