/* A job: one server, started, asked whether it is ready, loaded cell by cell, and stopped. */
#include "experiments/job.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "common/clock.h"
#include "experiments/command.h"
#include "experiments/loadgen_result.h"
#include "experiments/memory.h"
#include "experiments/port.h"

#define HOST "127.0.0.1"
#define STOP_SECONDS 5  /* from SIGTERM to SIGKILL */
#define ABORT_SECONDS 2 /* the same when the user wants to go */
#define GONE_LOOK_NS (2 * NS_PER_MS)
#define QUIET_BELOW_S 5.0     /* a shorter cell feels a process that starts or stops beside it */
#define LOAD_SECONDS_MIN 60.0 /* a cell may take this, or four times what is expected, whichever is longer */
#define LOADGEN_DOUBTFUL 3    /* loadgen's exit status when a check of its own health failed: the figures are there */
#define JSON_MAX (4 << 20)

static void
enter(struct job *job, enum job_state state, uint64_t seconds)
{
	job->state = state;
	job->state_since_ns = clock_now_ns();
	job->deadline_ns = seconds > 0 ? job->state_since_ns + seconds * NS_PER_SEC : UINT64_MAX;
}

static int
longest_first(const void *left, const void *right)
{
	const struct job *a = left, *b = right;

	if (a->expected_s != b->expected_s)
		return a->expected_s < b->expected_s ? 1 : -1;
	/* qsort is not stable: cells stand in one array, in the order of the plan. */
	return a->cells[0] < b->cells[0] ? -1 : 1;
}

struct job *
job_plan(struct plan *plan, size_t *count)
{
	struct job *jobs = memory_new(plan->cell_count, sizeof(*jobs));

	*count = 0;
	for (size_t i = 0; i < plan->cell_count; i++) {
		struct cell *cell = &plan->cells[i];
		struct job *job = NULL;
		double expected = plan_cell_expected_s(cell);

		if (cell->result.state != RESULT_NONE)
			continue;
		for (size_t j = 0; j < *count && !cell->experiment->restart; j++)
			if (jobs[j].cells[0]->server == cell->server && jobs[j].cell_count < VALUES_MAX)
				job = &jobs[j];
		if (job == NULL) {
			job = &jobs[(*count)++];
			job->server = job->load = (struct process){.output = -1, .errors = -1};
			job->ready.fd = -1;
		}
		job->cells[job->cell_count++] = cell;
		job->expected_s += expected;
		job->quiet |= expected < QUIET_BELOW_S;
	}
	qsort(jobs, *count, sizeof(*jobs), longest_first);
	return jobs;
}

