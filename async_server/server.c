/* One event loop and everything it serves: buffers, deadlines, connections, and its graceful end. */
#include "async_server/server.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
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
	uint64_t late_ns = 0;
	size_t most = portion(server), done = 0;

	(void)status;
	(void)events;
	server_begin_round(server);
	server->timer_fired = true;
	while (done < most && (deadline = deadline_queue_pop(&server->deadlines, now_ns)) != NULL) {
		done++;
		if (now_ns - deadline->due_ns > late_ns)
			late_ns = now_ns - deadline->due_ns;
		deadline->expire(deadline);
	}
	if (done > 0)
		atomic_store_explicit(&server->late_ns, late_ns, memory_order_relaxed);
}

void
server_note_slow(struct server *server, const char *what, uint64_t took_ns)
{
	if (took_ns < server->config.slow_callback_ns)
		return;
	metrics_add(&server->metrics->slow_callbacks, 1);
	log_warning("Executing <%s> took %.3f seconds", what, (double)took_ns / (double)NS_PER_SEC);
}

/* measure_round measures the round that is over: for so long nobody else was looked at. */
static void
measure_round(struct server *server)
{
	uint64_t begun_ns = atomic_load_explicit(&server->round_begun_ns, memory_order_relaxed);
	uint64_t took_ns;

	if (begun_ns == 0)
		return;
	took_ns = clock_now_ns() - begun_ns;
	atomic_store_explicit(&server->round_begun_ns, 0, memory_order_relaxed);
	atomic_store_explicit(&server->round_ns, took_ns, memory_order_relaxed);
	metrics_add(&server->busy_ns, took_ns);
	if (took_ns > atomic_load_explicit(&server->round_max_ns, memory_order_relaxed))
		atomic_store_explicit(&server->round_max_ns, took_ns, memory_order_relaxed);
	/* Blocking handlers were seen to by themselves; this finds what should not be there: a slow disk, a bug. */
	server_note_slow(server, "one round of the loop", took_ns - server->named_ns);
	server->named_ns = 0;
}

static void
end(struct server *server)
{
	server->ended = true;
	uv_close((uv_handle_t *)&server->timer, NULL);
	uv_close((uv_handle_t *)&server->notice, NULL);
	pool_end(&server->pool);
}

static void
for_each_acceptor(struct server *server, void (*function)(struct acceptor *))
{
	for (size_t i = 0; i < server->acceptors_count; i++)
		function(&server->acceptors[i]);
}

void
server_has_room(struct server *server)
{
	for_each_acceptor(server, acceptor_room);
}

static bool
accepts(const struct server *server)
{
	for (size_t i = 0; i < server->acceptors_count; i++)
		if (server->acceptors[i].fd >= 0)
			return true;
	return false;
}

/* free_closed frees the connections that this round has closed. */
static void
free_closed(struct server *server)
{
	struct conn *conn, *next;

	for (conn = server->closed; conn != NULL; conn = next) {
		next = conn->next;
		conn_let_go(conn);
	}
	server->closed = NULL;
}

/* end_round runs when all events of a round are done, and the loop is about to wait. */
static void
end_round(struct server *server)
{
	access_log_flush(server->access_log);
	measure_round(server);
	if (server->stopping)
		for_each_acceptor(server, acceptor_finish); /* those for whom connections that closed made room */
	free_closed(server);
	if (server->stopping && server->connections == 0 && server->jobs == 0 && !accepts(server))
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
	for_each_acceptor(server, acceptor_close);
	for_each_conn(server, conn_close);
}

static void
begin_stop(struct server *server)
{
	server->stopping = true;
	server->shutdown.expire = on_shutdown_timeout;
	deadline_set(&server->deadlines, &server->shutdown, atomic_load(&server->stop_due_ns));
	for_each_acceptor(server, acceptor_finish);
	for_each_conn(server, conn_stop); /* reads from those just accepted, too */
	if (server->connections > 0)
		log_info("Finishing %zu connections within %g s", server->connections,
		    (double)server->config.shutdown_timeout_ns / (double)NS_PER_SEC);
}

static void
take_over_next(struct server *server)
{
	bool has_next;
	int error;

	pthread_mutex_lock(&server->next_lock);
	has_next = server->has_next;
	if (has_next)
		server->config = server->next;
	server->has_next = false;
	pthread_mutex_unlock(&server->next_lock);
	if (!has_next)
		return;
	log_follow();
	server_has_room(server); /* if --max-connections is higher now */
	error = access_log_reopen(server->access_log);
	if (error != 0)
		log_error("Cannot open the access log again: %s; the old file stays in use", strerror(-error));
}

