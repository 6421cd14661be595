/* One connection: reads, writes, time limits, and which of them it waits for. */
#include "async_server/conn.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "async_server/handler.h"
#include "async_server/server.h"
#include "common/clock.h"
#include "common/listener.h"

/* How long a graceful stop waits for the first byte of a connection that has just been made. */
#define STOP_GRACE_NS NS_PER_SEC

#define PEER_MAX 64

static void on_poll(uv_poll_t *poll, int status, int events);
static void on_deadline(struct deadline *deadline);
static void run(struct conn *conn, const char *data, size_t len);

/* watch waits for EVENTS from now on, 0 for none; the usual case, no change, costs nothing. */
static void
watch(struct conn *conn, int events)
{
	if (conn->events == events)
		return;
	conn->events = (uint8_t)events;
	if (events == 0)
		uv_poll_stop(&conn->poll);
	else
		uv_poll_start(&conn->poll, events, on_poll);
}

static void
set_deadline(struct conn *conn, uint64_t timeout_ns)
{
	deadline_set(&conn->server->deadlines, &conn->deadline, server_now_ns(conn->server) + timeout_ns);
}

static void
drop_bytes(struct conn_bytes *bytes)
{
	free(bytes->bytes);
	*bytes = (struct conn_bytes){0};
}

/* keep_bytes copies what cannot be dealt with now. Returns false when there is no memory. */
static bool
keep_bytes(struct conn_bytes *bytes, const char *data, size_t len)
{
	assert(bytes->bytes == NULL);
	bytes->bytes = malloc(len);
	if (bytes->bytes == NULL)
		return false;
	memcpy(bytes->bytes, data, len);
	bytes->len = (uint32_t)len;
	bytes->at = 0;
	return true;
}

static void
on_closed(uv_handle_t *handle)
{
	conn_let_go(handle->data);
}

void
conn_let_go(struct conn *conn)
{
	if (--conn->holds > 0)
		return;
	free(conn->peer);
	free(conn);
}

void
conn_open(struct server *server, int fd)
{
	struct conn *conn = calloc(1, sizeof(*conn));
	char peer[PEER_MAX];

	if (conn == NULL || uv_poll_init(&server->loop, &conn->poll, fd) != 0) {
		free(conn);
		close(fd);
		return;
	}
	conn->poll.data = conn;
	conn->holds = 1;
	conn->server = server;
	conn->fd = fd;
	conn->deadline.expire = on_deadline;
	if (server->access_log != NULL)
		conn->peer = strdup(listener_peer_name(fd, peer, sizeof(peer)));
	conn->next = server->conns;
	conn->link = &server->conns;
	if (conn->next != NULL)
		conn->next->link = &conn->next;
	server->conns = conn;
	server->connections++;
	metrics_add(&server->metrics->connections_accepted, 1);
	watch(conn, UV_READABLE);
	set_deadline(conn, server->stopping ? STOP_GRACE_NS : server->config->header_timeout_ns);
}

/* give_exchange returns the exchange to the store, when no pool thread is using it. */
static void
give_exchange(struct conn *conn)
{
	if (conn->exchange != NULL && !conn->in_pool)
		exchange_give(&conn->server->exchanges, conn->exchange);
	conn->exchange = NULL;
}

void
conn_close(struct conn *conn)
{
	struct server *server = conn->server;

	if (conn->state == CONN_CLOSED)
		return;
	if (conn->state == CONN_WAITING)
		metrics_add(&server->metrics->sleeps_ended, 1);
	if (conn->in_pool)
		pool_cancel(&server->pool, &conn->exchange->job);
	conn->state = CONN_CLOSED;
	handler_abandon(conn);
	give_exchange(conn);
	drop_bytes(&conn->input);
	drop_bytes(&conn->output);
	deadline_remove(&conn->deadline);
	*conn->link = conn->next;
	if (conn->next != NULL)
		conn->next->link = conn->link;
	uv_close((uv_handle_t *)&conn->poll, on_closed);
	close(conn->fd);
	server->connections--;
	metrics_add(&server->metrics->connections_closed, 1);
	acceptor_room(&server->acceptor);
}

