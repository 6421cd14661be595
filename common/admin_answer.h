/* What the admin address answers: one request of a connection, when it is complete. */
#ifndef COMMON_ADMIN_ANSWER_H
#define COMMON_ADMIN_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/admin.h"
#include "common/http_request.h"
#include "common/http_response.h"

#define ADMIN_BODY_MAX 1024 /* a form of settings; above: 413 */
/* A head, and what is sent at a time of a body: all of it, or as chunks. */
#define ADMIN_ANSWER_MAX (HTTP_RESPONSE_HEAD_MAX + 128 + METRICS_TEXT_MAX)

/* The fields that are wanted of a request, for struct http_limits. */
enum { ADMIN_ACCEPT };

struct admin_conn {
	int fd;          /* -1: the place is free */
	uint64_t due_ns; /* when its time is over */
	struct http_request request;
	bool has_head;  /* the request's fields can be read */
	bool lingering; /* answered: draining until the peer closes */
	size_t body_len;
	size_t answer_len; /* 0: still reading */
	size_t answer_sent;
	const struct admin_route *route; /* whose answer goes on behind what is in `answer`; NULL: none does */
	struct admin_cursor cursor;      /* where it goes on */
	bool as_text;
	bool chunked;
	char body[ADMIN_BODY_MAX]; /* the buffers come last: a new connection starts with all above them zero */
	char answer[ADMIN_ANSWER_MAX];
};

/* admin_answer puts the answer to the connection's request, or its beginning, into `answer`. */
void admin_answer(struct admin_conn *conn, const struct admin *admin);

/* admin_answer_more puts what comes next into `answer`, of which all has been sent. Returns false when nothing does. */
bool admin_answer_more(struct admin_conn *conn, const struct admin *admin);

/* admin_answer_error refuses the request with STATUS and a REASON. */
void admin_answer_error(struct admin_conn *conn, int status, const char *reason);

#endif
