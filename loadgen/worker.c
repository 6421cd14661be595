/* One thread of load: its event base, its connections, and what it counts. Shares nothing that it writes. */
#include "loadgen/worker.h"

#include <errno.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "loadgen/conn_parts.h"
#include "loadgen/pacer.h"
#include "loadgen/worker_parts.h"

void
worker_abort(struct worker *worker, enum cell_end end, int error)
{
	if (worker->end != CELL_DONE)
		return;
	worker->end = end;
	worker->error = error;
	event_base_loopbreak(worker->base);
}

/* all_started tells whether no request is left to start. */
static bool
all_started(const struct worker *worker)
{
	return worker->left == 0 || (worker->cell->open_loop && pacer_over(worker));
}

bool
worker_take(struct worker *worker, struct flight *flight, uint64_t now_ns)
{
	if (worker->left == 0 || worker->end != CELL_DONE)
		return false;
	if (!worker->cell->open_loop)
		flight->timing = (struct timing){.due_ns = now_ns};
	else if (!pacer_take(worker, flight, now_ns))
		return false;
	flight->index = (uint32_t)worker->next_request;
	if (++worker->next_request == worker->cell->requests->len)
		worker->next_request = 0;
	if (!worker->warming)
		worker->left--;
	worker->under_way++;
	return true;
}

void
worker_freed(struct worker *worker, uint64_t now_ns)
{
	if (worker->cell->open_loop)
		pacer_freed(worker, now_ns);
}

void
worker_release(struct worker *worker, struct conn *conn, uint64_t now_ns)
{
	worker->active--;
	if (worker->cell->open_loop) {
		pacer_release(worker, conn);
	} else {
		conn_close(conn);
		worker->stats.active_ns += now_ns - worker->stats.begin_ns;
	}
	if (worker->active == 0 && all_started(worker) && !worker->warming)
		event_base_loopbreak(worker->base);
}

void
worker_opened(struct worker *worker)
{
	uint32_t open = atomic_load_explicit(&worker->open, memory_order_relaxed) + 1;

	atomic_store_explicit(&worker->open, open, memory_order_relaxed);
	if (open > worker->stats.most_open)
		worker->stats.most_open = open;
}

void
worker_closed(struct worker *worker)
{
	atomic_store_explicit(
	    &worker->open, atomic_load_explicit(&worker->open, memory_order_relaxed) - 1, memory_order_relaxed);
}

static void
timeval_of(struct timeval *tv, uint64_t ns)
{
	uint64_t us = (ns + NS_PER_US - 1) / NS_PER_US;

	*tv = (struct timeval){.tv_sec = (time_t)(us / 1000000), .tv_usec = (suseconds_t)(us % 1000000)};
}

/*
 * worker_on_timeout ends what has waited too long, and comes again when the next one may have: a single timer for all
 * connections, which it goes through.  That costs less than keeping their requests in order, for it is rare: what is fast
 * has begun anew since.  Where they end just in time, one after the other, it comes a hundredth of the limit later at most.
 */
void
worker_on_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct worker *worker = arg;
	uint64_t limit = worker->cell->config->timeout_ns;
	uint64_t now = clock_now_ns(), oldest = now, next;
	struct timeval after;

	(void)fd;
	(void)what;
	for (uint32_t i = 0; i < worker->conns_len && worker->end == CELL_DONE; i++) {
		struct conn *conn = &worker->conns[i];

		if (conn_since(conn) <= now - limit)
			conn_expire(conn, now, limit);
		if (conn_since(conn) < oldest)
			oldest = conn_since(conn);
	}
	next = limit - (now - oldest);
	timeval_of(&after, next > limit / 100 ? next : limit / 100);
	event_add(&worker->timeout, &after);
}

static uint64_t
thread_cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * NS_PER_SEC + (uint64_t)now.tv_nsec;
}

/* set_phase has worker_on_phase called at END_NS. */
static void
set_phase(struct worker *worker, uint64_t end_ns)
{
	uint64_t now = clock_now_ns();
	struct timeval after;

	worker->phase_end_ns = end_ns;
	timeval_of(&after, end_ns > now ? end_ns - now : 0);
	event_add(&worker->phase, &after);
}

