/* Fuzzes a whole connection of async_server: whatever comes, however cut, well-formed answers go back, and it ends. */
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
check(bool good, const char *promise)
{
	if (good)
		return;
	fprintf(stderr, "the server broke its promise: %s\n", promise);
	abort();
}

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

/* One answer, found in what came back. */
struct answer {
	int status;
	bool close;      /* says that it is the last */
	bool keep_alive; /* says that it is not */
	bool chunked;
	int64_t length; /* -1: none is given */
};

static bool
is_field(const char *line, const char *name)
{
	size_t len = strlen(name);

	return strncmp(line, name, len) == 0 && line[len] == ':' && line[len + 1] == ' ';
}

/* read_head takes the head of an answer from OUT. Returns its length; 0: there is no whole one. */
static size_t
read_head(struct answer *answer, const char *out, size_t len)
{
	const char *end = memmem(out, len, "\r\n\r\n", 4);
	const char *line;
	int dates = 0, servers = 0, lengths = 0;

	if (end == NULL)
		return 0;
	*answer = (struct answer){.length = -1};
	check(strncmp(out, "HTTP/1.1 ", 9) == 0 || strncmp(out, "HTTP/1.0 ", 9) == 0,
	    "an answer begins with its version");
	for (int i = 9; i < 12; i++)
		check(out[i] >= '0' && out[i] <= '9', "a status has three digits");
	answer->status = atoi(out + 9);
	check(answer->status >= 100 && answer->status <= 599 && out[12] == ' ', "a status is from 100 to 599");
	for (const char *at = out; at < end; at++)
		check(
		    (*at >= ' ' && *at <= '~') || (at[0] == '\r' && at[1] == '\n') || (at[0] == '\n' && at[-1] == '\r'),
		    "a head is of printable lines");
	for (line = memmem(out, len, "\r\n", 2); line < end;
	     line = memmem(line, len - (size_t)(line - out), "\r\n", 2)) {
		line += 2;
		check(memchr(line, ':', (size_t)(end - line)) != NULL, "a field has a colon");
		dates += is_field(line, "Date");
		servers += is_field(line, "Server");
		if (is_field(line, "Content-Length")) {
			lengths++;
			answer->length = atoll(line + strlen("Content-Length: "));
		} else if (is_field(line, "Transfer-Encoding")) {
			check(strncmp(line, "Transfer-Encoding: chunked\r\n", 28) == 0, "no other coding is used");
			answer->chunked = true;
		} else if (is_field(line, "Connection")) {
			answer->close = strncmp(line, "Connection: close\r\n", 19) == 0;
			answer->keep_alive = strncmp(line, "Connection: keep-alive\r\n", 24) == 0;
		}
	}
	if (answer->status >= 200) {
		check(dates == 1 && servers == 1, "an answer has one Date and one Server");
		check(lengths <= 1 && lengths + answer->chunked <= 1, "an answer has one length at most");
	}
	return (size_t)(end - out) + 4;
}

/* read_chunks returns the length of a chunked body, or LEN + 1 where it has not ended. */
static size_t
read_chunks(const char *out, size_t len)
{
	size_t at = 0;

	for (;;) {
		const char *line_end = memmem(out + at, len - at, "\r\n", 2);
		unsigned long size;
		char *end;

		if (line_end == NULL)
			return len + 1;
		size = strtoul(out + at, &end, 16);
		check(end == line_end && end > out + at, "a chunk's length is a hexadecimal number");
		at = (size_t)(line_end - out) + 2;
		if (size > len - at || len - at - size < 2)
			return len + 1;
		at += size;
		check(out[at] == '\r' && out[at + 1] == '\n', "a chunk ends with CRLF");
		at += 2;
		if (size == 0)
			return at;
	}
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
		size_t body, taken = read_head(&answer, out, len);

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
		last = answer.close || (http10 && !answer.keep_alive);
		if (head || answer.status == 204 || answer.status == 304)
			body = 0;
		else if (answer.chunked)
			body = read_chunks(out, len);
		else
			body = answer.length >= 0 ? (size_t)answer.length : len;
		check(answer.length >= 0 || answer.chunked || last, "an answer that goes on has a length");
		count++;
		if (body > len) {
			/* An echo whose request was cut, or turned out to be wrong. */
			check(cut || count > expected->complete, "the answer to a whole request is whole");
			return;
		}
		out += body;
		len -= body;
	}
	check(cut || last || count >= expected->complete, "every request is answered, until one answer is the last");
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
	static struct client client;
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
	int notice_fd;

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
	check_answers(&expected, &client, (data[0] & (STOP_EARLY | LEAVES)) != 0);
	server_stop(&server);
	run_until_ended(&server);
	check(server.conns == NULL && server.jobs == 0 && uv_loop_alive(&server.loop) == 0, "nothing is left of it");
	server_deinit(&server);
	close(notice_fd);
	return 0;
}
