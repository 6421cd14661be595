/* A thread of a gthread worker: waits with the others, serves what it gets, and waits again. */
#include "prefork_server/pool_thread.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "common/access_log.h"
#include "common/clock.h"
#include "common/listener.h"
#include "common/log.h"
#include "common/metrics.h"
#include "prefork_server/exchange_rest.h"
#include "prefork_server/pool_quit.h"

#define WAIT_MS 60000 /* at a time: what the kernel puts off until a thread returns (pool_hang_up) is done some time */

#define EPISODE_NS NS_PER_SEC /* in which no accept failed: the next failure is told again */

/*
 * keeps tells whether a connection may stay: not where the worker or the server ends, and
 * not where it would leave less than a slot a thread for those who come (gunicorn: max_keepalived).
 */
static bool
keeps(const void *keeper)
{
	const struct pool *pool = keeper;
	const struct config *config = pool->worker->config;

	return config->keep_alive_ns > 0 && !atomic_load_explicit(&pool->last, memory_order_relaxed) &&
	       !atomic_load_explicit(&pool->worker->notice->stopping, memory_order_relaxed) &&
	       conn_table_used(&pool->table) + config->threads <= config->worker_connections;
}

int
pool_thread_see(struct worker *seen, const struct worker *worker, unsigned number)
{
	*seen = *worker;
	seen->lane = &worker->lanes[number];
	seen->metrics = &worker->lanes[number].metrics;
	return access_log_share(&seen->access_log, worker->access_log);
}

int
pool_thread_init(struct pool_thread *thread, struct pool *pool, unsigned number)
{
	int error = pool_thread_see(&thread->worker, pool->worker, number);

	thread->pool = pool;
	if (error != 0)
		return error;
	error = exchange_init(&thread->exchange, &thread->worker);
	if (error != 0)
		access_log_free(thread->worker.access_log);
	thread->exchange.keeps = keeps;
	thread->exchange.keeper = pool;
	return error;
}

void
pool_thread_deinit(struct pool_thread *thread)
{
	exchange_deinit(&thread->exchange);
	access_log_free(thread->worker.access_log);
}

/* begin_request is for who watches this thread. */
static void
begin_request(struct pool_thread *thread, int fd, uint64_t now_ns)
{
	atomic_store_explicit(&thread->fd, fd, memory_order_relaxed);
	atomic_store_explicit(&thread->busy_ns, now_ns, memory_order_release);
}

/*
 * wait_for_more lets CONN wait: with what has come of a header put aside, or for
 * the first byte.  ANSWERED: a request before it was.  Returns false where there is no memory for that: then nothing has changed.
 */
static bool
wait_for_more(struct pool_thread *thread, struct conn *conn, bool answered, uint64_t *due_ns)
{
	const struct config *config = thread->worker.config;
	struct exchange *exchange = &thread->exchange;

	if (http_request_started(&exchange->request)) {
		conn->rest = exchange_put_aside(exchange);
		if (conn->rest == NULL)
			return false;
		conn->wait = CONN_HEADER;
		conn->since_ns = exchange->since_ns;
		*due_ns = conn->since_ns + config->header_timeout_ns;
		return true;
	}
	/* The parser may have seen empty lines. */
	http_request_reset(&exchange->request);
	if (conn->wait == CONN_FIRST)
		*due_ns = conn->since_ns + config->header_timeout_ns;
	else if (answered)
		*due_ns = exchange->since_ns + config->keep_alive_ns;
	else
		*due_ns = atomic_load_explicit(&conn->due_ns, memory_order_relaxed);
	return true;
}

/* wait_for_end ends our side. Returns whether the peer's is still to come. */
static bool
wait_for_end(struct pool_thread *thread, struct conn *conn, uint64_t *due_ns)
{
	conn->wait = CONN_END;
	*due_ns = clock_now_ns() + CLIENT_LINGER_MS * NS_PER_MS;
	return client_end(&thread->exchange.client) && client_drop(&thread->exchange.client, *due_ns);
}

