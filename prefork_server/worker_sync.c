/* The sync worker: accepts one connection, serves it to its end, and only then looks for the next. */
#include "prefork_server/worker_sync.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/access_log.h"
#include "common/clock.h"
#include "common/listener.h"
#include "common/log.h"
#include "common/metrics.h"
#include "prefork_server/exchange.h"
#include "prefork_server/signals.h"

#define PAUSE_MS 100 /* after accept ran out of a resource */

/*
 * Idle workers wait in a blocking accept(2): a connection wakes one of them,
 * not all as poll(2) would, and costs no system call but the accept itself.
 * (epoll with EPOLLEXCLUSIVE wakes one too, but needs five calls where this is one.)
 * SO_RCVTIMEO ends the wait in time for the next heartbeat.
 */
static int
prepare(const struct listeners *listeners, const struct config *config)
{
	int listen_fd = listeners->fds[0];
	int beat_ms = worker_beat_ms(config);
	struct timeval beat = {.tv_sec = beat_ms / 1000, .tv_usec = beat_ms % 1000 * 1000};
	int flags = fcntl(listen_fd, F_GETFL);

	if (flags < 0 || fcntl(listen_fd, F_SETFL, flags & ~O_NONBLOCK) != 0 ||
	    setsockopt(listen_fd, SOL_SOCKET, SO_RCVTIMEO, &beat, sizeof(beat)) != 0)
		return -errno;
	return 0;
}

/* pause_accepting: the connections wait in the backlog, none is lost. Said once an episode. */
static void
pause_accepting(struct worker *worker, int error, bool *paused)
{
	if (!*paused) {
		log_error(
		    "Cannot accept: %s; trying again every %d ms (raise `ulimit -n`?)", strerror(-error), PAUSE_MS);
		metrics_add(&worker->metrics->accept_pauses, 1);
		*paused = true;
	}
	signals_wait_begin();
	(void)poll(NULL, 0, PAUSE_MS);
	signals_wait_end();
}

/* flush_if_idle writes the access log before a wait, and lets it gather lines while connections follow each other. */
static void
flush_if_idle(struct worker *worker)
{
	struct pollfd poller = {.fd = worker->listeners->fds[0], .events = POLLIN};

	if (worker->access_log != NULL && poll(&poller, 1, 0) == 0)
		access_log_flush(worker->access_log);
}

/* accept_next waits for a connection. Returns it, -EAGAIN when it is time to beat, -ENOTSOCK after TERM, or -errno. */
static int
accept_next(struct worker *worker)
{
	int fd;

	flush_if_idle(worker);
	signals_wait_begin();
	fd = listener_accept(worker->listeners->fds[0], true);
	signals_wait_end();
	return fd;
}

static void
serve(struct worker *worker, struct exchange *exchange)
{
	bool paused = false;

	while (worker_is_alive(worker)) {
		int fd;

		heartbeat_beat(worker->heartbeat);
		fd = accept_next(worker);
		if (fd >= 0) {
			paused = false;
			exchange_serve(exchange, fd);
		} else if (fd == -EAGAIN) {
			if (!worker_has_parent(worker))
				return;
		} else if (!signals_term()) {
			pause_accepting(worker, fd, &paused);
		}
	}
}

/* serve_last: nobody comes after this worker, so it serves its share of those who wait at QUEUE_FD already. */
static void
serve_last(struct worker *worker, struct exchange *exchange, int queue_fd)
{
	for (unsigned left = worker_last_share(worker, queue_fd); left > 0; left--) {
		int fd;

		heartbeat_beat(worker->heartbeat);
		fd = listener_accept(queue_fd, true);
		if (fd < 0)
			return;
		exchange_serve(exchange, fd);
	}
}

static int
run(struct worker *worker)
{
	/* Too large for a stack, and there is one in a process. */
	static struct exchange exchange;
	/* TERM takes the listening socket away. */
	int queue_fd = fcntl(worker->listeners->fds[0], F_DUPFD_CLOEXEC, 0);
	int error;

	if (queue_fd < 0)
		return -errno;
	error = signals_break_on_term(worker->listeners->fds[0]);
	if (error == 0)
		error = exchange_init(&exchange, worker);
	if (error == 0) {
		lane_enter(worker->lane, LANE_IDLE, clock_now_ns());
		serve(worker, &exchange);
		serve_last(worker, &exchange, queue_fd);
		exchange_deinit(&exchange);
	}
	close(queue_fd);
	return error;
}

const struct worker_class worker_sync = {.name = "sync", .prepare = prepare, .run = run};