static void
forget(struct worker *worker)
{
	stats_reset(&worker->stats);
	worker->bytes_told = 0;
	worker->samples_len = 0;
}

/* begin_counting: from NOW_NS on everything counts. What is under way then ends as part of the quota. */
static void
begin_counting(struct worker *worker, uint64_t now_ns)
{
	const struct config *config = worker->cell->config;

	forget(worker);
	worker->stats.begin_ns = now_ns;
	worker->stats.most_open = atomic_load_explicit(&worker->open, memory_order_relaxed);
	series_begin(&worker->stats.series, now_ns);
	worker_show(worker);
	worker->cpu_begin_ns = thread_cpu_ns();
	heartbeat_begin(&worker->heartbeat, now_ns, worker->cpu_begin_ns);
	worker->warming = false;
	worker->left = worker->quota > worker->under_way ? worker->quota - worker->under_way : 0;
	if (config->time_limit_ns > 0)
		set_phase(worker, now_ns + config->time_limit_ns);
}

void
worker_on_phase(evutil_socket_t fd, short what, void *arg)
{
	struct worker *worker = arg;

	(void)fd;
	(void)what;
	if (clock_now_ns() < worker->phase_end_ns) /* libevent counts from a clock that may be milliseconds behind */
		set_phase(worker, worker->phase_end_ns);
	else if (worker->warming)
		begin_counting(worker, clock_now_ns());
	else
		event_base_loopbreak(worker->base);
	if (!worker->warming && worker->active == 0 && all_started(worker)) /* a ramp came to 0 meanwhile */
		event_base_loopbreak(worker->base);
}

void
worker_on_beat(evutil_socket_t fd, short what, void *arg)
{
	struct worker *worker = arg;

	(void)fd;
	(void)what;
	heartbeat_note(&worker->heartbeat, clock_now_ns(), thread_cpu_ns());
}

void
worker_on_stop(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	worker_abort(arg, CELL_INTERRUPTED, 0);
}

void
worker_stop(struct worker *worker)
{
	const uint64_t one = 1;

	if (write(worker->stop_fd, &one, sizeof(one)) != sizeof(one))
		return; /* the counter is full: it was told before */
}

/* begin sets the timers, and in a closed loop starts a request on every connection, all at once. */
static void
begin(struct worker *worker)
{
	const struct config *config = worker->cell->config;
	struct timeval after;

	timeval_of(&after, config->timeout_ns);
	event_add(&worker->timeout, &after);
	timeval_of(&after, HEARTBEAT_NS);
	event_add(&worker->beat, &after);
	begin_counting(worker, clock_now_ns());
	if (config->warmup_ns > 0) {
		worker->warming = true;
		set_phase(worker, worker->stats.begin_ns + config->warmup_ns);
	}
	if (worker->cell->open_loop) {
		pacer_begin(worker);
		return;
	}
	worker->active = worker->conns_len;
	for (uint32_t i = 0; i < worker->conns_len && worker->end == CELL_DONE; i++)
		conn_go_on(&worker->conns[i]);
	/* Thousands of sockets take their time, in which the kernel may have the thread wait: threads share one table of files. */
	heartbeat_begin(&worker->heartbeat, clock_now_ns(), thread_cpu_ns());
}

/* note_under_way counts a request under way at NOW_NS, when the slowest answer took SLOWEST_NS. */
static void
note_under_way(struct worker *worker, const struct timing *timing, uint64_t now_ns, uint64_t slowest_ns)
{
	struct stats *stats = &worker->stats;
	struct timing until_now = *timing;

	until_now.end_ns = now_ns;
	stats_record_under_way(stats, timing->start_ns, now_ns);
	if (now_ns - timing->due_ns > slowest_ns) {
		stats->overdue++;
		histogram_record(&stats->total, now_ns - timing->due_ns);
		if (worker->cell->open_loop)
			histogram_record(&stats->delay, timing->start_ns - timing->due_ns);
		worker_keep_sample(worker, &until_now);
	}
}