/* starve answers 503 to a request that came in part. Returns whether the peer's end is still to come. */
static bool
starve(struct pool_thread *thread, struct conn *conn, uint64_t *due_ns)
{
	return exchange_starve(&thread->exchange) == EXCHANGE_LINGER && wait_for_end(thread, conn, due_ns);
}

/*
 * serve_what_came answers the requests that have come on CONN, to the last.
 * To know that there is no more, it reads once more only if the last read filled its
 * buffer, or READ_ON: the end of the peer's side makes no event of its own when it
 * comes together with bytes.  Returns false when the connection is to be closed, else until when it waits.
 */
static bool
serve_what_came(struct pool_thread *thread, struct conn *conn, bool read_on, uint64_t *due_ns)
{
	struct exchange *exchange = &thread->exchange;
	uint64_t now_ns = clock_now_ns();
	bool answered = false;

	if (conn->wait == CONN_IDLE)
		conn->since_ns = now_ns;
	exchange_attach(exchange, conn->fd, conn->since_ns);
	if (conn->wait == CONN_END) {
		*due_ns = atomic_load_explicit(&conn->due_ns, memory_order_relaxed);
		return client_drop(&exchange->client, *due_ns);
	}
	if (conn->rest != NULL)
		exchange_take_up(exchange, conn->rest);
	conn->rest = NULL;
	for (;;) {
		begin_request(thread, conn->fd, answered ? exchange->since_ns : now_ns);
		switch (exchange_next(exchange, CLIENT_NOW)) {
		case EXCHANGE_KEEP:
			conn->wait = CONN_IDLE;
			answered = true;
			if (read_on || exchange_has_more(exchange))
				continue;
			*due_ns = exchange->since_ns + thread->worker.config->keep_alive_ns;
			return true;
		case EXCHANGE_MORE:
			return wait_for_more(thread, conn, answered, due_ns) || starve(thread, conn, due_ns);
		case EXCHANGE_LINGER:
			return wait_for_end(thread, conn, due_ns);
		case EXCHANGE_CLOSE:
			return false;
		}
	}
}

/* add puts CONN into the epoll set, where it stays. Returns whether it could. */
static bool
add(struct pool_thread *thread, struct conn *conn)
{
	struct pool *pool = thread->pool;
	struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.u64 = conn_key(&pool->table, conn)};

	if (conn->added)
		return true;
	conn->added = epoll_ctl(pool->epoll_fd, EPOLL_CTL_ADD, conn->fd, &event) == 0;
	if (!conn->added)
		log_error("Cannot wait for a connection, which is closed: %s", strerror(errno));
	return conn->added;
}

/* give_up tells who has sent a part of a request, for the rest of which nobody can wait. */
static void
give_up(struct pool_thread *thread, struct conn *conn)
{
	if (conn->rest == NULL)
		return;
	exchange_take_up(&thread->exchange, conn->rest);
	conn->rest = NULL;
	(void)!exchange_starve(&thread->exchange);
}

static void
close_conn(struct pool_thread *thread, struct conn *conn)
{
	if (conn->rest != NULL)
		exchange_forget(conn->rest);
	pool_hang_up(conn);
	client_close(&thread->exchange.client, 0);
	metrics_add(&thread->worker.metrics->connections_closed, 1);
	pool_give(thread->pool, conn);
}

/* serve has CONN until it has nothing more to serve. */
static void
serve(struct pool_thread *thread, struct conn *conn, bool read_on)
{
	for (;;) {
		uint64_t due_ns;
		bool waits = serve_what_came(thread, conn, read_on, &due_ns);

		if (waits && !add(thread, conn)) {
			give_up(thread, conn);
			waits = false;
		}
		if (!waits) {
			close_conn(thread, conn);
			break;
		}
		if (conn_park(conn, due_ns))
			break;
		/* There was an event meanwhile, and nobody knows any more of what kind. */
		read_on = true;
	}
	atomic_store_explicit(&thread->unwritten, true, memory_order_relaxed);
	atomic_store_explicit(&thread->busy_ns, 0, memory_order_release);
	lane_enter(thread->worker.lane, LANE_IDLE, clock_now_ns());
}

