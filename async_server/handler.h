/* From a request's events to its answer: what the plan says, waited for in the mode that it says. */
#ifndef ASYNC_SERVER_HANDLER_H
#define ASYNC_SERVER_HANDLER_H

#include "async_server/conn.h"
#include "common/http_request.h"

/*
 * All of them append to the server's output buffer, which the caller has made
 * room in (SERVER_STEP_MAX) and flushes.
 *
 * handler_event follows the request of CONN.  Afterwards the state tells what
 * is next: CONN_BODY (more of the request), CONN_READY (call wait_begin),
 * CONN_IDLE (answered) or CONN_ANSWERED (answered, and this was the last).
 */
void handler_event(struct conn *conn, enum http_event event);

/* handler_answer sends what was planned: after the sleep. CONN is then CONN_IDLE or CONN_ANSWERED. */
void handler_answer(struct conn *conn);

/* handler_refuse answers STATUS and REASON (static storage or NULL) instead, if no answer has begun; CONN is then CONN_ANSWERED. */
void handler_refuse(struct conn *conn, int status, const char *reason);

/*
 * handler_refuse_busy answers 503 and REASON to a complete request that the server cannot see to now; the
 * connection goes on.  FIELDS are further header lines, or NULL; they are used before it returns.
 */
void handler_refuse_busy(struct conn *conn, const char *reason, const char *fields);

/* handler_log adds the line of CONN's request to the access log, where there is one. */
void handler_log(struct conn *conn);

/* handler_abandon gives up the request of a connection that ends without an answer. */
void handler_abandon(struct conn *conn);

#endif
