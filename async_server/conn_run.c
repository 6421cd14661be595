/* What moves a connection on: bytes that came, room to write, a sleep that ended, time that is over. */
#include "async_server/conn_run.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "async_server/handler.h"
#include "async_server/server.h"
#include "async_server/wait.h"
#include "async_server/ws.h"

/* Reads of one connection before others have their turn. */
#define READS_MAX 16

static bool
is_reading(const struct conn *conn)
{
	return conn->state <= CONN_BODY && conn->output.bytes == NULL;
}

/* is_idle: empty lines before a request, as some old clients send after a body, begin nothing. */
static bool
is_idle(const struct conn *conn)
{
	return conn->state == CONN_IDLE ||
	       (conn->state == CONN_HEADER && !http_request_started(&conn->exchange->request));
}

/* take feeds DATA to the request, and each request after it, while nothing has to be waited for. Returns how much it took. */
static size_t
take(struct conn *conn, char *data, size_t len)
{
	struct server *server = conn->server;
	size_t done = 0;

	while (is_reading(conn)) {
		enum http_event event;
		size_t taken;

		if (SERVER_OUT_SIZE - server->out_len < SERVER_STEP_MAX) {
			conn_flush(conn);
			continue;
		}
		if (conn->state == CONN_IDLE) {
			if (done == len)
				break;
			if (conn->exchange != NULL)
				exchange_reset(conn->exchange); /* it had the request before in these data */
			else
				conn->exchange = exchange_take(&server->exchanges, conn);
			if (conn->exchange == NULL) {
				conn_close(conn);
				break;
			}
			conn->state = CONN_HEADER;
		}
		event = http_request_read(&conn->exchange->request, data + done, len - done, &taken);
		done += taken;
		conn->more = done < len;
		if (event == HTTP_MORE)
			break;
		if (event == HTTP_HEAD)
			conn->limit = CONN_LIMIT_NONE;
		handler_event(conn, event);
	}
	/* Frames may have come right behind the request that made it a WebSocket. */
	if (conn->state == CONN_UPGRADED)
		done += ws_take(conn, data + done, len - done);
	return done;
}

/* keep_input keeps what take left of DATA for when the connection goes on. */
static void
keep_input(struct conn *conn, const char *data, size_t len)
{
	if (len > 0 && conn->state == CONN_ANSWERED)
		conn->linger = true;
	if (len == 0 || conn->state > CONN_UPGRADED)
		conn_drop_bytes(&conn->input);
	else if (conn->input.bytes != NULL)
		conn->input.at = conn->input.len - (uint32_t)len;
	else if (!conn_keep_bytes(&conn->input, data, len))
		conn_close(conn);
}

/* keep_request saves the request's fields, as the buffer that they stand in is about to go or to be used again. */
static void
keep_request(struct conn *conn)
{
	struct exchange *exchange = conn->exchange;

	if (exchange == NULL || !exchange->planned || exchange->kept)
		return;
	if (conn->server->access_log == NULL && conn->state != CONN_READY)
		return;
	exchange->kept = true;
	if (http_request_keep(&exchange->request) != 0)
		conn_close(conn);
}

/* set_linger_deadline: a client that just keeps its side open must not hold up the server's end. */
static void
set_linger_deadline(struct conn *conn)
{
	uint64_t limit_ns = conn->server->config.drain_timeout_ns;

	if (server_stop_asked(conn->server) && limit_ns > CONN_STOP_GRACE_NS)
		limit_ns = CONN_STOP_GRACE_NS;
	conn_set_deadline(conn, limit_ns);
}

/* linger ends the sending side, and waits for the peer to end its own. */
static void
linger(struct conn *conn)
{
	/* While it slept, the peer has sent something, or has gone. */
	if (conn->readable)
		conn->linger = true;
	if (!conn->linger || shutdown(conn->fd, SHUT_WR) != 0) {
		conn_close(conn);
		return;
	}
	conn->state = CONN_LINGERING;
	conn_give_exchange(conn);
	set_linger_deadline(conn);
	conn_watch_read(conn);
}

