/* Fuzzes a whole connection: whatever comes, however cut, well-formed answers go back, both servers' are the same, and it ends. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "async_server/conn.h"
#include "async_server/server.h"
#include "common/cpu_work.h"
#include "common/http_request.h"
#include "common/http_response.h"
#include "common/log.h"
#include "tests/fuzz/connection/answers.h"
#include "tests/fuzz/connection/check.h"
#include "tests/fuzz/connection/prefork.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first bytes say how the connection goes; the rest is what the client sends. */
#define CUTS 4
#define STOP_EARLY 1 /* the server is asked to stop in the middle */
#define LEAVES 2     /* the client closes both directions, and reads no answer to its last bytes */
#define READS_LATE 4 /* it reads nothing before it has sent everything */
#define IMPATIENT 8  /* what a stop finds in flight is given up */

#define REQUESTS_MAX 4096
#define OUT_MAX ((size_t)1 << 22)
#define ROUNDS_BETWEEN 3
#define LIMIT_NS (8 * NS_PER_SEC)

/* What the requests must be answered, as http_request alone sees them. */
struct expected {
	size_t count;
	size_t complete; /* of them; at most the last is not */
	bool head[REQUESTS_MAX];
	bool http10[REQUESTS_MAX];
};

/* The client's side. */
struct client {
	int fd;
	size_t len;
	char out[OUT_MAX]; /* what came back */
};

static void
expect(struct expected *expected, const struct http_limits *limits, const char *data, size_t len)
{
	struct http_request request;
	enum http_event event;

	expected->count = expected->complete = 0;
	check(http_request_init(&request, limits) == 0, "there is memory");
	do {
		size_t taken;

		event = http_request_read(&request, data, len, &taken);
		data += taken;
		len -= taken;
		if (event == HTTP_HEAD) {
			expected->head[expected->count] = request.head;
			expected->http10[expected->count] = request.minor == 0;
			expected->count++;
		} else if (event == HTTP_COMPLETE) {
			expected->complete++;
			http_request_reset(&request);
		}
	} while (event != HTTP_MORE && event != HTTP_INVALID && expected->count < REQUESTS_MAX);
	http_request_deinit(&request);
}

/* receive reads what has come. */
static void
receive(struct client *client)
{
	ssize_t got;

	while ((got = recv(client->fd, client->out + client->len, OUT_MAX - client->len, MSG_DONTWAIT)) > 0)
		client->len += (size_t)got;
	check(client->len < OUT_MAX, "answers are not endless");
}

static void
run_rounds(struct server *server, int rounds)
{
	while (rounds-- > 0)
		server_run_round(server, 0);
}

/* run_until_closed serves until the connection has ended. */
static void
run_until_closed(struct server *server, struct client *client)
{
	uint64_t begun_ns = clock_now_ns();

	while (server->connections > 0) {
		server_run_round(server, 1);
		if (client->fd >= 0)
			receive(client);
		check(clock_now_ns() - begun_ns < LIMIT_NS, "a connection whose client has sent everything ends");
	}
}

/* run_until_ended is what server_run does, with a limit. */
static void
run_until_ended(struct server *server)
{
	uint64_t begun_ns = clock_now_ns();

	while (server_run_round(server, 1))
		check(clock_now_ns() - begun_ns < LIMIT_NS, "a stop ends");
}

/* send_all sends DATA; what the server does not take at once, it gets as it goes on. */
static void
send_all(struct server *server, struct client *client, const char *data, size_t len, bool reads)
{
	uint64_t begun_ns = clock_now_ns();

	while (len > 0 && server->connections > 0) {
		ssize_t sent = send(client->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent > 0) {
			data += sent;
			len -= (size_t)sent;
		} else {
			reads = true; /* both directions are full */
		}
		run_rounds(server, ROUNDS_BETWEEN);
		if (reads)
			receive(client);
		check(clock_now_ns() - begun_ns < LIMIT_NS, "what is sent is read");
	}
}

