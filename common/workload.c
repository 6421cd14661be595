/* Request -> plan: what to wait for and what to answer. Both servers follow the same plan; only how they wait differs. */
#include "common/workload.h"

#include <stdio.h>
#include <string.h>

#include "common/http_response.h"

#define TEXT "text/plain; charset=utf-8"

static void
plan_text(struct workload_plan *plan, const char *handler, int status, const char *body)
{
	plan->kind = WORKLOAD_ANSWER;
	plan->handler = handler;
	plan->wait = (struct settings_values){0};
	plan->status = status;
	plan->content_type = TEXT;
	plan->fields = NULL;
	plan->body = body;
	plan->body_len = strlen(body);
}

void
workload_plan_error(struct workload_plan *plan, int status, const char *reason)
{
	int len;

	plan_text(plan, "error", status, "");
	plan->close = true;
	if (reason != NULL)
		len = snprintf(plan->text, sizeof(plan->text), "%d: %s: %s", status, http_reason(status), reason);
	else
		len = snprintf(plan->text, sizeof(plan->text), "%d: %s", status, http_reason(status));
	plan->body = NULL;
	plan->body_len = (size_t)len < sizeof(plan->text) ? (size_t)len : sizeof(plan->text) - 1;
}

const char *
workload_plan_body(const struct workload_plan *plan)
{
	return plan->body != NULL ? plan->body : plan->text;
}

static struct http_span
split_query(struct http_span target, struct http_span *query)
{
	const char *mark = memchr(target.at, '?', target.len);
	struct http_span path = target;

	*query = (struct http_span){0};
	if (mark != NULL) {
		path.len = (size_t)(mark - target.at);
		query->at = mark + 1;
		query->len = target.len - path.len - 1;
	}
	return path;
}

/* is_printable: what a client sent goes into a header only where nobody can read anything else in it. */
static bool
is_printable(struct http_span span)
{
	for (size_t i = 0; i < span.len; i++)
		if (span.at[i] < ' ' || span.at[i] > '~')
			return false;
	return true;
}

static void
plan_echo(struct workload_plan *plan, const struct http_request *request)
{
	struct http_span type = request->content_type;

	plan_text(plan, "echo", 200, "");
	plan->kind = WORKLOAD_ECHO;
	plan->content_type = "application/octet-stream";
	if (type.len > 0 && type.len < sizeof(plan->text) && is_printable(type)) {
		memcpy(plan->text, type.at, type.len);
		plan->text[type.len] = '\0';
		plan->content_type = plan->text;
	}
}

static void
plan_hello(struct workload_plan *plan, const struct http_request *request, struct http_span query,
    const struct settings *settings)
{
	struct settings_values wait = settings_get(settings);
	char why[WORKLOAD_TEXT_MAX - 32];

	if (!request->get && !request->head) {
		plan_text(plan, "method_not_allowed", 405, "405: Method Not Allowed");
		plan->fields = "Allow: GET,HEAD\r\n";
		return;
	}
	if (query.len > 0 &&
	    settings_parse(&wait, settings_limits(settings), query.at, query.len, false, why, sizeof(why)) != 0) {
		workload_plan_error(plan, 400, why);
		plan->close = false;
		plan->handler = "bad_query";
		return;
	}
	plan_text(plan, "hello", 200, "Hello, Anonymous");
	plan->wait = wait;
}

void
workload_plan(struct workload_plan *plan, const struct http_request *request, const struct settings *settings)
{
	struct http_span query;
	struct http_span path = split_query(request->target, &query);

	plan->close = false;
	if (path.len == strlen("/echo") && memcmp(path.at, "/echo", path.len) == 0)
		plan_echo(plan, request);
	else if (path.len >= 1 && path.at[0] == '/' && memchr(path.at + 1, '/', path.len - 1) == NULL)
		plan_hello(plan, request, query, settings);
	else
		plan_text(plan, "not_found", 404, "404: Not Found");

	/* As in aiohttp: Expect is looked at for any path, the body only where a handler reads it. */
	if (request->expect == HTTP_EXPECT_UNKNOWN) {
		workload_plan_error(plan, 417, "Only 100-continue can be expected.");
		plan->close = request->content_length != 0;
	} else if (plan->kind != WORKLOAD_ECHO && plan->status != 404 && plan->status != 405 &&
		   request->content_length > WORKLOAD_BODY_MAX) {
		workload_plan_error(plan, 413, WORKLOAD_BODY_REASON);
	}
}