/*
 * note_unfinished counts what is under way when time is up at NOW_NS.  What is older than the thread's slowest answer is known
 * to take longer still, and enters with its age; of the rest nothing is known that the answers do not tell.
 */
static void
note_unfinished(struct worker *worker, uint64_t now_ns)
{
	struct stats *stats = &worker->stats;
	uint64_t slowest = stats->total.count > 0 ? stats->total.max : 0;

	stats->unfinished = worker->under_way;
	for (uint32_t i = 0; i < worker->conns_len; i++) {
		const struct conn *conn = &worker->conns[i];

		for (uint32_t nth = 0; nth < conn->len; nth++)
			note_under_way(worker, &conn_flight(conn, nth)->timing, now_ns, slowest);
	}
	if (worker->cell->open_loop)
		pacer_end(worker, now_ns, slowest);
	else
		stats->active_ns += worker->active * (now_ns - stats->begin_ns);
}

/* stay_on_cpu pins the thread to the CPU of its number, of those that the process may use. */
static void
stay_on_cpu(uint32_t index)
{
	cpu_set_t allowed, one;
	int nth;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
		return;
	nth = (int)index % CPU_COUNT(&allowed);
	for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &allowed) && nth-- == 0) {
			CPU_ZERO(&one);
			CPU_SET(cpu, &one);
			pthread_setaffinity_np(pthread_self(), sizeof(one), &one);
			return;
		}
}

/* pass_gate waits for the other threads. Returns false when they are not coming. */
static bool
pass_gate(struct shared *shared)
{
	bool called_off;

	pthread_mutex_lock(&shared->gate);
	called_off = shared->called_off;
	if (shared->origin_ns == 0)
		shared->origin_ns = clock_now_ns();
	pthread_mutex_unlock(&shared->gate);
	return !called_off;
}

static void
count_cpu(struct worker *worker)
{
	struct stats *stats = &worker->stats;
	uint64_t cpu_ns = thread_cpu_ns();

	heartbeat_note(&worker->heartbeat, clock_now_ns(), cpu_ns);
	stats->paused_ns = worker->heartbeat.longest_ns;
	stats->cpu_ns = cpu_ns - worker->cpu_begin_ns;
	if (stats->end_ns > stats->begin_ns)
		stats->cpu_share = (double)stats->cpu_ns / (double)(stats->end_ns - stats->begin_ns);
}

/* note_seconds: those in which nothing was answered any more count, too, up to the time limit, which the end is a moment behind. */
static void
note_seconds(struct stats *stats, uint64_t limit_ns)
{
	uint64_t limit = limit_ns > 0 ? stats->begin_ns + limit_ns : UINT64_MAX;

	series_extend(&stats->series, stats->end_ns < limit ? stats->end_ns : limit);
}

/* settle makes the counts final. */
static void
settle(struct worker *worker)
{
	struct stats *stats = &worker->stats;

	bool cut = worker->active > 0 || !all_started(worker); /* the time was up, or the run interrupted */

	if (worker->warming) { /* interrupted before anything counted */
		forget(worker);
		stats->begin_ns = stats->end_ns = clock_now_ns();
		series_begin(&stats->series, stats->begin_ns);
		return;
	}
	if (cut)
		stats->end_ns = clock_now_ns();
	count_cpu(worker); /* first: what counting the rest takes is no part of the load */
	if (!cut)
		return;
	note_unfinished(worker, stats->end_ns);
	note_seconds(stats, worker->cell->config->time_limit_ns);
}

void *
worker_run(void *arg)
{
	struct worker *worker = arg;
	uint64_t told = 1;

	if (worker->cell->config->pin)
		stay_on_cpu(worker->index);
	if (!pass_gate(worker->shared))
		return NULL;
	begin(worker);
	if (worker->end == CELL_DONE && (worker->active > 0 || !all_started(worker) || worker->warming))
		event_base_dispatch(worker->base);
	settle(worker);
	if (worker->end > CELL_INTERRUPTED)
		told |= WORKER_FAILED;
	while (write(worker->shared->finished_fd, &told, sizeof(told)) < 0 && errno == EINTR)
		;
	return NULL;
}