/* is_last tells whether ANSWER, to a request of HTTP/1.0 where HTTP10 says so, is the last of its connection. */
static bool
is_last(const struct answer *answer, bool http10)
{
	return answer->close || (http10 && !answer->keep_alive);
}

/* check_answers looks at all that came back. CUT: the client left before the end, or the server was asked to stop. */
static void
check_answers(const struct expected *expected, const struct client *client, bool cut)
{
	const char *out = client->out;
	size_t len = client->len, count = 0;
	bool last = false;

	while (len > 0) {
		struct answer answer;
		bool http10 = count < expected->count && expected->http10[count];
		bool head = count < expected->count && expected->head[count];
		size_t taken = answer_read(&answer, out, len, head);

		check(!last, "nothing follows the last answer");
		if (taken == 0) {
			check(cut, "a head is whole");
			return;
		}
		out += taken;
		len -= taken;
		if (answer.status == 101)
			return; /* from here on it is another protocol */
		if (answer.status < 200)
			continue;
		check(count <= expected->count, "there is one answer to a request, and one more to what is none");
		last = is_last(&answer, http10);
		check(answer.length >= 0 || answer.chunked || last, "an answer that goes on has a length");
		count++;
		if (!answer.whole) {
			/* An echo whose request was cut, or turned out to be wrong. */
			check(cut || count > expected->complete, "the answer to a whole request is whole");
			return;
		}
	}
	check(cut || last || count >= expected->complete, "every request is answered, until one answer is the last");
}

/* next_final reads the next answer that is not a 1xx from OUT. Returns the bytes behind it, NULL where there is no other. */
static const char *
next_final(struct answer *answer, const char *out, const char *end, bool head)
{
	size_t taken;

	do {
		taken = answer_read(answer, out, (size_t)(end - out), head);
		out += taken;
	} while (taken > 0 && answer->status < 200);
	return taken > 0 ? out : NULL;
}

/*
 * check_same compares what both servers answered, request by request.  They may differ in what a request gets
 * whose header is good and whose body is cut or wrong: one refuses it by its header, as it comes, the
 * other by what it finds in its body.  And one closes behind a request that it refuses before its body has come, where the
 * other waits for that.
 */
static void
check_same(const struct expected *expected, const struct client *one, const struct client *other)
{
	const char *a = one->out, *b = other->out;
	size_t count = 0;

	while (count < expected->complete || expected->count == expected->complete) {
		struct answer as = {0}, bs = {0};
		bool head = count < expected->count && expected->head[count];
		bool http10 = count < expected->count && expected->http10[count];
		bool a_last, b_last;

		a = next_final(&as, a, one->out + one->len, head);
		b = next_final(&bs, b, other->out + other->len, head);
		check((a == NULL) == (b == NULL), "both servers answer as many requests");
		if (a == NULL)
			return;
		answer_check_same(&as, &bs);
		a_last = is_last(&as, http10);
		b_last = is_last(&bs, http10);
		check(a_last == b_last || as.status >= 400, "both servers go on behind the same answers");
		if (a_last || b_last)
			return;
		count++;
	}
}

/* run_prefork sends the same by the same cuts to prefork_server. Returns whether it was all sent. */
static bool
run_prefork(const struct prefork_with *with, struct client *client, const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 1 + CUTS;
	bool good = true;

	prefork_begin(with);
	size -= 1 + CUTS;
	for (size_t i = 0; good && size > 0; i++) {
		size_t most = i < CUTS ? data[1 + i] + 1U : PREFORK_PIECE_MAX;
		size_t piece = most < size ? most : size;

		good = prefork_send(text, piece);
		text += piece;
		size -= piece;
	}
	client->len = prefork_serve(client->out, OUT_MAX);
	return good;
}

