/* A connection that has become a WebSocket: each message that comes is sent back, as a handler of aiohttp would do it. */
#include "async_server/ws.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "async_server/conn_run.h"
#include "async_server/handler.h"
#include "async_server/server.h"
#include "async_server/ws_handshake.h"
#include "async_server/ws_message.h"
#include "common/http_field.h"

#define PATH "/ws"

/*
 * What the messages of one round of the loop may come to, in bytes, before
 * others have their turn: a read of 64 KiB can hold 16 messages that are 4 MiB each when inflated.
 */
#define TURN_MAX (1024 * 1024)

/* What an open WebSocket needs besides its connection. */
struct ws {
	struct ws_reader reader;
	struct ws_message message;
	struct ws_deflate *deflate; /* NULL: no compression */
	uint32_t worked;            /* bytes of the messages of this round */
	bool pinged;                /* nothing has come since our ping */
	bool closing; /* our close frame has left before the peer's: its messages do not matter any more */
};

static_assert(WS_ANSWER_TEXT_MAX <= WORKLOAD_TEXT_MAX && WS_ANSWER_FIELDS_MAX <= WORKLOAD_TEXT_MAX,
    "the plan has room for the answer");
static_assert(SERVER_IN_SIZE + WS_HEAD_MAX <= SERVER_STEP_MAX, "there is room for the echo of what one read took");
static_assert(WS_BUFFER_FRONT >= WS_HEAD_MAX, "a head goes in front of a message");

bool
ws_is_asked_for(const struct http_request *request)
{
	struct http_span target = request->target;

	return target.len >= strlen(PATH) && memcmp(target.at, PATH, strlen(PATH)) == 0 &&
	       (target.len == strlen(PATH) || target.at[strlen(PATH)] == '?') && (request->get || request->head);
}

void
ws_plan(struct exchange *exchange)
{
	const struct http_request *request = &exchange->request;
	struct workload_plan *plan = &exchange->plan;
	struct ws_fields fields = {
	    .connection = http_field_find(request->header, "Connection"),
	    .version = http_field_find(request->header, "Sec-WebSocket-Version"),
	    .key = http_field_find(request->header, "Sec-WebSocket-Key"),
	    .extensions = http_field_find(request->header, "Sec-WebSocket-Extensions"),
	};
	struct ws_answer answer;

	if (plan->status == 413 || plan->status == 417)
		return;
	/* HTTP/1.0 has no upgrades (RFC 9110, 7.8), and HEAD asks for none (RFC 6455, 4.1); aiohttp takes both. */
	if (request->get && request->minor > 0)
		fields.upgrade = http_field_find(request->header, "Upgrade");
	ws_handshake_answer(&answer, &fields);
	plan->kind = WORKLOAD_ANSWER;
	plan->handler = "websocket";
	plan->wait = (struct settings_values){0};
	plan->close = false;
	plan->status = answer.status;
	if (answer.status == 101) {
		plan->content_type = "application/octet-stream";
		strcpy(plan->text, answer.fields);
		plan->fields = plan->text;
		plan->body = "";
		plan->body_len = 0;
		exchange->deflate = answer.deflate;
		return;
	}
	plan->content_type = "text/plain; charset=utf-8";
	plan->fields = answer.fields[0] != '\0' ? WS_VERSIONS_FIELD : NULL;
	strcpy(plan->text, answer.text);
	plan->body = NULL;
	plan->body_len = strlen(plan->text);
}

bool
ws_begin(struct conn *conn)
{
	struct exchange *exchange = conn->exchange;
	bool deflate = exchange->deflate.window_bits != 0;
	struct ws *ws = calloc(1, sizeof(*ws));

	if (ws == NULL)
		return false;
	if (deflate)
		ws->deflate = ws_deflate_new(exchange->deflate);
	if ((deflate && ws->deflate == NULL) ||
	    (conn->server->access_log != NULL && http_request_keep(&exchange->request) != 0)) {
		ws_deflate_free(ws->deflate);
		free(ws);
		return false;
	}
	ws_reader_init(&ws->reader, WS_PAYLOAD_MAX(WS_MESSAGE_MAX, deflate), deflate);
	conn->ws = ws;
	metrics_add(&conn->server->metrics->websockets_begun, 1);
	return true;
}

