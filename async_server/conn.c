/* One connection: opened, watched, written to and closed. */
#include "async_server/conn.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "async_server/conn_run.h"
#include "async_server/handler.h"
#include "async_server/server.h"
#include "async_server/wait.h"
#include "async_server/ws.h"
#include "common/clock.h"
#include "common/listener.h"

#define PEER_MAX 64

static void
watch(struct conn *conn, enum conn_watch what)
{
	uint32_t events = EPOLLIN | EPOLLPRI | EPOLLRDHUP | (what == CONN_WATCH_WRITE ? EPOLLOUT : 0);
	bool added = conn->watch != CONN_WATCH_NONE;

	conn->watch = (uint8_t)what;
	if (poller_watch(&conn->server->poller, conn->fd, added, events, conn) != 0)
		conn_close(conn);
}

void
conn_watch_read(struct conn *conn)
{
	/* What is left from before is no new event: watching again makes it one. */
	if (conn->watch != CONN_WATCH_READ || conn->readable)
		watch(conn, CONN_WATCH_READ);
}

void
conn_watch_write(struct conn *conn)
{
	if (conn->watch != CONN_WATCH_WRITE)
		watch(conn, CONN_WATCH_WRITE);
}

void
conn_watch_soon(struct conn *conn)
{
	watch(conn, CONN_WATCH_WRITE); /* there is room now */
}

void
conn_watch_asleep(struct conn *conn)
{
	if (conn->watch == CONN_WATCH_NONE)
		watch(conn, CONN_WATCH_READ);
}

void
conn_set_deadline(struct conn *conn, uint64_t timeout_ns)
{
	deadline_set(&conn->server->deadlines, &conn->deadline, server_now_ns(conn->server) + timeout_ns);
}

void
conn_begin_limit(struct conn *conn, enum conn_limit limit, uint64_t timeout_ns)
{
	conn->limit = (uint8_t)limit;
	conn_set_deadline(conn, timeout_ns);
}

void
conn_prolong(struct conn *conn, uint64_t timeout_ns, size_t bytes)
{
	struct server *server = conn->server;
	uint64_t min_rate = (uint64_t)server->config.min_rate;
	uint64_t now_ns = server_now_ns(server);
	uint64_t due_ns = now_ns + timeout_ns;

	if (min_rate > 0) {
		/* One that is over already is so because the loop was late, which the peer does not pay for. */
		uint64_t begin_ns = conn->deadline.due_ns > now_ns ? conn->deadline.due_ns : now_ns;
		uint64_t earned_ns = begin_ns + bytes * NS_PER_SEC / min_rate;

		if (earned_ns < due_ns)
			due_ns = earned_ns;
	}
	deadline_set(&server->deadlines, &conn->deadline, due_ns);
}

void
conn_drop_bytes(struct conn_bytes *bytes)
{
	free(bytes->bytes);
	*bytes = (struct conn_bytes){0};
}

bool
conn_keep_bytes(struct conn_bytes *bytes, const char *data, size_t len)
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

void
conn_let_go(struct conn *conn)
{
	if (--conn->holds > 0)
		return;
	free(conn->peer);
	free(conn);
}

struct conn *
conn_open(struct server *server, int fd, bool is_unix)
{
	struct conn *conn = calloc(1, sizeof(*conn));
	char peer[PEER_MAX];

	if (conn == NULL) {
		close(fd);
		return NULL;
	}
	conn->holds = 1;
	conn->server = server;
	conn->fd = fd;
	conn->greedy = is_unix;
	conn->deadline.expire = conn_on_deadline;
	if (server->access_log != NULL)
		conn->peer = strdup(listener_peer_name(fd, peer, sizeof(peer)));
	conn->next = server->conns;
	conn->link = &server->conns;
	if (conn->next != NULL)
		conn->next->link = &conn->next;
	server->conns = conn;
	server->connections++;
	metrics_add(&server->metrics->connections_accepted, 1);
	conn_begin_limit(
	    conn, CONN_LIMIT_IDLE, server->stopping ? CONN_STOP_GRACE_NS : server->config.header_timeout_ns);
	return conn;
}

void
conn_give_exchange(struct conn *conn)
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
		wait_count_end(conn);
	if (conn->in_pool)
		pool_cancel(&server->pool, &conn->exchange->job);
	conn->state = CONN_CLOSED;
	if (conn->ws != NULL)
		ws_end(conn);
	handler_abandon(conn);
	conn_give_exchange(conn);
	conn_drop_bytes(&conn->input);
	conn_drop_bytes(&conn->output);
	deadline_remove(&conn->deadline);
	*conn->link = conn->next;
	if (conn->next != NULL)
		conn->next->link = conn->link;
	close(conn->fd);
	/* The callers on the stack still look at it. */
	conn->next = server->closed;
	server->closed = conn;
	server->connections--;
	metrics_add(&server->metrics->connections_closed, 1);
	server_has_room(server);
}

ssize_t
conn_send(struct conn *conn, const char *data, size_t len)
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
	sent = conn_send(conn, server->out, len);
	if (sent < 0 || (size_t)sent == len)
		return;
	if (!conn_keep_bytes(&conn->output, server->out + sent, len - (size_t)sent)) {
		conn_close(conn);
		return;
	}
	conn_begin_limit(conn, CONN_LIMIT_DRAIN, server->config.drain_timeout_ns);
}
