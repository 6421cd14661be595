/* What a thread of load has before it runs: event base, timers, connections, room for what it counts. */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "loadgen/pacer.h"
#include "loadgen/trace.h"
#include "loadgen/worker_parts.h"

#define SAMPLES_FIRST 4096 /* room for so many with -g at first */

/* base_open makes the thread's event base: edge-triggered, without locks, for only this thread touches it. */
static struct event_base *
base_open(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config == NULL)
		return NULL;
	if (event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV) == 0 &&
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
	if (evtimer_assign(&worker->timeout, worker->base, worker_on_timeout, worker) != 0 ||
	    evtimer_assign(&worker->phase, worker->base, worker_on_phase, worker) != 0 ||
	    event_assign(&worker->beat, worker->base, -1, EV_PERSIST, worker_on_beat, worker) != 0 ||
	    event_assign(&worker->stop, worker->base, worker->stop_fd, EV_READ, worker_on_stop, worker) != 0 ||
	    event_add(&worker->stop, NULL) != 0)
		return -ENOMEM;
	return worker->cell->open_loop ? pacer_init(worker) : 0;
}

static int
init_conns(struct worker *worker, uint32_t connections)
{
	const struct config *config = worker->cell->config;
	bool traced = config->verbosity >= TRACE_HEADERS;

	worker->conns = aligned_alloc(CACHE_LINE, connections * sizeof(*worker->conns));
	worker->flights = aligned_alloc(CACHE_LINE, connections * (size_t)config->pipeline * sizeof(*worker->flights));
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