static void
on_notice(uv_poll_t *notice, int status, int events)
{
	struct server *server = notice->data;
	eventfd_t count;

	(void)status;
	(void)events;
	server_begin_round(server);
	(void)eventfd_read(server->notice_fd, &count);
	take_over_next(server);
	if (server_stop_asked(server) && !server->stopping)
		begin_stop(server);
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

/* have_files is for libuv, which makes three descriptors with the first loop, and aborts the process where it cannot. */
static int
have_files(void)
{
	int fds[3];
	int error = 0;

	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = eventfd(0, EFD_CLOEXEC);
		if (fds[i] < 0)
			error = -errno;
	}
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return error;
}

int
server_init(struct server *server, const struct config *config, struct settings *settings, struct metrics *metrics,
    struct access_log *access_log, int notice_fd)
{
	int error;

	server->config = *config;
	server->settings = settings;
	server->metrics = metrics;
	server->access_log = access_log;
	server->limits = limits;
	server->limits.wanted = access_log_wanted(access_log);
	server->exchanges.limits = &server->limits;
	server->timer_fd = -1;
	server->notice_fd = notice_fd;
	pthread_mutex_init(&server->next_lock, NULL);
	server->now_ns = clock_now_ns();
	deadline_queue_init(&server->deadlines, server->now_ns);
	error = have_files();
	if (error == 0)
		error = uv_loop_init(&server->loop);
	if (error == 0)
		error = open_timer(server);
	if (error == 0)
		error = poller_init(&server->poller, &server->loop, conn_on_events);
	if (error == 0)
		error = uv_poll_init(&server->loop, &server->notice, notice_fd);
	if (error == 0)
		error = uv_poll_start(&server->notice, UV_READABLE, on_notice);
	if (error == 0)
		error = pool_init(&server->pool, &server->loop, (size_t)config->threads, (size_t)config->pool_queue);
	server->notice.data = server;
	server->libuv_waits = true;
	return error;
}

int
server_listen(struct server *server, int listen_fd, bool owned)
{
	int error;

	assert(server->acceptors_count < SERVER_LISTENERS_MAX);
	error = acceptor_init(&server->acceptors[server->acceptors_count], server, listen_fd, owned);
	if (error == 0)
		server->acceptors_count++;
	return error;
}

bool
server_run_round(struct server *server, int timeout_ms)
{
	if (!server->ended)
		end_round(server); /* of what was done since the round before, at first of what server_listen did */
	if (server->ended) {
		uv_run(&server->loop, UV_RUN_DEFAULT); /* it closes its handles */
		return false;
	}
	if (server->libuv_waits) {
		server->libuv_waits = false;
		uv_run(&server->loop, UV_RUN_NOWAIT);
	} else {
		poller_wait(&server->poller, timeout_ms);
	}
	return true;
}

void
server_run(struct server *server)
{
	while (server_run_round(server, -1))
		;
}

void
server_stop(struct server *server)
{
	const struct config *config;

	pthread_mutex_lock(&server->next_lock);
	config = server->has_next ? &server->next : &server->config;
	atomic_store(&server->stop_due_ns, clock_now_ns() + config->shutdown_timeout_ns);
	pthread_mutex_unlock(&server->next_lock);
	(void)eventfd_write(server->notice_fd, 1);
}

void
server_configure(struct server *server, const struct config *config)
{
	pthread_mutex_lock(&server->next_lock);
	server->next = *config;
	server->has_next = true;
	pthread_mutex_unlock(&server->next_lock);
	(void)eventfd_write(server->notice_fd, 1);
}

void
server_deinit(struct server *server)
{
	close(server->timer_fd);
	poller_close(&server->poller);
	exchange_store_deinit(&server->exchanges);
	uv_loop_close(&server->loop);
	pthread_mutex_destroy(&server->next_lock);
}

uint64_t
server_lag_ns(const struct server *server)
{
	uint64_t begun_ns = atomic_load_explicit(&server->round_begun_ns, memory_order_relaxed);
	uint64_t last_ns = atomic_load_explicit(&server->round_ns, memory_order_relaxed);
	uint64_t now_ns = clock_now_ns();

	/* The round under way may have begun since the clock was read. */
	if (begun_ns != 0 && now_ns > begun_ns && now_ns - begun_ns > last_ns)
		return now_ns - begun_ns;
	return last_ns;
}
