/* What the server does now, put together from the scoreboard and the kernel: for the admin process. */
#include "prefork_server/status.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "common/compiler.h"
#include "common/listener.h"
#include "prefork_server/process_use.h"

static bool
is_busy(enum lane_state state)
{
	return state != LANE_NONE && state != LANE_IDLE;
}

/* is_better tells whether VIEW says more of its worker than OTHER does. */
static bool
is_better(const struct lane_view *view, const struct lane_view *other)
{
	if (view->has_request != other->has_request)
		return view->has_request;
	if (view->has_request)
		return view->request_ns > other->request_ns;
	return is_busy(view->state) && !is_busy(other->state);
}

static void
look_at_lanes(const struct status *status, size_t slot, uint64_t now_ns, struct status_worker *worker)
{
	size_t threads = atomic_load(&status->board->notice->threads);

	for (size_t i = 0; i < threads; i++) {
		struct lane_view view;

		lane_look(&status->board->rows[slot].lanes[i], &view, now_ns);
		worker->requests += view.requests;
		worker->connections += view.connections;
		if (view.state == LANE_NONE)
			continue;
		worker->busy += is_busy(view.state);
		if (worker->threads++ == 0 || is_better(&view, &worker->lane))
			worker->lane = view;
	}
}

bool
status_worker(const struct status *status, size_t slot, uint64_t now_ns, struct status_worker *worker)
{
	const struct scoreboard_seat *seat = &status->board->notice->seats[slot];
	struct process_use use;
	uint64_t born_ns;

	if (!atomic_load(&seat->taken))
		return false;
	born_ns = atomic_load(&seat->born_ns);
	*worker = (struct status_worker){
	    .pid = atomic_load(&seat->pid),
	    .generation = atomic_load(&seat->generation),
	    .ending = atomic_load(&seat->ending),
	    .age_ns = now_ns > born_ns ? now_ns - born_ns : 0,
	};
	/* The number may be another process's by now, but hardly another child of the arbiter's. */
	if (worker->pid > 0 && process_use_read(worker->pid, &use) == 0 && use.parent == status->arbiter &&
	    use.rss_kib > 0) {
		worker->there = true;
		worker->cpu_ns = use.cpu_ns;
		worker->rss_kib = use.rss_kib;
		look_at_lanes(status, slot, now_ns, worker);
	}
	return true;
}

const char *
status_lane_state(enum lane_state state)
{
	static const char *const names[] = {
	    [LANE_NONE] = "starting",
	    [LANE_IDLE] = "idle",
	    [LANE_READING] = "reading",
	    [LANE_WORKING] = "working",
	    [LANE_SENDING] = "sending",
	    [LANE_CLOSING] = "closing",
	};

	return (size_t)state < ARRAY_LEN(names) ? names[state] : "unknown";
}

const char *
status_worker_state(const struct status_worker *worker)
{
	/* A pid that is not known yet is a worker just forked. */
	if (!worker->there && worker->pid != 0)
		return "gone";
	return status_lane_state(worker->lane.state);
}

void
status_crew(const struct status *status, uint64_t now_ns, struct status_crew *crew)
{
	size_t slots = atomic_load(&status->board->notice->slots);

	*crew = (struct status_crew){0};
	for (size_t slot = 0; slot < slots; slot++) {
		struct status_worker worker;

		if (!status_worker(status, slot, now_ns, &worker) || !worker.there)
			continue;
		if (worker.busy > 0)
			crew->workers_busy++;
		else
			crew->workers_idle++;
		crew->threads_busy += worker.busy;
		crew->threads_idle += worker.threads - worker.busy;
		crew->rss_kib += worker.rss_kib;
		if (worker.lane.has_request && worker.lane.request_ns > crew->request_ns)
			crew->request_ns = worker.lane.request_ns;
	}
}

void
status_listener(const struct status *status, size_t index, struct status_listener *listener)
{
	int fd = status->listeners->fds[index];
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	*listener = (struct status_listener){0};
	listener_name(fd, listener->name);
	/* Of a listening socket these two are its accept queue: tcp_get_info() of Linux. */
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0) {
		listener->has_queue = true;
		listener->waiting = info.tcpi_unacked;
		listener->at_most = info.tcpi_sacked;
	}
}

const char *
status_reason(enum scoreboard_reason reason)
{
	static const char *const names[SCOREBOARD_REASONS] = {
	    [SCOREBOARD_CRASH] = "crash",
	    [SCOREBOARD_TIMEOUT] = "timeout",
	    [SCOREBOARD_MAX_REQUESTS] = "max-requests",
	    [SCOREBOARD_MAX_RSS] = "max-rss",
	    [SCOREBOARD_RELOAD] = "reload",
	};

	return names[reason];
}
