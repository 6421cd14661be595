/* One event loop and everything it serves: buffers, deadlines, connections, and its graceful end. */
#include "async_server/server.h"

#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "async_server/conn_run.h"
#include "common/clock.h"
#include "common/log.h"

/* As aiohttp has them: 8190 bytes for the request line and for each field. */
static const struct http_limits limits = {
    .request_line = 8190,
    .field_size = 8190,
    .fields = 128,
    .header_size = 32768,
};

/*
 * Requests that began their sleep together end it together.  Answering them
 * all before anybody else is looked at would hold up those who come back at
 * once, and bind the burst together for ever: 40 at a time cost task 7 2 ms a
 * round.  So a round of the loop ends a portion of them, which grows with the
 * connections: of thousands, the last must not wait for hundreds of rounds.
 */
static size_t
portion(const struct server *server)
{
	return 16 + server->connections / 8;
}

/* set_timer has the loop woken when the next deadline is due; a system call only when that is sooner than before. */
static void
set_timer(struct server *server)
{
	uint64_t next_ns = deadline_queue_next(&server->deadlines);
	struct itimerspec when = {0};

	if (next_ns >= server->timer_ns && !server->timer_fired)
		return;
	/* on_timer left some for the next round: the timer that has fired is still readable. */
	if (next_ns == DEADLINE_AT_ONCE && server->timer_fired)
		return;
	/* Setting it also takes back that it has fired; all zero sets it to never. */
	if (next_ns != DEADLINE_NONE) {
		when.it_value.tv_sec = (time_t)(next_ns / NS_PER_SEC);
		when.it_value.tv_nsec = (long)(next_ns % NS_PER_SEC);
	}
	if (timerfd_settime(server->timer_fd, TFD_TIMER_ABSTIME, &when, NULL) != 0)
		return;
	server->timer_ns = next_ns;
	server->timer_fired = false;
}

static void
on_timer(uv_poll_t *timer, int status, int events)
{
	struct server *server = timer->data;
	struct deadline *deadline;
	uint64_t now_ns = clock_now_ns();
	uint64_t lag_ns = 0;
	size_t most = portion(server), done = 0;

	(void)status;
	(void)events;
	server->timer_fired = true;
	while (done < most && (deadline = deadline_queue_pop(&server->deadlines, now_ns)) != NULL) {
		done++;
		if (now_ns - deadline->due_ns > lag_ns)
			lag_ns = now_ns - deadline->due_ns;
		deadline->expire(deadline);
	}
	if (done == 0)
		return;
	atomic_store_explicit(&server->lag_ns, lag_ns, memory_order_relaxed);
	if (lag_ns > atomic_load_explicit(&server->lag_max_ns, memory_order_relaxed))
		atomic_store_explicit(&server->lag_max_ns, lag_ns, memory_order_relaxed);
}

void
server_note_slow(struct server *server, const char *what, uint64_t took_ns)
{
	if (took_ns < server->config->slow_callback_ns)
		return;
	metrics_add(&server->metrics->slow_callbacks, 1);
	log_warning("Executing <%s> took %.3f seconds", what, (double)took_ns / (double)NS_PER_SEC);
}

static void
end(struct server *server)
{
	server->ended = true;
	uv_close((uv_handle_t *)&server->timer, NULL);
	uv_close((uv_handle_t *)&server->check, NULL);
	uv_close((uv_handle_t *)&server->stop, NULL);
	pool_end(&server->pool);
}

/* on_check runs when all events of a round are done, and the loop is about to wait. */
static void
on_check(uv_check_t *check)
{
	struct server *server = check->data;

	access_log_flush(server->access_log);
	/* Blocking handlers were seen to by themselves; this finds what should not be there: a slow disk, a bug. */
	server_note_slow(server, "one round of the loop", clock_now_ns() - server_now_ns(server));
	if (server->stopping)
		acceptor_finish(&server->acceptor); /* those who still wait, as connections closed and made room */
	if (server->stopping && server->connections == 0 && server->jobs == 0 && server->acceptor.fd < 0)
		end(server);
	else
		set_timer(server);
}