static void
run_connection(struct server *server, struct client *client, const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 1 + CUTS;
	int flags = data[0], pair[2];
	struct conn *conn;
	bool reads = (flags & READS_LATE) == 0;

	check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0, "there are sockets");
	client->fd = pair[0];
	client->len = 0;
	conn = conn_open(server, pair[1], true);
	check(conn != NULL, "there is memory");
	conn_watch_read(conn);
	size -= 1 + CUTS;
	for (size_t i = 0; i < CUTS && size > 0; i++) {
		size_t piece = data[1 + i] + 1U < size ? data[1 + i] + 1U : size;

		send_all(server, client, text, piece, reads);
		text += piece;
		size -= piece;
		if ((flags & STOP_EARLY) != 0 && i == 1)
			server_stop(server);
	}
	send_all(server, client, text, size, reads);
	if ((flags & LEAVES) != 0) {
		close(client->fd);
		client->fd = -1;
	} else {
		shutdown(client->fd, SHUT_WR);
	}
	run_until_closed(server, client);
	if (client->fd >= 0) {
		receive(client);
		close(client->fd);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct server server;
	static struct client client, prefork;
	static struct expected expected;
	static struct settings *settings;
	static struct metrics *metrics;
	static struct access_log *access_log;
	static struct config config = {
	    .threads = 1,
	    .pool_queue = 4,
	    .keep_alive_ns = 60 * NS_PER_SEC,
	    .header_timeout_ns = 60 * NS_PER_SEC,
	    .body_timeout_ns = 60 * NS_PER_SEC,
	    .drain_timeout_ns = 60 * NS_PER_SEC,
	    .handler_timeout_ns = 60 * NS_PER_SEC,
	    .slow_callback_ns = 3600 * NS_PER_SEC,
	    .min_rate = 240,
	};
	struct prefork_with with;
	int notice_fd;
	bool cut;

	if (size < 1 + CUTS)
		return 0;
	if (settings == NULL) {
		struct settings_limits limits = {
		    .max_sleep_ns = NS_PER_MS,
		    .max_cpu_ns = NS_PER_MS / 50,
		    .modes = 1U << WAIT_ASYNC | 1U << WAIT_BLOCKING | 1U << WAIT_THREADPOOL,
		};

		http_response_set_server("async_server");
		cpu_work_calibrate();
		settings = settings_new((struct settings_values){0}, limits);
		metrics = metrics_new(1);
		check(settings != NULL && metrics != NULL, "there is memory");
		check(access_log_new(&access_log, "/dev/null", ACCESS_LOG_AIOHTTP, NULL) == 0, "there is /dev/null");
		check(log_open("/dev/null", LOG_LEVEL_DEBUG) == 0, "there is /dev/null");
	}
	config.shutdown_timeout_ns = (data[0] & IMPATIENT) != 0 ? 0 : 60 * NS_PER_SEC;
	notice_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	memset(&server, 0, offsetof(struct server, in));
	check(notice_fd >= 0 && server_init(&server, &config, settings, metrics, access_log, notice_fd) == 0,
	    "a server starts");
	expect(&expected, &server.limits, (const char *)data + 1 + CUTS, size - 1 - CUTS);
	run_connection(&server, &client, data, size);
	cut = (data[0] & (STOP_EARLY | LEAVES)) != 0;
	check_answers(&expected, &client, cut);
	with = (struct prefork_with){.limits = &server.limits, .settings = settings, .access_log = access_log};
	if (run_prefork(&with, &prefork, data, size)) {
		check_answers(&expected, &prefork, false);
		/* async_server alone has WebSockets. */
		if (!cut && memmem(data, size, "/ws", 3) == NULL)
			check_same(&expected, &client, &prefork);
	}
	server_stop(&server);
	run_until_ended(&server);
	check(server.conns == NULL && server.jobs == 0 && uv_loop_alive(&server.loop) == 0, "nothing is left of it");
	server_deinit(&server);
	close(notice_fd);
	return 0;
}
