/* From a request's events to its answer: what the plan says, waited for in the mode that it says. */
#include "async_server/handler.h"

#include <string.h>

#include "async_server/conn_run.h"
#include "async_server/server.h"
#include "async_server/ws.h"
#include "common/workload.h"

/* appended counts LEN bytes of the answer that were put at the end of the output buffer. */
static void
appended(struct conn *conn, size_t len)
{
	conn->server->out_len += len;
	conn->exchange->answer_bytes += len;
}

static void
append(struct conn *conn, const char *bytes, size_t len)
{
	memcpy(conn->server->out + conn->server->out_len, bytes, len);
	appended(conn, len);
}

/* append_body does so with LEN bytes of its body. */
static void
append_body(struct conn *conn, const char *bytes, size_t len)
{
	conn->exchange->body_bytes += len;
	append(conn, bytes, len);
}

/* is_last: once the server is asked to stop, a connection ends with the last request whose bytes have arrived. */
static bool
is_last(const struct conn *conn)
{
	return server_stop_asked(conn->server) && !conn->more && !conn->readable;
}

/* append_head begins the answer, with a body of LENGTH bytes. */
static void
append_head(struct conn *conn, int64_t length)
{
	struct server *server = conn->server;
	struct exchange *exchange = conn->exchange;
	struct workload_plan *plan = &exchange->plan;
	char *out = server->out + server->out_len;
	struct http_response response = {
	    .status = plan->status,
	    .minor = exchange->planned ? exchange->request.minor : 1,
	    .content_type = plan->content_type,
	    .fields = plan->fields,
	    .content_length = length,
	};

	exchange->chunked = length == HTTP_LENGTH_UNKNOWN && response.minor == 1;
	exchange->keep_alive = exchange->planned && exchange->request.keep_alive && !plan->close &&
			       (length != HTTP_LENGTH_UNKNOWN || exchange->chunked);
	if (exchange->keep_alive && is_last(conn)) {
		/* The client does not expect it, and may be sending the next one just now. */
		exchange->keep_alive = false;
		conn->linger = true;
	}
	exchange->head_sent = true;
	response.keep_alive = exchange->keep_alive;
	appended(conn, http_response_head(out, SERVER_OUT_SIZE - server->out_len, &response));
	if (access_log_needs_head(server->access_log))
		exchange_keep_head(exchange, out, (size_t)(server->out + server->out_len - out));
	metrics_count_response(server->metrics, plan->status);
}

void
handler_log(struct conn *conn)
{
	struct exchange *exchange = conn->exchange;
	struct access_log_entry entry;

	if (conn->server->access_log == NULL)
		return;
	entry = (struct access_log_entry){
	    .peer = conn->peer != NULL ? conn->peer : "",
	    .request = &exchange->request,
	    .status = exchange->plan.status,
	    .sent_bytes = exchange->answer_bytes,
	    .body_bytes = exchange->body_bytes,
	    .took_ns = exchange->begun_ns != 0 ? clock_now_ns() - exchange->begun_ns : 0,
	    .head = {.at = exchange->head, .len = exchange->head_len},
	};
	access_log_add(conn->server->access_log, &entry);
}

/* finish ends the exchange whose answer is complete. */
static void
finish(struct conn *conn)
{
	struct server *server = conn->server;
	struct exchange *exchange = conn->exchange;

	if (server->access_log != NULL)
		handler_log(conn);
	if (exchange->planned)
		metrics_add(&server->metrics->requests_ended, 1);
	conn->served = true;
	conn->state = exchange->keep_alive ? CONN_IDLE : CONN_ANSWERED;
	exchange->planned = false; /* it is reset where it is used next */
}

void
handler_answer(struct conn *conn)
{
	struct exchange *exchange = conn->exchange;
	struct workload_plan *plan = &exchange->plan;

	append_head(conn, (int64_t)plan->body_len);
	if (!exchange->planned || !exchange->request.head)
		append_body(conn, workload_plan_body(plan), plan->body_len);
	finish(conn);
}

void
handler_refuse(struct conn *conn, int status, const char *reason)
{
	struct exchange *exchange = conn->exchange;

	conn->linger = true;
	if (exchange->head_sent) {
		/* Too late to say so: the answer ends short of what it promised, and the peer sees that. */
		exchange->keep_alive = false;
		finish(conn);
		return;
	}
	workload_plan_error(&exchange->plan, status, reason);
	handler_answer(conn);
}

