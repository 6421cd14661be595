/* The admin address: settings, metrics and health, answered off the worker path while every worker or the loop sleeps. */
#include "common/admin.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/http_request.h"
#include "common/http_response.h"
#include "common/listener.h"
#include "common/log.h"
#include "common/workload.h"

#define BEAT_MS 1000  /* the longest that beat has to wait */
#define BODY_MAX 1024 /* a form of settings; above: 413 */
#define ANSWER_MAX (HTTP_RESPONSE_HEAD_MAX + 128 + METRICS_TEXT_MAX)
#define PAUSE_MS 100 /* after accept ran out of descriptors */

static const struct http_limits limits = {
    .request_line = 1024,
    .field_size = 4096,
    .fields = 64,
    .header_size = 8192,
};

/* What poll watches: the two descriptors of struct admin, then one for each connection. */
enum { POLL_STOP, POLL_LISTEN, POLL_CONNS };

struct admin_conn {
	int fd;          /* -1: the place is free */
	uint64_t due_ns; /* when its time is over */
	struct http_request request;
	bool has_head;  /* the request's fields can be read */
	bool lingering; /* answered: draining until the peer closes */
	size_t body_len;
	size_t answer_len; /* 0: still reading */
	size_t answer_sent;
	char body[BODY_MAX]; /* the buffers come last: a new connection starts with all above them zero */
	char answer[ANSWER_MAX];
};

static void
close_conn(struct admin_conn *conn)
{
	http_request_deinit(&conn->request);
	close(conn->fd);
	conn->fd = -1;
}

static void
answer(struct admin_conn *conn, int status, const char *content_type, const char *fields, const char *body,
    size_t body_len)
{
	struct http_response response = {
	    .status = status,
	    .minor = 1,
	    .content_type = content_type,
	    .fields = fields,
	    .content_length = (int64_t)body_len,
	};

	conn->answer_len = http_response_head(conn->answer, sizeof(conn->answer), &response);
	if (!conn->has_head || !conn->request.head) {
		memcpy(conn->answer + conn->answer_len, body, body_len);
		conn->answer_len += body_len;
	}
}

static void
answer_text(struct admin_conn *conn, int status, const char *fields, const char *text)
{
	char line[WORKLOAD_TEXT_MAX + 64];
	int len = snprintf(line, sizeof(line), "%s\n", text);

	answer(conn, status, "text/plain; charset=utf-8", fields, line, (size_t)len);
}

static void
answer_error(struct admin_conn *conn, int status, const char *reason)
{
	struct workload_plan plan;

	workload_plan_error(&plan, status, reason);
	answer_text(conn, status, NULL, plan.text);
}

static double
share_percent(struct settings_values values)
{
	return values.blocking_share * 100.0 / SETTINGS_SHARE_WHOLE;
}

/* log_settings says what PUT has made of them. */
static void
log_settings(const struct settings *settings)
{
	struct settings_values values = settings_get(settings);
	char share[64] = "";

	if (settings_has_share(settings_limits(settings)))
		snprintf(share, sizeof(share), " blocking-share=%.9g", share_percent(values));
	log_info("Settings are now sleep=%.9g cpu=%.9g mode=%s%s (PUT /settings)",
	    (double)values.sleep_ns / (double)NS_PER_SEC, (double)values.cpu_ns / (double)NS_PER_MS,
	    settings_mode_name(values.mode), share);
}

static void
answer_settings(struct admin_conn *conn, const struct admin *admin)
{
	struct settings_values values = settings_get(admin->settings);
	char share[64] = "", body[256];
	int len;

	if (settings_has_share(settings_limits(admin->settings)))
		snprintf(share, sizeof(share), ", \"blocking_share\": %.9g", share_percent(values));
	len = snprintf(body, sizeof(body), "{\"sleep\": %.9g, \"cpu\": %.9g, \"mode\": \"%s\"%s}\n",
	    (double)values.sleep_ns / (double)NS_PER_SEC, (double)values.cpu_ns / (double)NS_PER_MS,
	    settings_mode_name(values.mode), share);
	answer(conn, 200, "application/json", NULL, body, (size_t)len);
}

static void
serve_settings(struct admin_conn *conn, const struct admin *admin)
{
	char why[WORKLOAD_TEXT_MAX - 32];

	if (conn->request.get || conn->request.head) {
		answer_settings(conn, admin);
		return;
	}
	if (strcmp(conn->request.method, "PUT") != 0) {
		answer_text(conn, 405, "Allow: GET,HEAD,PUT\r\n", "405: Method Not Allowed");
		return;
	}
	if (settings_apply(admin->settings, conn->body, conn->body_len, why, sizeof(why)) != 0) {
		answer_error(conn, 400, why);
		return;
	}
	log_settings(admin->settings);
	answer_settings(conn, admin);
}

