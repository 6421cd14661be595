/* What the admin address answers: one request of a connection, when it is complete. */
#include "common/admin_answer.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/settings.h"
#include "common/workload.h"

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

void
admin_answer_error(struct admin_conn *conn, int status, const char *reason)
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
		admin_answer_error(conn, 400, why);
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

/* What is sent at a time of an answer that comes in pieces, before its framing. */
#define FILL_MAX (METRICS_TEXT_MAX - HTTP_CHUNK_HEAD_MAX - sizeof(HTTP_CHUNK_TAIL HTTP_LAST_CHUNK))

/* fill writes the next pieces of the connection's route to BUF, until it ends or BUF could not take another one whole. */
static size_t
fill(struct admin_conn *conn, const struct admin *admin, char *buf, size_t size)
{
	size_t used = 0;

	while (!conn->cursor.end && size - used >= ADMIN_PIECE_MAX)
		used += conn->route->write(admin->context, conn->as_text, &conn->cursor, buf + used);
	return used;
}

/* put appends BYTES to what is to be sent next. */
static void
put(struct admin_conn *conn, const char *bytes, size_t len)
{
	memcpy(conn->answer + conn->answer_len, bytes, len);
	conn->answer_len += len;
}

/* put_chunk appends a piece of the body in its framing, and what ends the body behind the last one. */
static void
put_chunk(struct admin_conn *conn, const char *data, size_t len)
{
	char head[HTTP_CHUNK_HEAD_MAX];
	size_t head_len;

	if (conn->chunked && len > 0) {
		head_len = http_chunk_head(head, len);
		put(conn, head, head_len);
	}
	put(conn, data, len);
	if (conn->chunked && len > 0)
		put(conn, HTTP_CHUNK_TAIL, strlen(HTTP_CHUNK_TAIL));
	if (conn->cursor.end && conn->chunked)
		put(conn, HTTP_LAST_CHUNK, strlen(HTTP_LAST_CHUNK));
	if (conn->cursor.end)
		conn->route = NULL;
}

bool
admin_answer_more(struct admin_conn *conn, const struct admin *admin)
{
	static char text[FILL_MAX]; /* as in serve_metrics */

	if (conn->route == NULL)
		return false;
	conn->answer_len = conn->answer_sent = 0;
	put_chunk(conn, text, fill(conn, admin, text, sizeof(text)));
	return conn->answer_len > 0;
}

/* wants_text: `?text`, or an Accept that names text/plain and not JSON; a browser and curl get JSON. */
static bool
wants_text(const struct http_request *request, struct http_span query)
{
	struct http_span accept = request->wanted[ADMIN_ACCEPT];

	if (query.len == strlen("text") && memcmp(query.at, "text", query.len) == 0)
		return true;
	return accept.at != NULL && memmem(accept.at, accept.len, "text/plain", 10) != NULL &&
	       memmem(accept.at, accept.len, "json", 4) == NULL;
}

/* serve_route begins an answer that may be of any length: the first pieces go with its head. */
static void
serve_route(struct admin_conn *conn, const struct admin *admin, const struct admin_route *route, struct http_span query)
{
	static char text[FILL_MAX];
	struct http_response response = {
	    .status = 200, .minor = conn->request.minor, .content_length = HTTP_LENGTH_UNKNOWN};
	size_t used;

	conn->route = route;
	conn->as_text = wants_text(&conn->request, query);
	response.content_type = conn->as_text ? "text/plain; charset=utf-8" : "application/json";
	used = fill(conn, admin, text, sizeof(text));
	if (conn->cursor.end)
		response.content_length = (int64_t)used;
	conn->chunked = !conn->cursor.end && response.minor > 0;
	conn->answer_len = http_response_head(conn->answer, sizeof(conn->answer), &response);
	if (conn->request.head)
		conn->route = NULL;
	else
		put_chunk(conn, text, used);
}

static void
serve_nothing(struct admin_conn *conn, const struct admin *admin)
{
	char what[WORKLOAD_TEXT_MAX - 32];
	size_t used = (size_t)snprintf(what, sizeof(what), "the admin address has /settings, /metrics");

	for (const struct admin_route *route = admin->routes; route != NULL && route->path != NULL; route++)
		if (used < sizeof(what))
			used += (size_t)snprintf(what + used, sizeof(what) - used, ", %s", route->path);
	if (used < sizeof(what))
		snprintf(what + used, sizeof(what) - used, " and /healthz");
	admin_answer_error(conn, 404, what);
}

static bool
is(struct http_span path, const char *name)
{
	return path.len == strlen(name) && memcmp(path.at, name, path.len) == 0;
}

void
admin_answer(struct admin_conn *conn, const struct admin *admin)
{
	static const struct {
		const char *path;
		void (*serve)(struct admin_conn *, const struct admin *);
		bool any_method;
	} own[] = {
	    {"/settings", serve_settings, true},
	    {"/metrics", serve_metrics, false},
	    {"/healthz", serve_health, false},
	};
	struct http_span path = conn->request.target;
	const char *mark = memchr(path.at, '?', path.len);
	struct http_span query = {0};
	bool reads = conn->request.get || conn->request.head;

	if (mark != NULL) {
		query = (struct http_span){.at = mark + 1, .len = path.len - (size_t)(mark - path.at) - 1};
		path.len = (size_t)(mark - path.at);
	}
	for (size_t i = 0; i < ARRAY_LEN(own); i++) {
		if (!is(path, own[i].path))
			continue;
		if (!own[i].any_method && !reads)
			answer_text(conn, 405, "Allow: GET,HEAD\r\n", "405: Method Not Allowed");
		else
			own[i].serve(conn, admin);
		return;
	}
	for (const struct admin_route *route = admin->routes; route != NULL && route->path != NULL; route++) {
		if (!is(path, route->path))
			continue;
		if (!reads)
			answer_text(conn, 405, "Allow: GET,HEAD\r\n", "405: Method Not Allowed");
		else
			serve_route(conn, admin, route, query);
		return;
	}
	serve_nothing(conn, admin);
}