void
ws_end(struct conn *conn)
{
	struct ws *ws = conn->ws;

	metrics_add(&conn->server->metrics->websockets_ended, 1);
	if (conn->exchange != NULL) {
		conn->exchange->answer_bytes = 0; /* as aiohttp counts */
		handler_log(conn);
	}
	ws_message_drop(&ws->message);
	ws_deflate_free(ws->deflate);
	free(ws);
	conn->ws = NULL;
}

/* append_frame writes a frame whose payload has at most SERVER_IN_SIZE bytes. */
static void
append_frame(struct conn *conn, enum ws_opcode opcode, bool compressed, const char *payload, size_t len)
{
	struct server *server = conn->server;

	server->out_len += ws_frame_head(server->out + server->out_len, opcode, compressed, len);
	if (len > 0)
		memcpy(server->out + server->out_len, payload, len);
	server->out_len += len;
}

static void
append_close(struct conn *conn, uint16_t code)
{
	struct server *server = conn->server;

	ws_frame_close(server->out + server->out_len, code);
	server->out_len += WS_CLOSE_FRAME_LEN;
}

/* finish ends the WebSocket: what is in the output buffer is its last. */
static void
finish(struct conn *conn)
{
	ws_end(conn);
	conn->state = CONN_ANSWERED;
}

/* fail tells the peer why, unless it was told already that this is the end. */
static void
fail(struct conn *conn, uint16_t code)
{
	if (!conn->ws->closing)
		append_close(conn, code);
	conn->linger = true;
	finish(conn);
}

/* append_output adds LEN bytes behind what the kernel did not take. Returns false when there is no memory. */
static bool
append_output(struct conn_bytes *output, const char *data, size_t len)
{
	char *bytes = realloc(output->bytes, output->len + len);

	if (bytes == NULL)
		return false;
	memcpy(bytes + output->len, data, len);
	output->bytes = bytes;
	output->len += (uint32_t)len;
	return true;
}

/*
 * send_buffer sends a frame whose payload is BUFFER's content, as large as
 * that may be: it goes out from where it stands, and what the kernel
 * does not take of it stays there, as the connection's output.
 */
static void
send_buffer(struct conn *conn, enum ws_opcode opcode, bool compressed, struct ws_buffer *buffer)
{
	size_t head_len = ws_frame_head_len(buffer->len);
	size_t at = WS_BUFFER_FRONT - head_len, end = WS_BUFFER_FRONT + (size_t)buffer->len;
	ssize_t sent;

	ws_frame_head(buffer->bytes + at, opcode, compressed, buffer->len);
	conn_flush(conn);
	if (conn->state == CONN_CLOSED)
		return;
	if (conn->output.bytes != NULL) {
		if (!append_output(&conn->output, buffer->bytes + at, end - at))
			conn_close(conn);
		return;
	}
	sent = conn_send(conn, buffer->bytes + at, end - at);
	if (sent < 0 || (size_t)sent == end - at)
		return;
	conn->output = (struct conn_bytes){
	    .bytes = buffer->bytes,
	    .at = (uint32_t)(at + (size_t)sent),
	    .len = (uint32_t)end,
	};
	*buffer = (struct ws_buffer){0};
	conn_begin_limit(conn, CONN_LIMIT_DRAIN, conn->server->config.drain_timeout_ns);
}

static void
echo_compressed(struct conn *conn, enum ws_opcode opcode)
{
	struct ws *ws = conn->ws;
	struct ws_buffer buffer = {0};

	if (ws_deflate_compress(ws->deflate, &buffer, ws->message.data, ws->message.len) != 0)
		fail(conn, WS_CLOSE_INTERNAL_ERROR);
	else if (buffer.len <= SERVER_IN_SIZE)
		append_frame(conn, opcode, true, ws_buffer_content(&buffer), buffer.len);
	else
		send_buffer(conn, opcode, true, &buffer);
	ws_buffer_free(&buffer);
}

/* echo sends the message back that has come whole. It may close CONN. */
static void
echo(struct conn *conn, enum ws_opcode opcode)
{
	struct ws *ws = conn->ws;

	metrics_add(&conn->server->metrics->websocket_messages, 1);
	ws->worked += (uint32_t)ws->message.len;
	if (ws->deflate != NULL)
		echo_compressed(conn, opcode);
	else if (ws->message.len <= SERVER_IN_SIZE)
		append_frame(conn, opcode, false, ws->message.data, ws->message.len);
	else
		send_buffer(conn, opcode, false, &ws->message.buffer);
	if (conn->ws != NULL)
		ws_message_drop(&conn->ws->message);
}