static void
serve_metrics(struct admin_conn *conn, const struct admin *admin)
{
	struct settings_values values = settings_get(admin->settings);
	static char text[METRICS_TEXT_MAX]; /* too large for a thread's stack, and there is one admin address */
	struct metrics_totals totals = {0};
	size_t used;

	admin->sum_metrics(admin->context, &totals);
	used = metrics_write(&totals, admin->metrics_of, text, sizeof(text));
	used = metrics_write_one(text, used, sizeof(text), "loopfork_setting_sleep_seconds", "gauge",
	    "How long a handler waits.", (double)values.sleep_ns / (double)NS_PER_SEC);
	used = metrics_write_one(text, used, sizeof(text), "loopfork_setting_cpu_seconds", "gauge",
	    "How much CPU time a handler computes for.", (double)values.cpu_ns / (double)NS_PER_SEC);
	used = metrics_write_one(text, used, sizeof(text), "loopfork_setting_blocking", "gauge",
	    "1 while handlers wait with a blocking sleep.", values.mode == WAIT_BLOCKING);
	if (settings_has_share(settings_limits(admin->settings)))
		used = metrics_write_one(text, used, sizeof(text), "loopfork_setting_blocking_share", "gauge",
		    "Of the requests whose mode is async, the part that blocks.",
		    (double)values.blocking_share / SETTINGS_SHARE_WHOLE);
	if (admin->write_metrics != NULL)
		used = admin->write_metrics(admin->context, text, used, sizeof(text));
	answer(conn, 200, "text/plain; version=0.0.4; charset=utf-8", NULL, text, used);
}

static void
serve_health(struct admin_conn *conn, const struct admin *admin)
{
	char why[WORKLOAD_TEXT_MAX] = "";

	if (admin->is_healthy == NULL || admin->is_healthy(admin->context, why, sizeof(why)))
		answer_text(conn, 200, NULL, "ok");
	else
		answer_text(conn, 503, NULL, why);
}

static void
serve(struct admin_conn *conn, const struct admin *admin)
{
	static const struct {
		const char *path;
		void (*serve)(struct admin_conn *, const struct admin *);
		bool any_method;
	} routes[] = {
	    {"/settings", serve_settings, true},
	    {"/metrics", serve_metrics, false},
	    {"/healthz", serve_health, false},
	};
	struct http_span target = conn->request.target;
	const char *query = memchr(target.at, '?', target.len);
	size_t len = query != NULL ? (size_t)(query - target.at) : target.len;

	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		if (len != strlen(routes[i].path) || memcmp(target.at, routes[i].path, len) != 0)
			continue;
		if (!routes[i].any_method && !conn->request.get && !conn->request.head)
			answer_text(conn, 405, "Allow: GET,HEAD\r\n", "405: Method Not Allowed");
		else
			routes[i].serve(conn, admin);
		return;
	}
	answer_error(conn, 404, "the admin address has /settings, /metrics and /healthz");
}

/* take_event follows the request; returns false when this connection has what it needs for its answer. */
static bool
take_event(struct admin_conn *conn, enum http_event event, const struct admin *admin)
{
	switch (event) {
	case HTTP_MORE:
		return true;
	case HTTP_HEAD:
		conn->has_head = true;
		/* The form is small: the client may send it at once, and need not be asked for it. */
		if (conn->request.expect == HTTP_EXPECT_CONTINUE)
			(void)!send(conn->fd, HTTP_CONTINUE, strlen(HTTP_CONTINUE), MSG_NOSIGNAL | MSG_DONTWAIT);
		return true;
	case HTTP_BODY:
		if (conn->request.body.len > sizeof(conn->body) - conn->body_len) {
			answer_error(conn, 413, "settings are at most 1024 bytes");
			return false;
		}
		memcpy(conn->body + conn->body_len, conn->request.body.at, conn->request.body.len);
		conn->body_len += conn->request.body.len;
		return true;
	case HTTP_COMPLETE:
		serve(conn, admin);
		return false;
	case HTTP_INVALID:
		answer_error(conn, conn->request.status, conn->request.reason);
		return false;
	}
	return false;
}

static void
read_request(struct admin_conn *conn, const struct admin *admin)
{
	char data[4096];
	ssize_t got = recv(conn->fd, data, sizeof(data), MSG_DONTWAIT);
	enum http_event event;
	size_t at = 0;

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		close_conn(conn);
		return;
	}
	do {
		size_t taken;

		event = http_request_read(&conn->request, data + at, (size_t)got - at, &taken);
		at += taken;
	} while (take_event(conn, event, admin) && event != HTTP_MORE);
}

static void
write_answer(struct admin_conn *conn)
{
	ssize_t sent = send(conn->fd, conn->answer + conn->answer_sent, conn->answer_len - conn->answer_sent,
	    MSG_NOSIGNAL | MSG_DONTWAIT);

	if (sent < 0) {
		if (errno != EAGAIN && errno != EINTR)
			close_conn(conn);
		return;
	}
	conn->answer_sent += (size_t)sent;
	if (conn->answer_sent == conn->answer_len) {
		/* Closing at once would reset what the peer has not read yet, if it is still sending. */
		shutdown(conn->fd, SHUT_WR);
		conn->lingering = true;
	}
}

