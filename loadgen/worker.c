/* One thread of load: its event base, its connections, and what it counts. Shares nothing that it writes. */
#include "loadgen/worker.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "loadgen/pacer.h"
#include "loadgen/trace.h"

#define SAMPLES_FIRST 4096 /* room for so many with -g at first */
#define TURNS_MAX 256      /* events that are handled before the loop asks for more of them */

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
	const struct request_list *requests = worker->cell->requests;

	if (worker->left == 0 || worker->end != CELL_DONE)
		return false;
	if (!worker->cell->open_loop)
		flight->timing = (struct timing){.due_ns = now_ns};
	else if (!pacer_take(worker, flight, now_ns))
		return false;
	flight->index = worker->next_request;
	flight->request = &requests->items[flight->index];
	if (++worker->next_request == requests->len)
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
 * on_timeout ends what has waited too long, and comes again when the next one
 * may have: a single timer for all connections.
 */
static void
on_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct worker *worker = arg;
	uint64_t limit = worker->cell->config->timeout_ns;
	uint64_t now = clock_now_ns(), due = now + limit;
	struct timeval after;
	struct flight *flight;

	(void)fd;
	(void)what;
	while ((flight = TAILQ_FIRST(&worker->pending)) != NULL && worker->end == CELL_DONE) {
		/* A request that took the place of an expired one began after `now`: subtracting would wrap. */
		if (flight->timing.start_ns + limit > now) {
			due = flight->timing.start_ns + limit;
			break;
		}
		conn_expire(flight->conn, now, limit);
	}
	timeval_of(&after, due - now);
	event_add(&worker->timeout, &after);
}

static uint64_t
thread_cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * NS_PER_SEC + (uint64_t)now.tv_nsec;
}

/* set_phase has on_phase called at END_NS. */
static void
set_phase(struct worker *worker, uint64_t end_ns)
{
	uint64_t now = clock_now_ns();
	struct timeval after;

	worker->phase_end_ns = end_ns;
	timeval_of(&after, end_ns > now ? end_ns - now : 0);
	event_add(&worker->phase, &after);
}

/* begin_counting: from NOW_NS on everything counts. What is under way then ends as part of the quota. */
static void
begin_counting(struct worker *worker, uint64_t now_ns)
{
	const struct config *config = worker->cell->config;

	stats_reset(&worker->stats);
	worker->bytes_told = 0;
	worker->stats.begin_ns = now_ns;
	worker->stats.most_open = atomic_load_explicit(&worker->open, memory_order_relaxed);
	series_begin(&worker->stats.series, now_ns);
	worker_show(worker);
	worker->cpu_begin_ns = thread_cpu_ns();
	worker->warming = false;
	worker->left = worker->quota > worker->under_way ? worker->quota - worker->under_way : 0;
	if (config->time_limit_ns > 0)
		set_phase(worker, now_ns + config->time_limit_ns);
}

static void
on_phase(evutil_socket_t fd, short what, void *arg)
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

static void
on_stop(evutil_socket_t fd, short what, void *arg)
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

/* base_open makes the thread's event base: edge-triggered, without locks, for only this thread touches it. */
static struct event_base *
base_open(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config == NULL)
		return NULL;
	/* Connections that are read again at once (conn_receive) would never let it look at the time, and at `stop`. */
	if (event_config_set_max_dispatch_interval(config, NULL, TURNS_MAX, 0) == 0 &&
	    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV) == 0 &&
	    event_config_require_features(config, EV_FEATURE_ET | EV_FEATURE_EARLY_CLOSE) == 0)
		base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

static int
init_events(struct worker *worker)
{
	worker->base = base_open();
	worker->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (worker->base == NULL || worker->stop_fd == -1)
		return errno != 0 ? -errno : -ENOMEM;
	if (evtimer_assign(&worker->timeout, worker->base, on_timeout, worker) != 0 ||
	    evtimer_assign(&worker->phase, worker->base, on_phase, worker) != 0 ||
	    event_assign(&worker->stop, worker->base, worker->stop_fd, EV_READ, on_stop, worker) != 0 ||
	    event_add(&worker->stop, NULL) != 0)
		return -ENOMEM;
	return worker->cell->open_loop ? pacer_init(worker) : 0;
}

