/* One thread of load: its event base, its connections, and what it counts. Shares nothing that it writes. */
#include "loadgen/worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/clock.h"
#include "loadgen/trace.h"

void
worker_abort(struct worker *worker, enum cell_end end, int error)
{
	if (worker->end != CELL_DONE)
		return;
	worker->end = end;
	worker->error = error;
	event_base_loopbreak(worker->base);
}

void
worker_next(struct worker *worker, struct conn *conn)
{
	if (worker->end != CELL_DONE) {
		worker->active--;
		return;
	}
	if (worker->left > 0) {
		worker->left--;
		conn_begin(conn);
		return;
	}
	conn_close(conn);
	if (--worker->active == 0)
		event_base_loopbreak(worker->base);
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
	struct conn *conn;

	(void)fd;
	(void)what;
	while ((conn = TAILQ_FIRST(&worker->pending)) != NULL && worker->end == CELL_DONE) {
		/* A request that took the place of an expired one began after `now`: subtracting would wrap. */
		if (conn->timing.start_ns + limit > now) {
			due = conn->timing.start_ns + limit;
			break;
		}
		conn_expire(conn, now);
	}
	timeval_of(&after, due - now);
	event_add(&worker->timeout, &after);
}

static void
on_time_limit(evutil_socket_t fd, short what, void *arg)
{
	struct worker *worker = arg;

	(void)fd;
	(void)what;
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
	if (event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV) == 0 &&
	    event_config_require_features(config, EV_FEATURE_ET) == 0)
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
	    evtimer_assign(&worker->time_limit, worker->base, on_time_limit, worker) != 0 ||
	    event_assign(&worker->stop, worker->base, worker->stop_fd, EV_READ, on_stop, worker) != 0 ||
	    event_add(&worker->stop, NULL) != 0)
		return -ENOMEM;
	return 0;
}

static int
init_conns(struct worker *worker, uint32_t connections)
{
	const struct config *config = worker->cell->config;
	bool traced = config->verbosity >= TRACE_HEADERS;

	worker->conns = calloc(connections, sizeof(*worker->conns));
	if (worker->conns == NULL)
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
		conn_init(&worker->conns[i], worker, i == 0 ? worker->stats.server : NULL,
		    traced ? &worker->traces[i] : NULL);
	}
	worker->conns_len = connections;
	return 0;
}

int
worker_init(
    struct worker *worker, const struct cell *cell, struct shared *shared, uint32_t connections, uint64_t requests)
{
	int result;

	*worker = (struct worker){
	    .cell = cell,
	    .shared = shared,
	    .stop_fd = -1,
	    .left = requests,
	    .document_len = -1,
	    .address = cell->target->addresses,
	};
	TAILQ_INIT(&worker->pending);
	result = stats_init(&worker->stats);
	if (result == 0 && cell->config->samples_file != NULL) {
		worker->samples = calloc(requests, sizeof(*worker->samples));
		result = worker->samples != NULL ? 0 : -ENOMEM;
	}
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
	free(worker->conns);
	free(worker->traces);
	free(worker->samples);
	stats_deinit(&worker->stats);
}

/* begin sets the timers and starts a request on every connection, all at once. */
static void
begin(struct worker *worker)
{
	const struct config *config = worker->cell->config;
	struct timeval after;

	timeval_of(&after, config->timeout_ns);
	event_add(&worker->timeout, &after);
	if (config->time_limit_ns > 0) {
		timeval_of(&after, config->time_limit_ns);
		event_add(&worker->time_limit, &after);
	}
	worker->active = worker->conns_len;
	for (uint32_t i = 0; i < worker->conns_len && worker->end == CELL_DONE; i++)
		worker_next(worker, &worker->conns[i]);
}

void *
worker_run(void *arg)
{
	struct worker *worker = arg;
	uint64_t told = 1;
	bool called_off;

	pthread_mutex_lock(&worker->shared->gate);
	called_off = worker->shared->called_off;
	pthread_mutex_unlock(&worker->shared->gate);
	if (called_off)
		return NULL;
	worker->stats.begin_ns = clock_now_ns();
	begin(worker);
	if (worker->end == CELL_DONE && worker->active > 0)
		event_base_dispatch(worker->base);
	if (worker->active > 0) { /* the time was up, or the run interrupted: until now the server was asked for more */
		worker->stats.unfinished = worker->active;
		worker->stats.end_ns = clock_now_ns();
	}
	if (worker->end > CELL_INTERRUPTED)
		told |= WORKER_FAILED;
	while (write(worker->shared->finished_fd, &told, sizeof(told)) < 0 && errno == EINTR)
		;
	return NULL;
}