void
handler_refuse_busy(struct conn *conn, const char *reason, const char *fields)
{
	struct workload_plan *plan = &conn->exchange->plan;

	workload_plan_error(plan, 503, reason);
	plan->fields = fields;
	plan->close = false;
	handler_answer(conn);
	plan->fields = NULL;
}

void
handler_abandon(struct conn *conn)
{
	struct exchange *exchange = conn->exchange;

	if (exchange == NULL)
		return;
	if (exchange->planned)
		metrics_add(&conn->server->metrics->requests_ended, 1);
	exchange->planned = false;
}

/* on_head makes the plan. An answer that needs no body, of a client that waits to be asked for it, goes at once. */
static void
on_head(struct conn *conn)
{
	struct server *server = conn->server;
	struct exchange *exchange = conn->exchange;
	const struct http_request *request = &exchange->request;
	struct workload_plan *plan = &exchange->plan;
	bool asks = request->expect == HTTP_EXPECT_CONTINUE && request->minor == 1 && request->content_length != 0;

	if (access_log_needs_time(server->access_log))
		exchange->begun_ns = clock_now_ns();
	workload_plan(plan, request, server->settings);
	if (ws_is_asked_for(request))
		ws_plan(exchange);
	exchange->planned = true;
	metrics_add(&server->metrics->requests_begun, 1);
	conn->state = CONN_BODY;
	if ((plan->kind == WORKLOAD_ANSWER && request->content_length > WORKLOAD_BODY_MAX) || plan->close ||
	    (asks && plan->status >= 400)) {
		plan->close = true;
		conn->linger = request->content_length != 0;
		handler_answer(conn);
	} else if (asks) {
		append(conn, HTTP_CONTINUE, strlen(HTTP_CONTINUE));
	}
}

/* append_echo sends back what has come of the body. */
static void
append_echo(struct conn *conn, struct http_span body)
{
	struct server *server = conn->server;
	struct exchange *exchange = conn->exchange;

	if (!exchange->head_sent)
		append_head(conn, exchange->request.content_length);
	if (exchange->request.head || body.len == 0)
		return;
	if (!exchange->chunked) {
		append_body(conn, body.at, body.len);
		return;
	}
	appended(conn, http_chunk_head(server->out + server->out_len, body.len));
	append_body(conn, body.at, body.len);
	append(conn, HTTP_CHUNK_TAIL, strlen(HTTP_CHUNK_TAIL));
}

static void
on_body(struct conn *conn)
{
	struct exchange *exchange = conn->exchange;

	if (exchange->plan.kind == WORKLOAD_ECHO) {
		append_echo(conn, exchange->request.body);
		return;
	}
	exchange->request_bytes += exchange->request.body.len;
	if (exchange->request_bytes > WORKLOAD_BODY_MAX)
		handler_refuse(conn, 413, WORKLOAD_BODY_REASON);
}

/* upgrade makes the connection a WebSocket: its request is answered, and has been its last. */
static void
upgrade(struct conn *conn)
{
	if (!ws_begin(conn)) {
		handler_refuse(conn, 503, "There is no memory for a WebSocket.");
		return;
	}
	append_head(conn, 0);
	metrics_add(&conn->server->metrics->requests_ended, 1);
	conn->exchange->planned = false;
	conn->state = CONN_UPGRADED;
	/* Only the access log wants to know later what was asked. */
	if (conn->server->access_log == NULL)
		conn_give_exchange(conn);
}

static void
on_complete(struct conn *conn)
{
	struct exchange *exchange = conn->exchange;

	if (exchange->plan.kind == WORKLOAD_ECHO) {
		append_echo(conn, (struct http_span){0});
		if (exchange->chunked && !exchange->request.head)
			append(conn, HTTP_LAST_CHUNK, strlen(HTTP_LAST_CHUNK));
		finish(conn);
	} else if (exchange->plan.wait.sleep_ns > 0 || exchange->plan.wait.cpu_ns > 0) {
		conn->state = CONN_READY;
	} else if (exchange->plan.status == 101) {
		upgrade(conn);
	} else {
		handler_answer(conn);
	}
}

void
handler_event(struct conn *conn, enum http_event event)
{
	switch (event) {
	case HTTP_HEAD:
		on_head(conn);
		break;
	case HTTP_BODY:
		on_body(conn);
		break;
	case HTTP_COMPLETE:
		on_complete(conn);
		break;
	case HTTP_INVALID:
		handler_refuse(conn, conn->exchange->request.status, conn->exchange->request.reason);
		break;
	case HTTP_MORE:
		break;
	}
}
