/* Request -> plan: what to wait for and what to answer. Both servers follow the same plan; only how they wait differs. */
#ifndef COMMON_WORKLOAD_H
#define COMMON_WORKLOAD_H

#include <stddef.h>
#include <stdint.h>

#include "common/http_request.h"
#include "common/settings.h"

enum workload_kind {
	WORKLOAD_ANSWER, /* wait, then send `body`; the request's own body is read and dropped */
	WORKLOAD_ECHO,   /* answer with the request's body as it comes */
};

/* Longest body of an error answer. */
#define WORKLOAD_TEXT_MAX 256

/* Filled where it stands and not copied: it points into itself. */
struct workload_plan {
	enum workload_kind kind;
	const char *handler;         /* for logs: "hello", "echo", "not_found", ...; static storage */
	struct settings_values wait; /* cpu_ns and sleep_ns 0: answer at once */
	int status;
	bool close;               /* the connection cannot go on after this answer */
	const char *content_type; /* static storage, or for echo `text`: the request's own */
	const char *fields;       /* extra header lines ("Allow: GET,HEAD\r\n"); static storage or NULL */
	size_t body_len;
	const char *body;             /* static storage; NULL: `text` below */
	char text[WORKLOAD_TEXT_MAX]; /* the body of an error that names its limits, or echo's content type */
};

/* Largest body that a handler other than /echo reads and drops (aiohttp's client_max_size); above: 413. */
#define WORKLOAD_BODY_MAX (1024 * 1024)
#define WORKLOAD_BODY_REASON "The body is larger than 1048576 bytes." /* why it is 413 */

/*
 * workload_plan decides what REQUEST (at HTTP_HEAD) gets, with the present
 * SETTINGS and the overrides in its query (`/?cpu=20&mode=blocking`); see settings_parse.
 *
 *   GET, HEAD /, /{name}   200 "Hello, Anonymous" after the work and the sleep
 *   any /echo              200, the request's body, no work, no sleep
 *   other methods          405 with Allow, as aiohttp words it
 *   other paths            404
 *   bad override           400 that says what is allowed
 *   unknown Expect         417, with close where a body may follow;  a dropped body above WORKLOAD_BODY_MAX: 413 with close
 */
void workload_plan(struct workload_plan *plan, const struct http_request *request, const struct settings *settings);

/* workload_plan_error is the plan for a request that did not parse, or that a server must refuse itself (408, 503, ...). */
void workload_plan_error(struct workload_plan *plan, int status, const char *reason);

/* workload_plan_body returns the plan's body, wherever it stands; its length is plan->body_len. */
const char *workload_plan_body(const struct workload_plan *plan);

#endif
