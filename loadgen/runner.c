/* Runs one cell: its threads, their start and end, signals meanwhile, and one result out of all. */
#include "loadgen/runner.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/clock.h"
#include "loadgen/interrupt.h"
#include "loadgen/worker.h"

struct runner {
	struct worker *workers; /* `len` of them are initialised */
	uint32_t len;
	uint32_t started;  /* threads */
	uint64_t begin_ns; /* when the figures begin, or a moment before */
	struct shared shared;
	const struct series *series[CONFIG_THREADS_MAX]; /* of the workers */
};

/* share returns the part of WHOLE that worker INDEX of COUNT gets: as equal as can be, the first ones one more. */
static uint64_t
share(uint64_t whole, uint32_t index, uint32_t count)
{
	return whole / count + (index < whole % count);
}

/*
 * first_request returns where in the list of requests a worker begins, when those before it perform BEFORE requests: where
 * these end, so that each request is sent as often as the others, however the connections are shared.
 */
static size_t
first_request(const struct cell *cell, uint32_t index, uint32_t count, uint64_t before)
{
	size_t len = cell->requests->len;

	return cell->config->requests == CONFIG_UNLIMITED ? len * index / count : (size_t)(before % len);
}

/*
 * init_workers gives each worker its connections, and requests in proportion, so that all end at about one time.  In an
 * open loop it is the schedule that sets the time: each has as many as the others, and the first ones one more, as they take turns.
 */
static int
init_workers(struct runner *runner, const struct cell *cell, uint32_t count)
{
	const uint64_t requests = (uint64_t)cell->config->requests;
	uint64_t given = 0, conns_before = 0;
	bool unlimited = cell->config->requests == CONFIG_UNLIMITED;

	runner->workers = aligned_alloc(CACHE_LINE, count * sizeof(*runner->workers));
	if (runner->workers == NULL)
		return -ENOMEM;
	while (runner->len < count) {
		uint32_t conns = (uint32_t)share(cell->concurrency, runner->len, count);
		uint64_t upto = unlimited         ? 0
				: cell->open_loop ? given + share(requests, runner->len, count)
						  : requests * (conns_before + conns) / cell->concurrency;
		struct worker *worker = &runner->workers[runner->len];
		int result = worker_init(
		    worker, cell, &runner->shared, runner->len, count, conns, unlimited ? requests : upto - given);

		runner->len++;
		if (result != 0)
			return result;
		runner->series[runner->len - 1] = &worker->stats.series;
		worker->next_request = first_request(cell, runner->len - 1, count, given);
		conns_before += conns;
		given = upto;
	}
	return 0;
}

/* start_threads starts them behind a gate, so that all connections of all threads begin at once. */
static int
start_threads(struct runner *runner)
{
	int result = 0;

	pthread_mutex_lock(&runner->shared.gate);
	while (result == 0 && runner->started < runner->len) {
		struct worker *worker = &runner->workers[runner->started];

		result = pthread_create(&worker->thread, NULL, worker_run, worker);
		runner->started += result == 0;
	}
	runner->shared.called_off = result != 0;
	pthread_mutex_unlock(&runner->shared.gate);
	return -result;
}

/* look reads what the workers let others see. */
static void
look(const struct runner *runner, struct progress_now *now)
{
	*now = (struct progress_now){.begin_ns = runner->begin_ns, .series = runner->series, .series_len = runner->len};
	for (uint32_t i = 0; i < runner->len; i++) {
		struct worker *worker = &runner->workers[i];

		now->complete += atomic_load_explicit(&worker->complete, memory_order_relaxed);
		now->errors += atomic_load_explicit(&worker->errors, memory_order_relaxed);
		now->open += atomic_load_explicit(&worker->open, memory_order_relaxed);
	}
}

static void
stop_workers(struct runner *runner)
{
	for (uint32_t i = 0; i < runner->len; i++)
		worker_stop(&runner->workers[i]);
}

/* supervise waits until all workers are done; stops them when the user interrupts or one of them cannot go on. */
static void
supervise(struct runner *runner, struct progress *progress)
{
	struct pollfd fds[] = {
	    {.fd = runner->shared.finished_fd, .events = POLLIN},
	    {.fd = interrupt_fd(), .events = POLLIN},
	};
	struct progress_now now;
	uint64_t finished = 0;

	while (finished < runner->len) {
		uint64_t told = 0;

		if (poll(fds, ARRAY_LEN(fds), progress_interval_ms(progress)) < 0)
			continue; /* EINTR: nothing was filled in */
		if (fds[1].revents != 0) {
			progress_end(progress); /* before the next signal can end the program where it stands */
			interrupt_accept();
			fds[1].fd = -1;
			fds[1].revents = 0;
			stop_workers(runner);
		}
		if (fds[0].revents != 0 && read(runner->shared.finished_fd, &told, sizeof(told)) != sizeof(told))
			told = 0;
		finished += told % WORKER_FAILED;
		if (told >= WORKER_FAILED)
			stop_workers(runner);
		look(runner, &now);
		progress_update(progress, &now);
	}
}