/* settle_idle: the time limit differs before the first request. */
static void
settle_idle(struct conn *conn)
{
	const struct config *config = &conn->server->config;

	if (conn->state == CONN_IDLE)
		conn_give_exchange(conn);
	if (conn->limit != CONN_LIMIT_IDLE)
		conn_begin_limit(
		    conn, CONN_LIMIT_IDLE, conn->served ? config->keep_alive_ns : config->header_timeout_ns);
	conn_watch_read(conn);
	if (conn->server->stopping && conn->served)
		conn_stop(conn);
}

/* settle decides what a connection that went as far as it could, with CAME bytes, waits for now. */
static void
settle(struct conn *conn, size_t came)
{
	const struct config *config = &conn->server->config;

	if (conn->output.bytes != NULL) {
		conn_watch_write(conn);
		return;
	}
	switch ((enum conn_state)conn->state) {
	case CONN_IDLE:
		settle_idle(conn);
		break;
	case CONN_HEADER:
		if (is_idle(conn)) {
			settle_idle(conn);
			break;
		}
		/* From the first byte on, however many pieces follow. */
		if (conn->limit != CONN_LIMIT_HEADER)
			conn_begin_limit(conn, CONN_LIMIT_HEADER, config->header_timeout_ns);
		conn_watch_read(conn);
		break;
	case CONN_BODY:
		if (conn->limit != CONN_LIMIT_BODY)
			conn_begin_limit(conn, CONN_LIMIT_BODY, config->body_timeout_ns);
		else
			conn_prolong(conn, config->body_timeout_ns, came);
		conn_watch_read(conn);
		break;
	case CONN_UPGRADED:
		ws_settle(conn);
		break;
	case CONN_ANSWERED:
		linger(conn);
		break;
	case CONN_WAITING:
		/* The next request waits in the kernel until this one has been answered; so does the news that the peer has gone. */
		conn_watch_asleep(conn);
		break;
	case CONN_READY: /* only while output is left */
	case CONN_LINGERING:
	case CONN_CLOSED:
		break;
	}
}

/* run takes a connection as far as it goes without waiting. DATA was just read, or is the rest of conn->input. */
static void
run(struct conn *conn, char *data, size_t len)
{
	size_t came = len;

	for (;;) {
		size_t taken = take(conn, data, len);

		data += taken;
		len -= taken;
		/* Before a sleep, what is ready leaves. */
		conn_flush(conn);
		if (conn->state != CONN_READY || conn->output.bytes != NULL)
			break;
		wait_begin(conn);
	}
	keep_request(conn);
	keep_input(conn, data, len);
	settle(conn, came);
}

/* resume goes on with what had been read before. */
static void
resume(struct conn *conn)
{
	const struct conn_bytes *input = &conn->input;

	if (input->bytes != NULL)
		run(conn, input->bytes + input->at, input->len - input->at);
	else
		run(conn, conn->server->in, 0);
}

void
conn_wake(struct conn *conn)
{
	wait_end(conn);
	resume(conn);
}

static bool
wants_to_read(const struct conn *conn)
{
	switch ((enum conn_state)conn->state) {
	case CONN_IDLE:
	case CONN_HEADER:
	case CONN_BODY:
	case CONN_UPGRADED:
	case CONN_LINGERING:
		return conn->output.bytes == NULL && conn->input.bytes == NULL;
	case CONN_READY:
	case CONN_WAITING: /* the handler goes on without its client, as in aiohttp */
	case CONN_ANSWERED:
	case CONN_CLOSED:
		break;
	}
	return false;
}

/*
 * reads_on tells whether to read again after a read that took less than there was
 * room for.  Then the socket is empty: the end, urgent data, and Unix sockets with passed descriptors
 * are the exceptions, for which there is `greedy`.  A request that is not whole is
 * looked after at no cost worth counting.
 */
static bool
reads_on(const struct conn *conn)
{
	return wants_to_read(conn) &&
	       (conn->greedy || conn->state == CONN_BODY || (conn->state == CONN_HEADER && !is_idle(conn)));
}