/* send_some writes what the kernel takes. Returns how much, 0 when it is full, or -1 when the connection is dead and closed. */
static ssize_t
send_some(struct conn *conn, const char *data, size_t len)
{
	ssize_t sent;

	do {
		sent = send(conn->fd, data, len, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	if (sent < 0 && errno == EAGAIN)
		return 0;
	if (sent < 0) {
		conn_close(conn);
		return -1;
	}
	metrics_add(&conn->server->metrics->sent_bytes, (uint64_t)sent);
	return sent;
}

void
conn_flush(struct conn *conn)
{
	struct server *server = conn->server;
	size_t len = server->out_len;
	ssize_t sent;

	server->out_len = 0;
	if (len == 0 || conn->state == CONN_CLOSED)
		return;
	sent = send_some(conn, server->out, len);
	if (sent < 0 || (size_t)sent == len)
		return;
	if (!keep_bytes(&conn->output, server->out + sent, len - (size_t)sent)) {
		conn_close(conn);
		return;
	}
	set_deadline(conn, server->config->drain_timeout_ns);
}

static bool
is_reading(const struct conn *conn)
{
	return conn->state <= CONN_BODY && conn->output.bytes == NULL;
}

/* take feeds DATA to the request, and each request after it, while nothing has to be waited for. Returns how much it took. */
static size_t
take(struct conn *conn, const char *data, size_t len)
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
			conn->new_request = true;
		}
		event = http_request_read(&conn->exchange->request, data + done, len - done, &taken);
		done += taken;
		conn->more = done < len;
		if (event == HTTP_MORE)
			break;
		handler_event(conn, event);
	}
	return done;
}

/* keep_input keeps what take left of DATA for when the connection goes on. */
static void
keep_input(struct conn *conn, const char *data, size_t len)
{
	if (len > 0 && conn->state == CONN_ANSWERED)
		conn->linger = true;
	if (len == 0 || conn->state > CONN_WAITING)
		drop_bytes(&conn->input);
	else if (conn->input.bytes != NULL)
		conn->input.at = conn->input.len - (uint32_t)len;
	else if (!keep_bytes(&conn->input, data, len))
		conn_close(conn);
}

/* keep_request saves the request's fields when the buffer that they stand in is about to be used again. */
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

/* linger ends the sending side, and waits for the peer to end its own. */
static void
linger(struct conn *conn)
{
	/* Not watched any more while it slept: the peer has sent something, or has gone. */
	if (conn->events == 0)
		conn->linger = true;
	if (!conn->linger || shutdown(conn->fd, SHUT_WR) != 0) {
		conn_close(conn);
		return;
	}
	conn->state = CONN_LINGERING;
	give_exchange(conn);
	set_deadline(conn, conn->server->config->drain_timeout_ns);
	watch(conn, UV_READABLE);
}

/* settle_idle: the time limit differs before the first request. */
static void
settle_idle(struct conn *conn)
{
	const struct config *config = conn->server->config;

	give_exchange(conn);
	watch(conn, UV_READABLE);
	set_deadline(conn, conn->served ? config->keep_alive_ns : config->header_timeout_ns);
	if (conn->server->stopping && conn->served)
		conn_stop(conn);
}

/* settle decides what a connection that went as far as it could waits for now. */
static void
settle(struct conn *conn)
{
	const struct config *config = conn->server->config;

	keep_request(conn);
	if (conn->output.bytes != NULL) {
		watch(conn, UV_WRITABLE);
		return;
	}
	switch ((enum conn_state)conn->state) {
	case CONN_IDLE:
		settle_idle(conn);
		break;
	case CONN_HEADER:
		if (!http_request_started(&conn->exchange->request)) {
			conn->state = CONN_IDLE; /* only empty lines, as some old clients send after a body */
			settle_idle(conn);
			break;
		}
		/* From the first byte on, however many pieces follow. */
		if (conn->new_request)
			set_deadline(conn, config->header_timeout_ns);
		conn->new_request = false;
		watch(conn, UV_READABLE);
		break;
	case CONN_BODY:
		set_deadline(conn, config->body_timeout_ns);
		watch(conn, UV_READABLE);
		break;
	case CONN_ANSWERED:
		linger(conn);
		break;
	case CONN_READY:   /* only while output is left */
	case CONN_WAITING: /* stays watched: see on_readable */
	case CONN_LINGERING:
	case CONN_CLOSED:
		break;
	}
}