/* pause_accepting: the connections wait in the backlog, none is lost. Said once an episode. */
static void
pause_accepting(struct pool_thread *thread, int error)
{
	struct pool *pool = thread->pool;

	if (error == -EINVAL) {
		/* The arbiter has ended the socket. */
		(void)gate_shut(&pool->gate, GATE_ENDED);
		return;
	}
	if (gate_shut(&pool->gate, GATE_PAUSED))
		pool_wake(pool);
	if (atomic_exchange(&pool->paused_ns, clock_now_ns()) != 0)
		return;
	log_error("Cannot accept: %s; trying again every %d ms (raise `ulimit -n`?)", strerror(-error), POOL_PAUSE_MS);
	metrics_add(&thread->worker.metrics->accept_pauses, 1);
}

/* end_pause: a connection was accepted. Others may fail at this moment: the episode ends a while after the last that did. */
static void
end_pause(struct pool *pool)
{
	uint64_t paused_ns = atomic_load_explicit(&pool->paused_ns, memory_order_relaxed);

	if (paused_ns != 0 && clock_now_ns() >= paused_ns + EPISODE_NS)
		(void)atomic_compare_exchange_strong(&pool->paused_ns, &paused_ns, 0);
}

/* accept_into accepts a connection from LISTEN_FD. Returns it, or -errno. */
static int
accept_into(struct pool_thread *thread, struct conn *conn, int listen_fd)
{
	struct pool *pool = thread->pool;

	/* Whoever sees a free slot knows that nobody accepts: see over() in worker_gthread.c. */
	if (atomic_load(&pool->no_more))
		return -EAGAIN;
	conn->fd = listener_accept(listen_fd, true);
	return conn->fd;
}

/* accept_one serves one connection of those that wait to be accepted at LISTEN_FD, if any still does. */
static void
accept_one(struct pool_thread *thread, int listen_fd)
{
	struct pool *pool = thread->pool;
	struct conn *conn = conn_table_take(&pool->table);
	int fd;

	if (conn == NULL || conn_table_used(&pool->table) >= pool->table.size)
		pool_check_gate(pool);
	if (conn == NULL)
		return;
	fd = accept_into(thread, conn, listen_fd);
	if (fd < 0) {
		pool_give(pool, conn);
		if (fd != -EAGAIN)
			pause_accepting(thread, fd);
		return;
	}
	end_pause(pool);
	if (atomic_load_explicit(&thread->worker.notice->workers, memory_order_relaxed) > 1)
		gate_go_last(&pool->gate);
	conn->since_ns = clock_now_ns();
	metrics_add(&thread->worker.metrics->connections_accepted, 1);
	serve(thread, conn, false);
}

/* wait_event waits for the next event, and writes the access log before it waits, but not between events. */
static bool
wait_event(struct pool_thread *thread, struct epoll_event *event)
{
	int epoll_fd = thread->pool->epoll_fd;

	if (atomic_load_explicit(&thread->unwritten, memory_order_relaxed)) {
		if (thread->worker.access_log != NULL && epoll_wait(epoll_fd, event, 1, 0) > 0)
			return true;
		access_log_flush(thread->worker.access_log);
		atomic_store_explicit(&thread->unwritten, false, memory_order_relaxed);
	}
	return epoll_wait(epoll_fd, event, 1, WAIT_MS) > 0;
}

void *
pool_thread_main(void *context)
{
	struct pool_thread *thread = context;
	struct pool *pool = thread->pool;
	struct epoll_event event;

	pool_quit_mine(thread);
	lane_enter(thread->worker.lane, LANE_IDLE, clock_now_ns());
	for (;;) {
		uint64_t key;
		struct conn *conn;

		if (atomic_load_explicit(&pool->quitting, memory_order_relaxed))
			pool_quit_here(thread);
		if (!wait_event(thread, &event))
			continue;
		key = event.data.u64;
		if (key == POOL_KEY_END)
			return NULL;
		if (key >= POOL_KEY_LISTENERS) {
			accept_one(thread, thread->worker.listeners->fds[key - POOL_KEY_LISTENERS]);
			continue;
		}
		conn = conn_table_wake(&pool->table, key);
		if (conn != NULL)
			serve(thread, conn, (event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0);
	}
}
