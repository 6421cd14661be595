/* The open loop of a thread: starts each request when it is due, on a connection that is free. */
#include "loadgen/pacer.h"

#include <errno.h>
#include <math.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "common/clock.h"
#include "loadgen/worker.h"

#define ONE_BY_ONE 100000 /* requests that are counted one by one when time is up */

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

	(void)fd;
	(void)what;
	/* Where connects are refused a connection is free again at once: the loop has its turn before it serves more requests. */
	for (uint32_t i = 0; i < worker->conns_len && (conn = TAILQ_FIRST(&worker->idle)) != NULL; i++) {
		if (worker->end != CELL_DONE || next_due_ns(worker) > clock_now_ns())
			break;
		TAILQ_REMOVE(&worker->idle, conn, idle);
		worker->active++;
		conn_go_on(conn);
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

/*
 * together returns how many requests, from the next one on, may be counted as one: 1 where few are due before UNTIL_NS, else
 * so small a part of those that the last of it is due long before.
 */
static uint64_t
together(const struct worker *worker, uint64_t until_ns)
{
	const struct schedule *schedule = &worker->schedule;
	double expected = schedule_expected(&schedule->ramp, until_ns - worker->shared->origin_ns);
	double due = fmin((expected - schedule->expected) / schedule->step, (double)worker->left);

	return due > ONE_BY_ONE ? (uint64_t)(due / ONE_BY_ONE) : 1;
}

/* keep_samples: requests that never started have waited since they were due, and spent no time on anything else. */
static void
keep_samples(struct worker *worker, uint64_t count, uint64_t due_ns, uint64_t end_ns)
{
	const struct timing timing = {
	    .due_ns = due_ns,
	    .start_ns = due_ns,
	    .connected_ns = due_ns,
	    .secured_ns = due_ns,
	    .sent_ns = due_ns,
	    .end_ns = end_ns,
	};

	for (; worker->samples != NULL && count > 0; count--)
		worker_keep_sample(worker, &timing);
}

/* miss counts COUNT requests that were due at DUE_NS and never started, in the distribution too where they are OVERDUE. */
static void
miss(struct worker *worker, uint64_t count, uint64_t due_ns, uint64_t end_ns, bool overdue)
{
	struct stats *stats = &worker->stats;

	worker->left -= count;
	stats->missed += count;
	stats_depart(&stats->due, due_ns);
	stats->due.count += count - 1;
	if (TAILQ_EMPTY(&worker->idle))
		stats->queued += count;
	if (overdue) {
		stats->overdue += count;
		histogram_record_many(&stats->total, end_ns - due_ns, count);
		histogram_record_many(&stats->delay, end_ns - due_ns, count);
		keep_samples(worker, count, due_ns, end_ns);
	}
}

void
pacer_end(struct worker *worker, uint64_t end_ns, uint64_t slowest_ns)
{
	uint64_t begin_ns = worker->stats.begin_ns, due_ns;

	while ((due_ns = next_due_ns(worker)) < end_ns) {
		bool counts = due_ns >= begin_ns, overdue = end_ns - due_ns > slowest_ns;
		uint64_t count = together(worker, !counts ? begin_ns : overdue ? end_ns - slowest_ns : end_ns);

		if (counts)
			miss(worker, count, due_ns, end_ns, overdue);
		schedule_skip(&worker->schedule, count);
	}
}