/* read_once reads what there is, and goes on as far as that goes. Returns whether there may be more to read now. */
static bool
read_once(struct conn *conn)
{
	struct server *server = conn->server;
	ssize_t got = recv(conn->fd, server->in, SERVER_IN_SIZE, 0);
	bool told = conn->readable;

	conn->readable = got == SERVER_IN_SIZE;
	if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
		/* The peer is done or dead, and what it began can never become whole. */
		conn_close(conn);
		return false;
	}
	if (got < 0) {
		/* Where the poller said otherwise, it is asked once more: it would not say so again. */
		conn->readable = told;
		conn_watch_read(conn);
		conn->readable = false;
		return false;
	}
	metrics_add(&server->metrics->received_bytes, (uint64_t)got);
	if (conn->state != CONN_LINGERING)
		run(conn, server->in, (size_t)got);
	else
		conn_watch_read(conn);
	/* After a full read others have their turn: conn_watch_read has seen to the next one. */
	return got < SERVER_IN_SIZE && reads_on(conn);
}

void
conn_read(struct conn *conn)
{
	bool more = true;

	for (int i = 0; i < READS_MAX && more; i++)
		more = read_once(conn);
	if (conn->state == CONN_CLOSED)
		return;
	conn->readable = conn->readable || more || (conn->greedy && !wants_to_read(conn));
	if (more)
		conn_watch_read(conn);
}

static void
on_writable(struct conn *conn)
{
	struct conn_bytes *output = &conn->output;
	ssize_t sent = conn_send(conn, output->bytes + output->at, output->len - output->at);

	if (sent <= 0)
		return;
	output->at += (uint32_t)sent;
	if (output->at < output->len) {
		conn_prolong(conn, conn->server->config.drain_timeout_ns, (size_t)sent);
		return;
	}
	conn_drop_bytes(output);
	resume(conn);
}

void
conn_on_events(void *what, uint32_t events)
{
	struct conn *conn = what;

	server_begin_round(conn->server);
	if ((events & ~(uint32_t)EPOLLOUT) != 0)
		conn->readable = true;
	if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI)) != 0)
		conn->greedy = true;
	if (conn->output.bytes != NULL) {
		if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0)
			on_writable(conn);
	} else if (conn->state == CONN_UPGRADED && conn->input.bytes != NULL) {
		resume(conn); /* conn_watch_soon: its next turn */
	} else if (conn->readable && wants_to_read(conn)) {
		conn_read(conn);
	}
}

/* give_up ends a connection whose time is over: with an answer where one can be given. */
static void
give_up(struct conn *conn)
{
	metrics_add(&conn->server->metrics->timeouts, 1);
	if (conn->output.bytes == NULL && !is_idle(conn) && (conn->state == CONN_HEADER || conn->state == CONN_BODY)) {
		handler_refuse(conn, 408, NULL);
		conn_flush(conn);
		settle(conn, 0);
		return;
	}
	conn_close(conn);
}

void
conn_on_deadline(struct deadline *deadline)
{
	struct conn *conn = CONTAINER_OF(deadline, struct conn, deadline);

	if (conn->state == CONN_WAITING) {
		if (wait_is_over(conn))
			conn_wake(conn);
		return;
	}
	/* It may be the loop that was late (it can have been blocked for long), and not the peer: look once more. */
	if (conn->output.bytes != NULL)
		on_writable(conn);
	else if (conn->state <= CONN_BODY || (conn->state == CONN_UPGRADED && conn->input.bytes == NULL))
		conn_read(conn);
	if (conn->state == CONN_CLOSED || deadline_is_queued(deadline) || conn->in_pool)
		return;
	if (conn->state == CONN_UPGRADED && conn->output.bytes == NULL && ws_ping(conn))
		return;
	give_up(conn);
}

void
conn_stop(struct conn *conn)
{
	if (conn->state == CONN_LINGERING)
		set_linger_deadline(conn);
	if (conn->state == CONN_UPGRADED)
		ws_stop(conn);
	if (!is_idle(conn) || conn->output.bytes != NULL)
		return;
	/* Bytes that have arrived are a request that must not be lost. */
	conn_read(conn);
	if (!is_idle(conn))
		return;
	if (conn->served)
		conn_close(conn);
	else
		conn_set_deadline(conn, CONN_STOP_GRACE_NS);
}