static void
drain(struct admin_conn *conn)
{
	char data[4096];
	ssize_t got = recv(conn->fd, data, sizeof(data), MSG_DONTWAIT);

	if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
		close_conn(conn);
}

static void
go_on(struct admin_conn *conn, const struct admin *admin)
{
	if (conn->lingering) {
		drain(conn);
		return;
	}
	if (conn->answer_len == 0)
		read_request(conn, admin);
	if (conn->fd >= 0 && conn->answer_len > 0)
		write_answer(conn);
}

/* accept_conns fills the free places. Returns when accepting may be tried again: 0 at once. */
static uint64_t
accept_conns(struct admin_conn *conns, int listen_fd)
{
	for (struct admin_conn *conn = conns; conn < conns + ADMIN_CONNECTIONS; conn++) {
		int fd;

		if (conn->fd >= 0)
			continue;
		fd = listener_accept(listen_fd, true);
		if (fd < 0)
			return fd == -EAGAIN ? 0 : clock_now_ns() + PAUSE_MS * NS_PER_MS;
		memset(conn, 0, offsetof(struct admin_conn, body));
		conn->due_ns = clock_now_ns() + ADMIN_DEADLINE_MS * NS_PER_MS;
		conn->fd = fd;
		if (http_request_init(&conn->request, &limits) != 0) {
			close(fd);
			conn->fd = -1;
		}
	}
	return 0;
}

/*
 * fill_polls says what to wait for, up to the last place that is taken: poll
 * refuses more places than there may be descriptors.  Returns the nearest
 * deadline, UINT64_MAX where there is none.
 */
static uint64_t
fill_polls(struct pollfd *polls, nfds_t *count, const struct admin_conn *conns, const struct admin *admin,
    uint64_t paused_until)
{
	uint64_t nearest = paused_until > 0 ? paused_until : UINT64_MAX;
	bool has_room = false;

	*count = POLL_CONNS;
	for (int i = 0; i < ADMIN_CONNECTIONS; i++) {
		const struct admin_conn *conn = &conns[i];

		polls[POLL_CONNS + i].fd = conn->fd;
		polls[POLL_CONNS + i].events = conn->answer_len > 0 && !conn->lingering ? POLLOUT : POLLIN;
		if (conn->fd < 0) {
			has_room = true;
			continue;
		}
		*count = POLL_CONNS + (nfds_t)i + 1;
		if (conn->due_ns < nearest)
			nearest = conn->due_ns;
	}
	polls[POLL_STOP] = (struct pollfd){.fd = admin->stop_fd, .events = POLLIN};
	polls[POLL_LISTEN] = (struct pollfd){
	    .fd = has_room && paused_until == 0 ? admin->listen_fd : -1,
	    .events = POLLIN,
	};
	return nearest;
}

static int
serve_loop(struct admin_conn *conns, const struct admin *admin)
{
	struct pollfd polls[POLL_CONNS + ADMIN_CONNECTIONS];
	uint64_t paused_until = 0;

	for (;;) {
		nfds_t count;
		uint64_t nearest = fill_polls(polls, &count, conns, admin, paused_until);
		int wait_ms = nearest == UINT64_MAX ? -1 : clock_ms_until(nearest);
		int ready;

		if (admin->beat != NULL) {
			admin->beat();
			wait_ms = wait_ms < 0 || wait_ms > BEAT_MS ? BEAT_MS : wait_ms;
		}
		ready = poll(polls, count, wait_ms);
		if (ready < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (ready > 0 && polls[POLL_STOP].revents != 0)
			return 0;
		log_follow();
		for (int i = 0; ready > 0 && i < ADMIN_CONNECTIONS; i++)
			if (conns[i].fd >= 0 && polls[POLL_CONNS + i].revents != 0)
				go_on(&conns[i], admin);
		for (int i = 0; i < ADMIN_CONNECTIONS; i++)
			if (conns[i].fd >= 0 && conns[i].due_ns <= clock_now_ns())
				close_conn(&conns[i]);
		if (paused_until != 0 && clock_now_ns() >= paused_until)
			paused_until = 0;
		else if (ready > 0 && polls[POLL_LISTEN].revents != 0)
			paused_until = accept_conns(conns, admin->listen_fd);
	}
}

int
admin_serve(const struct admin *admin)
{
	/* Too large for a thread's stack, and there is one admin address in a process. */
	static struct admin_conn conns[ADMIN_CONNECTIONS];
	int result;

	for (int i = 0; i < ADMIN_CONNECTIONS; i++)
		conns[i].fd = -1;
	result = serve_loop(conns, admin);
	for (int i = 0; i < ADMIN_CONNECTIONS; i++)
		if (conns[i].fd >= 0)
			close_conn(&conns[i]);
	return result;
}