static int
init_conns(struct worker *worker, uint32_t connections)
{
	const struct config *config = worker->cell->config;
	bool traced = config->verbosity >= TRACE_HEADERS;

	worker->conns = calloc(connections, sizeof(*worker->conns));
	worker->flights = calloc((size_t)connections * (size_t)config->pipeline, sizeof(*worker->flights));
	if (worker->conns == NULL || worker->flights == NULL)
		return -ENOMEM;
	if (traced) {
		worker->traces = calloc(connections, sizeof(*worker->traces));
		if (worker->traces == NULL)
			return -ENOMEM;
	}
	for (uint32_t i = 0; i < connections; i++) {
		if (traced)
			worker->traces[i].out = config->data_on_stdout ? stderr : stdout;
		/* One connection is enough to learn the server's name. */
		conn_init(&worker->conns[i], worker, &worker->flights[i * (size_t)config->pipeline],
		    i == 0 ? worker->stats.server : NULL, traced ? &worker->traces[i] : NULL);
	}
	worker->conns_len = connections;
	return 0;
}

/* init_memory allocates what does not hang on the event base. */
static int
init_memory(struct worker *worker)
{
	const struct cell *cell = worker->cell;
	int result = stats_init(&worker->stats);

	if (result != 0)
		return result;
	worker->document_lens = malloc(cell->requests->len * sizeof(*worker->document_lens));
	if (worker->document_lens == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < cell->requests->len; i++)
		worker->document_lens[i] = -1;
	if (cell->config->samples_file == NULL)
		return 0;
	worker->samples_room = worker->quota < SAMPLES_FIRST ? worker->quota : SAMPLES_FIRST;
	worker->samples_room += worker->samples_room == 0;
	worker->samples = calloc(worker->samples_room, sizeof(*worker->samples));
	return worker->samples != NULL ? 0 : -ENOMEM;
}

int
worker_init(struct worker *worker, const struct cell *cell, struct shared *shared, uint32_t index, uint32_t count,
    uint32_t connections, uint64_t requests)
{
	int result;

	*worker = (struct worker){
	    .cell = cell,
	    .shared = shared,
	    .index = index,
	    .count = count,
	    .stop_fd = -1,
	    .pace_fd = -1,
	    .quota = requests,
	    .left = requests,
	    .address = cell->target->addresses,
	};
	TAILQ_INIT(&worker->pending);
	TAILQ_INIT(&worker->idle);
	result = init_memory(worker);
	if (result == 0)
		result = init_events(worker);
	if (result == 0)
		result = init_conns(worker, connections);
	return result;
}

void
worker_deinit(struct worker *worker)
{
	for (uint32_t i = 0; i < worker->conns_len; i++)
		conn_close(&worker->conns[i]);
	if (worker->base != NULL)
		event_base_free(worker->base);
	if (worker->stop_fd != -1)
		close(worker->stop_fd);
	pacer_deinit(worker);
	free(worker->conns);
	free(worker->flights);
	free(worker->traces);
	free(worker->document_lens);
	free(worker->samples);
	stats_deinit(&worker->stats);
}

/* begin sets the timers, and in a closed loop starts a request on every connection, all at once. */
static void
begin(struct worker *worker)
{
	const struct config *config = worker->cell->config;
	struct timeval after;

	timeval_of(&after, config->timeout_ns);
	event_add(&worker->timeout, &after);
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
}

/*
 * note_unfinished counts what is under way when time is up at NOW_NS.  What is older than the slowest answer is known to
 * take longer still, and enters with its age; of the rest nothing is known that the answers do not tell.
 */
static void
note_unfinished(struct worker *worker, uint64_t now_ns)
{
	struct stats *stats = &worker->stats;
	uint64_t slowest = stats->total.count > 0 ? stats->total.max : 0;
	struct flight *flight;

	stats->unfinished = worker->under_way;
	TAILQ_FOREACH(flight, &worker->pending, pending)
	{
		uint64_t age = now_ns - flight->timing.due_ns;

		stats_record_under_way(stats, flight->timing.start_ns, now_ns);
		if (age > slowest) {
			stats->overdue++;
			histogram_record(&stats->total, age);
		}
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

	stats->cpu_ns = thread_cpu_ns() - worker->cpu_begin_ns;
	if (stats->end_ns > stats->begin_ns)
		stats->cpu_share = (double)stats->cpu_ns / (double)(stats->end_ns - stats->begin_ns);
}

/* settle makes the counts final. */
static void
settle(struct worker *worker)
{
	struct stats *stats = &worker->stats;

	if (worker->warming) { /* interrupted before anything counted */
		stats_reset(stats);
		stats->begin_ns = stats->end_ns = clock_now_ns();
		series_begin(&stats->series, stats->begin_ns);
	} else if (worker->active > 0 || !all_started(worker)) { /* the time was up, or the run interrupted */
		stats->end_ns = clock_now_ns();
		note_unfinished(worker, stats->end_ns);
	}
	count_cpu(worker);
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
