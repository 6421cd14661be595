/* The sync worker: accepts one connection, serves it to its end, and only then looks for the next. */
#include "prefork_server/worker_sync.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/access_log.h"
#include "common/listener.h"
#include "common/log.h"
#include "common/metrics.h"
#include "prefork_server/exchange.h"
#include "prefork_server/signals.h"

#define PAUSE_MS 100 /* after accept ran out of a resource */

/*
 * open_waiter makes the epoll that the worker waits with.  EPOLLEXCLUSIVE
 * (Linux 4.5): a connection wakes one of the idle workers, not all of them as
 * poll(2) would.  A blocking accept does that too, but cannot let a signal in and wait in one step.
 */
static int
open_waiter(int listen_fd)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE};
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	int error;

	if (epoll_fd < 0)
		return -errno;
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listen_fd, &event) == 0)
		return epoll_fd;
	error = -errno;
	close(epoll_fd);
	return error;
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

static void
serve(struct worker *worker, struct exchange *exchange, int epoll_fd)
{
	int beat_ms = worker_beat_ms(worker);
	bool paused = false;

	while (worker_is_alive(worker)) {
		int fd;

		heartbeat_beat(worker->heartbeat);
		/* Until nobody waits: an idle wait for every connection would cost a system call each. */
		fd = listener_accept(worker->listen_fd, true);
		if (fd >= 0) {
			paused = false;
			exchange_serve(exchange, fd);
		} else if (fd == -EAGAIN) {
			if (!worker_has_parent(worker))
				return;
			access_log_flush(worker->access_log);
			signals_idle(epoll_fd, beat_ms);
		} else {
			pause_accepting(worker, fd, &paused);
		}
	}
}

/* serve_last: nobody comes after this worker, so it serves its share of those who already wait. */
static void
serve_last(struct worker *worker, struct exchange *exchange)
{
	for (unsigned left = worker_last_share(worker); left > 0; left--) {
		int fd;

		heartbeat_beat(worker->heartbeat);
		fd = listener_accept(worker->listen_fd, true);
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
	int epoll_fd, error;

	epoll_fd = open_waiter(worker->listen_fd);
	if (epoll_fd < 0)
		return epoll_fd;
	error = exchange_init(&exchange, worker);
	if (error == 0) {
		serve(worker, &exchange, epoll_fd);
		serve_last(worker, &exchange);
		exchange_deinit(&exchange);
	}
	close(epoll_fd);
	return error;
}

const struct worker_class worker_sync = {.name = "sync", .run = run};
