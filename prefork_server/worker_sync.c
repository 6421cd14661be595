/* The sync worker: accepts one connection, serves it to its end, and only then looks for the next. */
#include "prefork_server/worker_sync.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
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
#include "prefork_server/exchange_abort.h"
#include "prefork_server/signals.h"

#define PAUSE_MS 100 /* after accept ran out of a resource */

/*
 * With one listening socket, a worker waits in a blocking accept(2): a
 * connection wakes one of them, not all as poll(2) would, and costs no system call but the accept itself.
 * (epoll with EPOLLEXCLUSIVE wakes one too, but needs five calls where this is one.)
 * SO_RCVTIMEO ends the wait in time for the next heartbeat.  With several it is poll(2), for those whose turn it is.
 */
static int
prepare(const struct listeners *listeners, const struct config *config)
{
	int beat_ms = worker_beat_ms(config);
	struct timeval beat = {.tv_sec = beat_ms / 1000, .tv_usec = beat_ms % 1000 * 1000};

	for (size_t i = 0; i < listeners->count; i++) {
		int fd = listeners->fds[i];
		int flags = fcntl(fd, F_GETFL);

		if (flags >= 0)
			flags = listeners->count == 1 ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
		if (flags < 0 || fcntl(fd, F_SETFL, flags) != 0 ||
		    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &beat, sizeof(beat)) != 0)
			return -errno;
	}
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

/* accept_one_of takes a connection from the first listening socket that has one, beginning with another one each time. */
static int
accept_one_of(const struct worker *worker)
{
	static size_t next;
	struct pollfd pollers[CONFIG_BINDS_MAX];
	size_t count = worker->listeners->count;
	int ready = listeners_poll(worker->listeners, pollers, worker_beat_ms(worker->config));
	int fd = ready < 0 ? ready : -EAGAIN;

	for (size_t i = 0; ready > 0 && fd == -EAGAIN && i < count; i++) {
		size_t at = (next + i) % count;

		if (pollers[at].revents != 0)
			fd = listener_accept(pollers[at].fd, true);
	}
	next = (next + 1) % count;
	return fd;
}

/* is_blocking tells whether accept waits. (Another server may share the socket, and its flags.) */
static bool
is_blocking(const struct worker *worker)
{
	return worker->listeners->count == 1 && (fcntl(worker->listeners->fds[0], F_GETFL) & O_NONBLOCK) == 0;
}

/* accept_next waits for a connection. Returns it, -EAGAIN when it is time to beat, -ENOTSOCK after TERM, or -errno. */
static int
accept_next(struct worker *worker, bool *blocking)
{
	int fd;

	/* Lines are gathered while connections follow each other, and written before a wait. */
	if (worker->access_log != NULL && !listeners_are_waited_at(worker->listeners))
		access_log_flush(worker->access_log);
	fd = duty_take(worker->duty);
	if (fd == -EAGAIN && listeners_are_waited_at(worker->listeners))
		duty_claim(worker->duty);
	if (fd < 0)
		return fd;
	signals_wait_begin();
	fd = *blocking ? listener_accept(worker->listeners->fds[0], true) : accept_one_of(worker);
	signals_wait_end();
	if (fd == -EAGAIN)
		*blocking = is_blocking(worker);
	return fd;
}

static void
serve(struct worker *worker, struct exchange *exchange)
{
	bool blocking = is_blocking(worker);
	bool paused = false;

	while (worker_is_alive(worker)) {
		int fd;

		heartbeat_beat(worker->heartbeat);
		fd = accept_next(worker, &blocking);
		if (fd >= 0) {
			paused = false;
			duty_accepted(worker->duty);
			exchange_serve(exchange, fd);
		} else if (fd == -EAGAIN) {
			if (!worker_has_parent(worker))
				return;
		} else if (!signals_term()) {
			duty_leave();
			pause_accepting(worker, fd, &paused);
		}
	}
}

/* serve_last: nobody comes after this worker, so it serves its share of those who wait at QUEUE_FD already. */
static void
serve_last(struct worker *worker, struct exchange *exchange, int queue_fd)
{
	unsigned left = worker_last_share(worker, queue_fd);
	bool paused = false;

	while (left > 0) {
		int fd;

		heartbeat_beat(worker->heartbeat);
		fd = listener_accept(queue_fd, true);
		if (fd == -EAGAIN)
			return;
		if (fd < 0) {
			pause_accepting(worker, fd, &paused);
			continue;
		}
		exchange_serve(exchange, fd);
		left--;
	}
}

/* begin makes QUEUE_FDS, which stay when TERM takes the listening sockets away. Returns 0 or -errno. */
static int
begin(struct worker *worker, int queue_fds[CONFIG_BINDS_MAX])
{
	const struct listeners *listeners = worker->listeners;
	int error = duty_begin(worker->duty, worker_beat_ms(worker->config));

	for (size_t i = 0; error == 0 && i < listeners->count; i++) {
		queue_fds[i] = fcntl(listeners->fds[i], F_DUPFD_CLOEXEC, 0);
		error = queue_fds[i] < 0 ? -errno : signals_break_on_term(listeners->fds[i]);
	}
	return error == 0 ? signals_break_on_term(worker->duty->take_fd) : error;
}

static struct exchange *serving; /* of this process, for quit; NULL: nothing yet */

static void
quit(int signal)
{
	if (signal == SIGABRT && serving != NULL)
		exchange_abort(serving);
}

static int
run(struct worker *worker)
{
	/* Too large for a stack, and there is one in a process. */
	static struct exchange exchange;
	int queue_fds[CONFIG_BINDS_MAX];
	int error = begin(worker, queue_fds);

	if (error == 0)
		error = exchange_init(&exchange, worker);
	if (error != 0)
		return error;
	serving = &exchange;
	lane_enter(worker->lane, LANE_IDLE, clock_now_ns());
	serve(worker, &exchange);
	duty_leave();
	for (size_t i = 0; i < worker->listeners->count; i++) {
		serve_last(worker, &exchange, queue_fds[i]);
		close(queue_fds[i]);
	}
	serving = NULL;
	exchange_deinit(&exchange);
	return 0;
}

const struct worker_class worker_sync = {.name = "sync", .prepare = prepare, .run = run, .quit = quit};