/* for_each_conn calls FUNCTION for every open connection; it may close it. */
static void
for_each_conn(struct server *server, void (*function)(struct conn *))
{
	struct conn *conn, *next;

	for (conn = server->conns; conn != NULL; conn = next) {
		next = conn->next;
		function(conn);
	}
}

static void
on_shutdown_timeout(struct deadline *deadline)
{
	struct server *server = CONTAINER_OF(deadline, struct server, shutdown);

	log_warning("--shutdown-timeout is over: closing %zu connections", server->connections);
	acceptor_close(&server->acceptor);
	for_each_conn(server, conn_close);
}

static void
on_stop(uv_async_t *async)
{
	struct server *server = async->data;

	if (server->stopping)
		return;
	server->stopping = true;
	server->shutdown.expire = on_shutdown_timeout;
	deadline_set(&server->deadlines, &server->shutdown, atomic_load(&server->stop_due_ns));
	acceptor_finish(&server->acceptor);
	for_each_conn(server, conn_stop); /* reads from those just accepted, too */
	if (server->connections > 0)
		log_info("Finishing %zu connections within %g s", server->connections,
		    (double)server->config->shutdown_timeout_ns / (double)NS_PER_SEC);
}

static int
open_timer(struct server *server)
{
	int error;

	server->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (server->timer_fd < 0)
		return -errno;
	server->timer_ns = DEADLINE_NONE;
	error = uv_poll_init(&server->loop, &server->timer, server->timer_fd);
	if (error == 0)
		error = uv_poll_start(&server->timer, UV_READABLE, on_timer);
	server->timer.data = server;
	return error;
}

int
server_init(struct server *server, const struct config *config, struct settings *settings, struct metrics *metrics,
    struct access_log *access_log)
{
	int error;

	memset(server, 0, offsetof(struct server, in));
	server->config = config;
	server->settings = settings;
	server->metrics = metrics;
	server->access_log = access_log;
	server->limits = limits;
	server->limits.wanted = access_log_wanted(access_log);
	server->exchanges.limits = &server->limits;
	server->timer_fd = -1;
	deadline_queue_init(&server->deadlines, clock_now_ns());
	error = uv_loop_init(&server->loop);
	if (error == 0)
		error = open_timer(server);
	if (error == 0)
		error = uv_check_init(&server->loop, &server->check);
	if (error == 0)
		error = uv_check_start(&server->check, on_check);
	if (error == 0)
		error = uv_async_init(&server->loop, &server->stop, on_stop);
	if (error == 0)
		error = pool_init(&server->pool, &server->loop, (size_t)config->threads, SIZE_MAX);
	server->check.data = server;
	server->stop.data = server;
	return error;
}

int
server_listen(struct server *server, int listen_fd)
{
	const struct config *config = server->config;
	size_t room_max = config->max_connections > 0 ? (size_t)config->max_connections : SIZE_MAX;

	return acceptor_init(&server->acceptor, server, listen_fd, room_max);
}

void
server_run(struct server *server)
{
	uv_run(&server->loop, UV_RUN_DEFAULT);
}

void
server_stop(struct server *server)
{
	atomic_store(&server->stop_due_ns, clock_now_ns() + server->config->shutdown_timeout_ns);
	uv_async_send(&server->stop);
}

void
server_deinit(struct server *server)
{
	close(server->timer_fd);
	exchange_store_deinit(&server->exchanges);
	uv_loop_close(&server->loop);
}

size_t
server_write_metrics(const void *context, char *buf, size_t used, size_t size)
{
	const struct server *server = context;

	used = metrics_write_one(buf, used, size, "loopfork_loop_lag_seconds", "gauge",
	    "How late the loop was at its latest deadline.",
	    (double)atomic_load_explicit(&server->lag_ns, memory_order_relaxed) / (double)NS_PER_SEC);
	return metrics_write_one(buf, used, size, "loopfork_loop_lag_max_seconds", "gauge",
	    "How late the loop was at worst since it started.",
	    (double)atomic_load_explicit(&server->lag_max_ns, memory_order_relaxed) / (double)NS_PER_SEC);
}
