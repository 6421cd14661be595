/* What the main thread of a gthread worker does, while the others serve: ends waits that are over, watches the threads. */
#include "prefork_server/pool_keeper.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "common/access_log.h"
#include "common/clock.h"
#include "common/listener.h"
#include "common/log.h"
#include "common/metrics.h"
#include "prefork_server/exchange_rest.h"
#include "prefork_server/heartbeat.h"
#include "prefork_server/pool_thread.h"

/* How long a connection waits on whose bytes no thread has had the time for. */
#define UNREAD_NS NS_PER_SEC

int
pool_keeper_init(struct pool_keeper *keeper, struct pool *pool)
{
	int error;

	keeper->pool = pool;
	keeper->beat_ns = clock_now_ns();
	error = pool_thread_see(&keeper->worker, pool->worker, (unsigned)pool->worker->config->threads);
	if (error != 0)
		return error;
	error = exchange_init(&keeper->exchange, &keeper->worker);
	if (error != 0)
		access_log_free(keeper->worker.access_log);
	return error;
}

void
pool_keeper_deinit(struct pool_keeper *keeper)
{
	exchange_deinit(&keeper->exchange);
	access_log_free(keeper->worker.access_log);
}

static void
close_conn(struct pool_keeper *keeper, struct conn *conn)
{
	if (conn->rest != NULL)
		exchange_forget(conn->rest);
	pool_hang_up(conn);
	client_close(&keeper->exchange.client, 0);
	metrics_add(&keeper->worker.metrics->connections_closed, 1);
	pool_give(keeper->pool, conn);
}

/*
 * park lets CONN wait until DUE_NS.  What came while it was the keeper's makes
 * an event again, when it comes into the set anew.
 */
static void
park(struct pool_keeper *keeper, struct conn *conn, uint64_t due_ns)
{
	struct pool *pool = keeper->pool;
	struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET};
	int fd = conn->fd;

	(void)epoll_ctl(pool->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	conn_park_anew(conn, due_ns);
	event.data.u64 = conn_key(&pool->table, conn);
	if (epoll_ctl(pool->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0)
		return;
	log_error("Cannot wait for a connection, which is closed: %s", strerror(errno));
	/* No event can have had that key, so it is still there. */
	if (conn_table_seize(&pool->table, (uint32_t)(conn - pool->table.conns), UINT64_MAX) != NULL)
		close_conn(keeper, conn);
}

/* refuse answers 408, as far as that can be done without waiting. */
static void
refuse(struct pool_keeper *keeper, struct conn *conn, uint64_t now_ns)
{
	struct exchange *exchange = &keeper->exchange;
	enum exchange_end end;

	if (conn->rest != NULL)
		exchange_take_up(exchange, conn->rest);
	conn->rest = NULL;
	exchange->client.expires_ns = now_ns;
	end = exchange_expire(exchange);
	lane_enter(keeper->worker.lane, LANE_NONE, now_ns);
	if (end == EXCHANGE_LINGER && client_end(&exchange->client)) {
		conn->wait = CONN_END;
		park(keeper, conn, now_ns + CLIENT_LINGER_MS * NS_PER_MS);
	} else {
		close_conn(keeper, conn);
	}
}

/* expire ends the wait of CONN, which is the keeper's. */
static void
expire(struct pool_keeper *keeper, struct conn *conn, uint64_t limit_ns)
{
	uint64_t now_ns = clock_now_ns();
	uint64_t due_ns = atomic_load_explicit(&conn->due_ns, memory_order_relaxed);

	exchange_attach(&keeper->exchange, conn->fd, conn->since_ns);
	if (due_ns > limit_ns)
		park(keeper, conn, due_ns);
	else if (conn->wait == CONN_END)
		close_conn(keeper, conn);
	else if (client_has_unread(&keeper->exchange.client))
		park(keeper, conn, now_ns + UNREAD_NS);
	else if (conn->wait == CONN_IDLE)
		close_conn(keeper, conn);
	else
		refuse(keeper, conn, now_ns);
}

void
pool_keeper_expire(struct pool_keeper *keeper, uint64_t now_ns)
{
	struct conn_table *table = &keeper->pool->table;
	uint32_t reached = conn_table_reached(table);

	for (uint32_t i = 0; i < reached; i++) {
		struct conn *conn = conn_table_seize(table, i, now_ns);

		if (conn != NULL)
			expire(keeper, conn, now_ns);
	}
	access_log_flush(keeper->worker.access_log);
}

/* name says what thread NUMBER is busy with. */
static void
name(const struct pool_thread *thread, unsigned number, uint64_t now_ns, uint64_t busy_ns)
{
	struct lane_view view;
	char shown[4 * LANE_REQUEST_MAX + 1] = "?";
	char peer[64];

	lane_look(thread->worker.lane, &view, now_ns);
	if (view.has_request)
		log_escape(shown, sizeof(shown), view.request, view.request_len);
	log_error("Thread %u has been busy for %.1f s with \"%s\" from %s (--timeout)", number,
	    (double)(now_ns - busy_ns) / (double)NS_PER_SEC, shown,
	    listener_peer_name(atomic_load_explicit(&thread->fd, memory_order_relaxed), peer, sizeof(peer)));
}

/* looks_alive tells whether THREAD is free, or has begun something since the last beat; and names what takes too long. */
static bool
looks_alive(const struct pool_keeper *keeper, struct pool_thread *thread, unsigned number, uint64_t now_ns)
{
	uint64_t timeout_ns = keeper->worker.config->timeout_ns;
	uint64_t busy_ns = atomic_load_explicit(&thread->busy_ns, memory_order_acquire);

	if (busy_ns == 0 || busy_ns >= now_ns)
		return true;
	if (timeout_ns > 0 && now_ns - busy_ns > timeout_ns && thread->named_ns != busy_ns) {
		name(thread, number, now_ns, busy_ns);
		thread->named_ns = busy_ns;
	}
	return busy_ns >= keeper->beat_ns;
}

void
pool_keeper_watch(struct pool_keeper *keeper, uint64_t now_ns)
{
	struct pool *pool = keeper->pool;
	bool alive = false;

	for (unsigned i = 0; i < pool->count; i++)
		alive |= looks_alive(keeper, &pool->threads[i], i, now_ns);
	if (!alive)
		return;
	heartbeat_beat(keeper->worker.heartbeat);
	keeper->beat_ns = now_ns;
}