/* run takes a connection as far as it goes without waiting. DATA was just read, or is the rest of conn->input. */
static void
run(struct conn *conn, const char *data, size_t len)
{
	for (;;) {
		size_t taken = take(conn, data, len);

		data += taken;
		len -= taken;
		/* Before a sleep, what is ready leaves. */
		conn_flush(conn);
		if (conn->state != CONN_READY || conn->output.bytes != NULL)
			break;
		handler_wait(conn);
	}
	keep_input(conn, data, len);
	settle(conn);
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
	metrics_add(&conn->server->metrics->sleeps_ended, 1);
	handler_answer(conn);
	resume(conn);
}

/* read_some reads once and goes on. */
static void
read_some(struct conn *conn)
{
	struct server *server = conn->server;
	ssize_t got = recv(conn->fd, server->in, SERVER_IN_SIZE, 0);

	if (got > 0) {
		metrics_add(&server->metrics->received_bytes, (uint64_t)got);
		if (conn->state != CONN_LINGERING)
			run(conn, server->in, (size_t)got);
	} else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
		/* The peer is done or dead, and what it began can never become whole. */
		conn_close(conn);
	}
}

static void
on_readable(struct conn *conn)
{
	/* The next request waits in the kernel until this one has been answered; so does the news that the peer has gone. */
	if (conn->state == CONN_READY || conn->state == CONN_WAITING)
		watch(conn, 0);
	else
		read_some(conn);
}

static void
on_writable(struct conn *conn)
{
	struct conn_bytes *output = &conn->output;
	ssize_t sent = send_some(conn, output->bytes + output->at, output->len - output->at);

	if (sent <= 0)
		return;
	output->at += (uint32_t)sent;
	if (output->at < output->len) {
		set_deadline(conn, conn->server->config->drain_timeout_ns);
		return;
	}
	drop_bytes(output);
	resume(conn);
}

static void
on_poll(uv_poll_t *poll, int status, int events)
{
	struct conn *conn = poll->data;

	if (status < 0 && conn->state == CONN_WAITING)
		watch(conn, 0); /* the handler goes on without its client, as in aiohttp */
	else if (status < 0)
		conn_close(conn);
	else if (conn->output.bytes != NULL)
		on_writable(conn);
	else if ((events & UV_READABLE) != 0)
		on_readable(conn);
}

/* give_up ends a connection whose time is over: with an answer where one can be given. */
static void
give_up(struct conn *conn)
{
	metrics_add(&conn->server->metrics->timeouts, 1);
	if (conn->output.bytes == NULL && (conn->state == CONN_HEADER || conn->state == CONN_BODY)) {
		handler_refuse(conn, 408, NULL);
		conn_flush(conn);
		settle(conn);
		return;
	}
	conn_close(conn);
}

static void
on_deadline(struct deadline *deadline)
{
	struct conn *conn = CONTAINER_OF(deadline, struct conn, deadline);

	if (conn->state == CONN_WAITING) {
		conn_wake(conn);
		return;
	}
	/* It may be the loop that was late (it can have been blocked for long), and not the peer: look once more. */
	if (conn->output.bytes != NULL)
		on_writable(conn);
	else if (conn->state <= CONN_BODY)
		read_some(conn);
	if (conn->state != CONN_CLOSED && !deadline_is_queued(deadline) && !conn->in_pool)
		give_up(conn);
}

void
conn_stop(struct conn *conn)
{
	if (conn->state != CONN_IDLE || conn->output.bytes != NULL)
		return;
	/* Bytes that have arrived are a request that must not be lost. */
	read_some(conn);
	if (conn->state != CONN_IDLE)
		return;
	if (conn->served)
		conn_close(conn);
	else
		set_deadline(conn, STOP_GRACE_NS);
}