static void
on_piece(struct conn *conn)
{
	struct ws *ws = conn->ws;
	uint16_t code;

	if (ws->closing)
		return;
	code = ws_message_add(&ws->message, &ws->reader, ws->deflate, WS_MESSAGE_MAX);
	if (code != 0)
		fail(conn, code);
	else if (ws->reader.end)
		echo(conn, ws->reader.opcode);
}

static void
on_event(struct conn *conn, enum ws_event event)
{
	const struct ws_reader *reader = &conn->ws->reader;

	switch (event) {
	case WS_PIECE:
		on_piece(conn);
		break;
	case WS_PINGED:
		if (!conn->ws->closing)
			append_frame(conn, WS_PONG, false, reader->data, reader->len);
		break;
	case WS_CLOSED:
		if (!conn->ws->closing)
			append_close(conn, WS_CLOSE_OK); /* whatever it said, as aiohttp */
		finish(conn);
		break;
	case WS_VIOLATED:
		fail(conn, reader->code);
		break;
	case WS_PONGED:
	case WS_MORE:
		break;
	}
}

size_t
ws_take(struct conn *conn, char *data, size_t len)
{
	struct server *server = conn->server;
	size_t done = 0;

	if (len > 0)
		conn->ws->pinged = false;
	conn->ws->worked = 0;
	while (conn->state == CONN_UPGRADED && conn->output.bytes == NULL && conn->ws->worked < TURN_MAX) {
		enum ws_event event;
		size_t taken;

		if (SERVER_OUT_SIZE - server->out_len < SERVER_STEP_MAX) {
			conn_flush(conn);
			continue;
		}
		event = ws_reader_read(&conn->ws->reader, data + done, len - done, &taken);
		done += taken;
		if (event == WS_MORE)
			break;
		on_event(conn, event);
	}
	return done;
}

/* begin_close closes from our side: the peer answers with a close frame of its own. */
static void
begin_close(struct conn *conn, uint16_t code)
{
	append_close(conn, code);
	conn->ws->closing = true;
	ws_message_drop(&conn->ws->message);
	conn_flush(conn);
}

/* set_deadline: a WebSocket may be idle for ever, unless there is a heartbeat. */
static void
set_deadline(struct conn *conn)
{
	uint64_t heartbeat_ns = conn->server->config.ws_heartbeat_ns;

	if (conn->ws->closing) {
		if (conn->limit != CONN_LIMIT_CLOSE)
			conn_begin_limit(conn, CONN_LIMIT_CLOSE, conn->server->config.drain_timeout_ns);
		return;
	}
	conn->limit = CONN_LIMIT_NONE;
	if (heartbeat_ns > 0)
		conn_set_deadline(conn, conn->ws->pinged ? heartbeat_ns / 2 : heartbeat_ns);
	else
		deadline_remove(&conn->deadline);
}

void
ws_settle(struct conn *conn)
{
	if (conn->input.bytes != NULL) {
		/* It has had its turn. */
		set_deadline(conn);
		conn_watch_soon(conn);
		return;
	}
	if (conn->server->stopping && !conn->ws->closing)
		begin_close(conn, WS_CLOSE_GOING_AWAY);
	if (conn->state != CONN_UPGRADED)
		return;
	if (conn->output.bytes != NULL) {
		conn_watch_write(conn);
		return;
	}
	set_deadline(conn);
	conn_watch_read(conn);
}

bool
ws_ping(struct conn *conn)
{
	if (conn->ws->closing || conn->ws->pinged)
		return false;
	append_frame(conn, WS_PING, false, NULL, 0);
	conn->ws->pinged = true;
	conn_flush(conn);
	if (conn->state == CONN_UPGRADED)
		ws_settle(conn);
	return true;
}

void
ws_stop(struct conn *conn)
{
	if (conn->output.bytes != NULL || conn->input.bytes != NULL)
		return; /* ws_settle comes to it */
	conn_read(conn);
	if (conn->state == CONN_UPGRADED && conn->output.bytes == NULL)
		ws_settle(conn);
}