/* fail_cells gives the cells from next_cell on the same failed result: there will be no other. */
static void PRINTF_LIKE(2, 3) fail_cells(struct job *job, const char *format, ...)
{
	char why[RESULT_ERROR_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	for (; job->next_cell < job->cell_count; job->next_cell++) {
		struct result *result = &job->cells[job->next_cell]->result;

		result->state = RESULT_FAILED;
		memcpy(result->error, why, sizeof(why));
	}
	enter(job, JOB_FINISHED, 0);
}

static struct command_values
values_of(const struct job *job, const struct cell *cell, const struct job_world *world)
{
	return (struct command_values){
	    .host = HOST,
	    .port = job->port,
	    .sleep_s = cell->sleep_s,
	    .concurrency = cell->concurrency,
	    .requests = cell->requests,
	    .bin = world->bin,
	    .experiments = cell->experiment->folder,
	};
}

void
job_start(struct job *job, const struct job_world *world)
{
	const struct cell *cell = job->cells[0];
	const struct server *server = cell->server;
	struct command_values values;
	char error[COMMAND_ERROR_MAX];
	char **argv;
	char *path = NULL;
	int result = -ENOENT;

	result_init(&job->cells[0]->result);
	job->port = server->port != 0 ? (int)server->port : port_free(HOST);
	values = values_of(job, cell, world);
	argv = command_split(server->command, &values, error);
	if (argv != NULL)
		path = command_find(argv[0], world->bin);
	if (path != NULL) {
		free(argv[0]);
		argv[0] = path;
		result = process_spawn(&job->server, world->keeper, argv, &world->cpus.server, false);
	}
	if (argv == NULL)
		fail_cells(job, "%s: %s", server->name, error);
	else if (result != 0)
		fail_cells(job, "%s does not start: %s: %s", server->name, argv[0], strerror(-result));
	else if (ready_init(&job->ready, server, HOST, job->port) != 0)
		fail_cells(job, "%s: %s is not an address", server->name, HOST);
	else {
		enter(job, JOB_STARTING, 0);
		job->deadline_ns = job->state_since_ns + server->deadline_ns;
	}
	command_free(argv);
}

/* ask_ready goes on asking a starting server; a server that cannot become ready fails all its cells. */
static void
ask_ready(struct job *job)
{
	const struct server *server = job->cells[0]->server;
	char error[READY_ERROR_MAX], how[128], lines[256];

	/* An answer on the port of a server that has died would be somebody else's. */
	if (!job->server.running) {
		fail_cells(job, "%s %s before it was ready: %s", server->name,
		    process_describe(&job->server, how, sizeof(how)),
		    process_last_lines(job->server.errors, lines, sizeof(lines)));
		return;
	}
	switch (ready_step(&job->ready, error)) {
	case READY_YES:
		enter(job, JOB_IDLE, 0);
		return;
	case READY_FAILED:
		fail_cells(job, "%s is not ready: %s", server->name, error);
		return;
	case READY_WAITING:
	case READY_CONNECTING:
	case READY_READING:
		break;
	}
	if (clock_now_ns() >= job->deadline_ns)
		fail_cells(job, "%s did not get ready on port %d within %g s: %s", server->name, job->port,
		    (double)server->deadline_ns / (double)NS_PER_SEC,
		    process_last_lines(job->server.errors, lines, sizeof(lines)));
}

/* load_argv makes loadgen's command line: what a person would type. NULL with a sentence in ERROR. */
static char **
load_argv(const struct job *job, const struct cell *cell, const struct job_world *world, char *error)
{
	struct command_values values = values_of(job, cell, world);
	char *template = memory_print("{bin}/loadgen -n {requests} -c {concurrency} --json - %s %s",
	    cell->server->options != NULL ? cell->server->options : "", cell->server->url);
	char **argv = command_split(template, &values, error);

	free(template);
	if (argv != NULL) {
		free(argv[0]);
		argv[0] = memory_copy(world->loadgen);
	}
	return argv;
}

void
job_load(struct job *job, const struct job_world *world)
{
	const struct cell *cell = job->cells[job->next_cell];
	double seconds = 4 * plan_cell_expected_s(cell);
	char error[COMMAND_ERROR_MAX];
	char **argv = load_argv(job, cell, world, error);
	int result;

	if (argv == NULL) {
		fail_cells(job, "%s: %s", cell->server->name, error);
		return;
	}
	result = process_spawn(&job->load, world->keeper, argv, &world->cpus.load, true);
	if (result != 0)
		fail_cells(job, "loadgen does not start: %s: %s", argv[0], strerror(-result));
	else {
		enter(job, JOB_LOADING, 0);
		job->deadline_ns = job->state_since_ns +
				   (cell->server->timeout_ns != 0
					   ? cell->server->timeout_ns
					   : (uint64_t)((seconds > LOAD_SECONDS_MIN ? seconds : LOAD_SECONDS_MIN) *
							(double)NS_PER_SEC));
	}
	command_free(argv);
}

/* ended_as_told tells whether loadgen's wait STATUS goes with what it wrote, which could be PARSED or not. */
static bool
ended_as_told(int status, bool parsed, const struct result *result)
{
	if (!WIFEXITED(status))
		return false;
	if (WEXITSTATUS(status) == 0)
		return true;
	if (!parsed)
		return false;
	return result->state == RESULT_FAILED || (WEXITSTATUS(status) == LOADGEN_DOUBTFUL && result->error[0] != '\0');
}

/* take_result reads what loadgen wrote before it ended. */
static void
take_result(struct job *job, struct cell *cell)
{
	struct result *result = &cell->result;
	struct text json = {0};
	char how[128], lines[256];
	int parsed;

	process_read(job->load.output, &json, JSON_MAX);
	parsed = loadgen_result_parse(result, text_string(&json), cell->requests);
	if (!job->server.running) {
		result->state = RESULT_FAILED;
		snprintf(result->error, sizeof(result->error), "%s %s while it was loaded: %s", cell->server->name,
		    process_describe(&job->server, how, sizeof(how)),
		    process_last_lines(job->server.errors, lines, sizeof(lines)));
	} else if (!ended_as_told(job->load.status, parsed == 0, result)) {
		result->state = RESULT_FAILED;
		snprintf(result->error, sizeof(result->error), "loadgen %s: %s",
		    process_describe(&job->load, how, sizeof(how)),
		    process_last_lines(job->load.errors, lines, sizeof(lines)));
	}
	text_deinit(&json);
}

/* watch_load waits for loadgen's end and takes its result. */
static void
watch_load(struct job *job, const struct job_world *world)
{
	struct cell *cell = job->cells[job->next_cell];
	bool late = clock_now_ns() >= job->deadline_ns;

	if (!process_is_gone(&job->load)) {
		if (late)
			process_kill(&job->load);
		return;
	}
	take_result(job, cell);
	if (late && WIFSIGNALED(job->load.status))
		snprintf(cell->result.error, sizeof(cell->result.error), "loadgen was not done within %.0f s",
		    (double)(job->deadline_ns - job->state_since_ns) / (double)NS_PER_SEC);
	process_close(&job->load, world->keeper);
	job->next_cell++;
	if (!job->server.running && job->next_cell < job->cell_count)
		fail_cells(job, "%s had ended before", cell->server->name);
	enter(job, job->next_cell < job->cell_count ? JOB_IDLE : JOB_FINISHED, 0);
}

void
job_stop(struct job *job)
{
	process_signal(&job->server, SIGTERM);
	enter(job, JOB_STOPPING, STOP_SECONDS);
}

static void
watch_stop(struct job *job, const struct job_world *world)
{
	if (!process_is_gone(&job->server) || !process_is_gone(&job->load)) {
		if (clock_now_ns() >= job->deadline_ns || !job->server.running)
			process_kill(&job->server);
		return;
	}
	ready_deinit(&job->ready);
	process_close(&job->server, world->keeper);
	process_close(&job->load, world->keeper);
	enter(job, JOB_DONE, 0);
}

void
job_go_on(struct job *job, const struct job_world *world)
{
	switch (job->state) {
	case JOB_STARTING:
		ask_ready(job);
		break;
	case JOB_LOADING:
		watch_load(job, world);
		break;
	case JOB_STOPPING:
		watch_stop(job, world);
		break;
	case JOB_IDLE:
		if (!job->server.running)
			fail_cells(job, "%s ended before it was loaded", job->cells[0]->server->name);
		break;
	case JOB_QUEUED:
	case JOB_FINISHED:
	case JOB_DONE:
		break;
	}
}

bool
job_child_ended(struct job *job, pid_t pid, int status)
{
	if (job->server.pid == pid)
		process_ended(&job->server, status);
	else if (job->load.pid == pid)
		process_ended(&job->load, status);
	else
		return false;
	return true;
}

void
job_abort(struct job *job, bool hard)
{
	if (!job_is_active(job)) {
		job->state = JOB_DONE;
		return;
	}
	process_kill(&job->load);
	if (hard)
		process_kill(&job->server);
	process_signal(&job->server, SIGTERM);
	if (job->state != JOB_STOPPING || hard)
		enter(job, JOB_STOPPING, ABORT_SECONDS);
}

uint64_t
job_due_ns(const struct job *job)
{
	uint64_t soon = clock_now_ns() + GONE_LOOK_NS;
	uint64_t due = job->deadline_ns;

	if (job->state == JOB_STARTING && job->ready.state == READY_WAITING && job->ready.next_ns < due)
		return job->ready.next_ns;
	/* When a dead leader's group is empty no signal tells; and what was killed at its deadline is soon gone. */
	if ((job->state == JOB_LOADING && !job->load.running) || (job->state == JOB_STOPPING && !job->server.running))
		return soon;
	return due > soon ? due : soon;
}

bool
job_is_active(const struct job *job)
{
	return job->state != JOB_QUEUED && job->state != JOB_DONE;
}
