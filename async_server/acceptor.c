/* Accepting connections: as many as there is room for, and none lost when there is not. */
#include "async_server/acceptor.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "async_server/conn.h"
#include "async_server/conn_run.h"
#include "async_server/server.h"
#include "common/clock.h"
#include "common/listener.h"
#include "common/log.h"

/* A burst is accepted in portions, so that those who are connected get their turn. */
#define BATCH 64
#define RETRY_NS (100 * NS_PER_MS)

static void on_connection(uv_poll_t *poll, int status, int events);

/*
 * limit_left counts those who wait now, when there is no room for them:
 * others come while they are served.  Of a listening socket, tcpi_unacked is
 * the length of its queue; a Unix socket does not tell, and keeps the
 * limit it has.
 */
static void
limit_left(struct acceptor *acceptor)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	if (getsockopt(acceptor->fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 && info.tcpi_unacked < acceptor->left)
		acceptor->left = info.tcpi_unacked;
}

static void
pause_accepting(struct acceptor *acceptor)
{
	acceptor->paused = true;
	uv_poll_stop(&acceptor->poll);
	if (acceptor->ending)
		limit_left(acceptor);
}

static void
resume_accepting(struct acceptor *acceptor)
{
	deadline_remove(&acceptor->retry);
	acceptor->paused = false;
	uv_poll_start(&acceptor->poll, UV_READABLE, on_connection);
	acceptor->server->libuv_waits = true;
}

/* pause_full waits for a connection to close, as --max-connections wants it. */
static void
pause_full(struct acceptor *acceptor)
{
	const struct config *config = &acceptor->server->config;

	if (!acceptor->told)
		log_warning("At --max-connections %lld%s: the next ones wait until one closes",
		    (long long)config->max_connections, config->loops > 1 ? ", this loop's share" : "");
	acceptor->told = true;
	pause_accepting(acceptor);
}

/* pause_failed tries again after a while, or as soon as a connection closes. The connection waits in the backlog. */
static void
pause_failed(struct acceptor *acceptor, int error)
{
	struct server *server = acceptor->server;

	if (!acceptor->told) {
		metrics_add(&server->metrics->accept_pauses, 1);
		log_error("Cannot accept: %s; trying again every 0.1 s (%zu connections are open%s)", strerror(-error),
		    server->connections, listener_is_exhausted(error) ? "; is ulimit -n too low?" : "");
	}
	acceptor->told = true;
	pause_accepting(acceptor);
	deadline_set(&server->deadlines, &acceptor->retry, clock_now_ns() + RETRY_NS);
}

static bool
is_full(const struct server *server)
{
	int64_t max = server->config.max_connections;

	return max > 0 && server->connections >= (size_t)max;
}

/* accept_one accepts one connection. Returns false when there is none, or none that can be accepted now. */
static bool
accept_one(struct acceptor *acceptor)
{
	struct conn *conn;
	int fd;

	if (is_full(acceptor->server)) {
		pause_full(acceptor);
		return false;
	}
	fd = listener_accept(acceptor->fd, true);
	if (fd == -EAGAIN) {
		acceptor->told = false;
		return false;
	}
	if (fd < 0) {
		pause_failed(acceptor, fd);
		return false;
	}
	conn = conn_open(acceptor->server, fd, acceptor->is_unix);
	/* The request is mostly there already: a round of the loop later it would wait for the whole burst. */
	if (conn != NULL && acceptor->ending)
		conn_watch_read(conn);
	else if (conn != NULL)
		conn_read(conn);
	return true;
}

/* accept_some accepts a portion. One whose handler blocked the loop is the last of it: everybody else has waited. */
static void
accept_some(struct acceptor *acceptor)
{
	const struct server *server = acceptor->server;
	uint64_t round_ns = server_now_ns(server);

	for (int i = 0; i < BATCH && server_now_ns(server) == round_ns; i++)
		if (!accept_one(acceptor))
			return;
}

/* accept_last accepts those who are left, as there is room; then nobody any more. */
static void
accept_last(struct acceptor *acceptor)
{
	while (acceptor->left > 0 && accept_one(acceptor))
		acceptor->left--;
	if (!acceptor->paused || acceptor->left == 0)
		acceptor_close(acceptor);
}

static void
on_connection(uv_poll_t *poll, int status, int events)
{
	struct acceptor *acceptor = poll->data;

	(void)events;
	server_begin_round(acceptor->server);
	if (status < 0)
		pause_failed(acceptor, status);
	else if (acceptor->ending)
		accept_last(acceptor);
	else
		accept_some(acceptor);
}

static void
on_retry(struct deadline *deadline)
{
	struct acceptor *acceptor = CONTAINER_OF(deadline, struct acceptor, retry);

	resume_accepting(acceptor);
}

int
acceptor_init(struct acceptor *acceptor, struct server *server, int fd, bool owned)
{
	int error;

	*acceptor = (struct acceptor){.server = server, .fd = fd, .owned = owned, .retry.expire = on_retry};
	error = uv_poll_init(&server->loop, &acceptor->poll, fd);
	if (error != 0) {
		acceptor->fd = -1;
		return error;
	}
	acceptor->poll.data = acceptor;
	acceptor->is_unix = listener_family(fd) == AF_UNIX;
	return uv_poll_start(&acceptor->poll, UV_READABLE, on_connection);
}

void
acceptor_room(struct acceptor *acceptor)
{
	if (acceptor->paused && acceptor->fd >= 0)
		resume_accepting(acceptor);
}

void
acceptor_finish(struct acceptor *acceptor)
{
	if (!acceptor->ending) {
		acceptor->ending = true;
		acceptor->left = (size_t)acceptor->server->config.backlog + 1; /* as many as the queue may hold */
		if (acceptor->paused)
			limit_left(acceptor);
	}
	if (acceptor->fd >= 0 && !acceptor->paused)
		accept_last(acceptor);
}

void
acceptor_close(struct acceptor *acceptor)
{
	if (acceptor->fd < 0)
		return;
	deadline_remove(&acceptor->retry);
	uv_close((uv_handle_t *)&acceptor->poll, NULL);
	if (acceptor->owned)
		listener_close(acceptor->fd);
	else
		close(acceptor->fd);
	acceptor->fd = -1;
}