static void
join_threads(struct runner *runner)
{
	for (uint32_t i = 0; i < runner->started; i++)
		pthread_join(runner->workers[i].thread, NULL);
}

static int
collect_samples(const struct runner *runner, struct result *result)
{
	size_t len = (size_t)(result->stats.complete + result->stats.overdue);

	result->samples = calloc(len + 1, sizeof(*result->samples));
	if (result->samples == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < runner->len; i++) {
		const struct worker *worker = &runner->workers[i];

		memcpy(&result->samples[result->samples_len], worker->samples,
		    worker->samples_len * sizeof(*result->samples));
		result->samples_len += worker->samples_len;
	}
	return 0;
}

static struct pace
pace_of(const struct departures *departures)
{
	if (departures->count < 2)
		return (struct pace){0};
	return (struct pace){.gaps = departures->count - 1, .span_ns = departures->last_ns - departures->first_ns};
}

/* collect merges what the workers counted. A failure of one explains the end better than how the others ended. */
static int
collect(const struct runner *runner, const struct cell *cell, struct result *result)
{
	int status = 0;

	for (uint32_t i = 0; i < runner->len && status == 0; i++) {
		const struct worker *worker = &runner->workers[i];

		status = stats_merge(&result->stats, &worker->stats);
		if (worker->end > result->end) {
			result->end = worker->end;
			result->error = worker->error;
			memcpy(result->why, worker->why, sizeof(result->why));
		}
	}
	result->duration_ns =
	    result->stats.end_ns > result->stats.begin_ns ? result->stats.end_ns - result->stats.begin_ns : 0;
	result->due = pace_of(&result->stats.due);
	result->left = pace_of(&result->stats.left);
	result->document_len = atomic_load(&runner->shared.document_lens[0]);
	result->warmup_ns = cell->config->warmup_ns;
	if (status != 0)
		return status;
	return cell->config->samples_file != NULL ? collect_samples(runner, result) : 0;
}

static int
init_shared(struct shared *shared, const struct cell *cell, struct tls_context *tls)
{
	*shared = (struct shared){
	    .tls = cell->target->tls ? tls : NULL,
	    .gate = PTHREAD_MUTEX_INITIALIZER,
	    .finished_fd = eventfd(0, EFD_CLOEXEC),
	    .document_lens = malloc(cell->requests->len * sizeof(*shared->document_lens)),
	};
	if (shared->finished_fd == -1)
		return -errno;
	if (shared->document_lens == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < cell->requests->len; i++)
		atomic_init(&shared->document_lens[i], -1);
	return 0;
}

/* perform runs the cell's threads from beginning to end. */
static int
perform(struct runner *runner, const struct cell *cell, struct progress *progress, struct result *result)
{
	int status;

	status = init_workers(runner, cell, cell_threads(cell));
	runner->begin_ns = clock_now_ns() + cell->config->warmup_ns;
	if (status == 0)
		status = start_threads(runner);
	if (status == 0)
		supervise(runner, progress);
	join_threads(runner);
	if (status != 0)
		return status;
	return collect(runner, cell, result);
}

int
runner_run(const struct cell *cell, struct tls_context *tls, struct progress *progress, struct result *result)
{
	struct runner runner = {0};
	int status;

	*result = (struct result){.wall_offset_ns = clock_wall_ns() - clock_now_ns()};
	status = init_shared(&runner.shared, cell, tls);
	if (stats_init(&result->stats) != 0)
		status = -ENOMEM;
	if (status == 0)
		status = perform(&runner, cell, progress, result);
	for (uint32_t i = 0; i < runner.len; i++)
		worker_deinit(&runner.workers[i]);
	free(runner.workers);
	free(runner.shared.document_lens);
	if (runner.shared.finished_fd != -1)
		close(runner.shared.finished_fd);
	return status;
}

void
runner_free(struct result *result)
{
	stats_deinit(&result->stats);
	free(result->samples);
	result->samples = NULL;
}
