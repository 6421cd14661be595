/* The open loop of a thread: starts each request when it is due, on a connection that is free. */
#include "loadgen/pacer.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "common/clock.h"
#include "loadgen/worker.h"

/*
 * There is no queue of due requests: those that are late are the ones that the schedule still
 * has to hand out, oldest first, to whichever connection is free next.
 */

static uint64_t
next_due_ns(const struct worker *worker)
{
	if (worker->left == 0 || pacer_over(worker))
		return SCHEDULE_NEVER;
	return worker->shared->origin_ns + worker->schedule.next_ns;
}

bool
pacer_over(const struct worker *worker)
{
	return worker->schedule.next_ns == SCHEDULE_NEVER;
}

/* arm sets the timer to the next request, if there is a connection to wait for it. */
static void
arm(struct worker *worker)
{
	uint64_t due = next_due_ns(worker);
	struct itimerspec at = {0};

	if (due != SCHEDULE_NEVER && !TAILQ_EMPTY(&worker->idle)) {
		at.it_value.tv_sec = (time_t)(due / NS_PER_SEC);
		at.it_value.tv_nsec = (long)(due % NS_PER_SEC);
	}
	timerfd_settime(worker->pace_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

static void
on_pace(evutil_socket_t fd, short what, void *arg)
{
	struct worker *worker = arg;
	struct conn *conn;
	uint64_t now;

	(void)fd;
	(void)what;
	while ((conn = TAILQ_FIRST(&worker->idle)) != NULL && worker->end == CELL_DONE &&
	       next_due_ns(worker) <= (now = clock_now_ns())) {
		TAILQ_REMOVE(&worker->idle, conn, idle);
		worker->active++;
		conn_go_on(conn, now);
	}
	arm(worker);
}

int
pacer_init(struct worker *worker)
{
	const struct cell *cell = worker->cell;

	schedule_init(&worker->schedule, (enum arrivals)cell->config->arrivals, &cell->ramp, worker->index,
	    worker->count, cell->seed);
	worker->pace_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (worker->pace_fd == -1)
		return -errno;
	/* Edge-triggered: setting it again takes the place of reading it. */
	if (event_assign(&worker->pace, worker->base, worker->pace_fd, EV_READ | EV_ET | EV_PERSIST, on_pace, worker) !=
		0 ||
	    event_add(&worker->pace, NULL) != 0)
		return -ENOMEM;
	return 0;
}

void
pacer_deinit(struct worker *worker)
{
	if (worker->pace_fd != -1)
		close(worker->pace_fd);
}

void
pacer_begin(struct worker *worker)
{
	worker->idle_since_ns = worker->shared->origin_ns;
	for (uint32_t i = 0; i < worker->conns_len; i++)
		TAILQ_INSERT_TAIL(&worker->idle, &worker->conns[i], idle);
	arm(worker);
}

/* note_gap: a request leaves at NOW_NS. */
static void
note_gap(struct worker *worker, uint64_t now_ns)
{
	double expected = schedule_expected(&worker->cell->ramp, now_ns - worker->shared->origin_ns);

	fit_record(&worker->stats.fit, (expected - worker->departed) / worker->schedule.step);
	worker->departed = expected;
}

bool
pacer_take(struct worker *worker, struct flight *flight, uint64_t now_ns)
{
	uint64_t due = next_due_ns(worker);

	if (due > now_ns)
		return false;
	flight->timing = (struct timing){.due_ns = due};
	flight->queued = due < worker->idle_since_ns;
	flight->retried = false;
	stats_depart(&worker->stats.due, due);
	stats_depart(&worker->stats.left, now_ns);
	if (worker->schedule.arrivals == ARRIVALS_POISSON)
		note_gap(worker, now_ns);
	schedule_advance(&worker->schedule);
	return true;
}

void
pacer_freed(struct worker *worker, uint64_t now_ns)
{
	if (TAILQ_EMPTY(&worker->idle))
		worker->idle_since_ns = now_ns;
}

void
pacer_release(struct worker *worker, struct conn *conn)
{
	bool first = TAILQ_EMPTY(&worker->idle);

	TAILQ_INSERT_HEAD(&worker->idle, conn, idle);
	if (first)
		arm(worker);
}

void
pacer_end(struct worker *worker, uint64_t end_ns, uint64_t slowest_ns)
{
	struct stats *stats = &worker->stats;

	for (uint64_t due; (due = next_due_ns(worker)) < end_ns; schedule_advance(&worker->schedule)) {
		if (due < stats->begin_ns)
			continue;
		worker->left--;
		stats->missed++;
		stats_depart(&stats->due, due);
		stats->queued += TAILQ_EMPTY(&worker->idle);
		if (end_ns - due > slowest_ns) {
			stats->overdue++;
			histogram_record(&stats->total, end_ns - due);
		}
	}
}
