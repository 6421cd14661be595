/* lab run: from names on the command line to a report. */
#include "experiments/run.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "experiments/check.h"
#include "experiments/find.h"
#include "experiments/memory.h"
#include "experiments/progress.h"
#include "experiments/record.h"
#include "experiments/report.h"
#include "experiments/scheduler.h"
#include "experiments/store.h"
#include "experiments/table.h"

struct run {
	const struct run_options *options;
	char *bin, *folder, *loadgen;
	struct keeper keeper;
	struct record record;
	struct store *store;
	struct progress progress;
	bool store_failed;
};

/* say prints the run's one line about what went wrong, and returns the exit status. */
static int
say(int status, const char *what)
{
	fprintf(stderr, "lab: %s\n", what);
	return status;
}

static int
add_experiment(struct run *run, const char *what)
{
	struct experiment experiment;
	char error[DEFINITION_ERROR_MAX];
	int result = find_definition(&experiment, run->folder, what, error);

	if (result == 0)
		result = plan_add(&run->record.plan, &experiment, error);
	else if (result == -EINVAL) {
		/* FILE:LINE: first, as compilers write it and editors read it. */
		fprintf(stderr, "%s\n", error);
		return EXIT_CALLER;
	}
	return result == 0 ? EXIT_OK : say(EXIT_CALLER, error);
}

static int
add_experiments(struct run *run, char *const *what, size_t count)
{
	char error[DEFINITION_ERROR_MAX];
	int status = EXIT_OK;

	for (size_t i = 0; i < count && status == EXIT_OK; i++) {
		size_t known;
		char **names;

		if (strcmp(what[i], "all") != 0) {
			status = add_experiment(run, what[i]);
			continue;
		}
		names = find_names(run->folder, &known);
		if (known == 0)
			status = say(EXIT_WORLD,
			    "no experiments found; set LOOPFORK_EXPERIMENTS to the folder that holds task7.ini");
		for (size_t n = 0; n < known; n++) {
			if (status == EXIT_OK)
				status = add_experiment(run, names[n]);
			free(names[n]);
		}
		free(names);
	}
	if (status != EXIT_OK)
		return status;
	if (plan_complete(&run->record.plan, find_lender, run->folder, error) != 0) {
		fprintf(stderr, "%s\n", error);
		return EXIT_CALLER;
	}
	return EXIT_OK;
}

/* open_results makes the results folder and opens the store in it. */
static int
open_results(struct run *run)
{
	const char *results = run->options->results;
	char error[STORE_ERROR_MAX];
	char *path;

	if ((mkdir(results, 0777) != 0 && errno != EEXIST) || access(results, W_OK | X_OK) != 0) {
		fprintf(stderr, "lab: cannot write into the results folder %s: %s; choose another with --results\n",
		    results, strerror(errno));
		return EXIT_CALLER;
	}
	path = memory_print("%s/lab.sqlite", results);
	run->store = store_open(path, true, error);
	free(path);
	return run->store != NULL ? EXIT_OK : say(EXIT_CALLER, error);
}

/* store_cell stores one result; a store that fails is told once, and costs the run its good exit status. */
static void
store_cell(struct run *run, const struct cell *cell)
{
	char error[STORE_ERROR_MAX];

	if (run->store_failed || store_add_cell(run->store, &run->record, cell, error) == 0)
		return;
	run->store_failed = true;
	progress_end(&run->progress);
	say(EXIT_WORLD, error);
}

static void
on_cell(void *context, const struct cell *cell)
{
	struct run *run = context;

	progress_cell(&run->progress, cell);
	store_cell(run, cell);
}

static void
on_tick(void *context, const struct scheduler *scheduler)
{
	struct run *run = context;

	progress_tick(&run->progress, scheduler);
}

/* measure runs the jobs, and stores how it ended. */
static int
measure(struct run *run, struct job *jobs, size_t count)
{
	struct scheduler scheduler = {
	    .jobs = jobs,
	    .job_count = count,
	    .at_once = (size_t)run->record.jobs,
	    .world = {.keeper = &run->keeper, .bin = run->bin, .loadgen = run->loadgen},
	    .on_cell = on_cell,
	    .on_tick = on_tick,
	    .context = run,
	};
	char error[STORE_ERROR_MAX];
	int result;

	cpus_split(&scheduler.world.cpus);
	for (size_t i = 0; i < run->record.plan.cell_count; i++)
		if (run->record.plan.cells[i].result.state == RESULT_SKIPPED)
			store_cell(run, &run->record.plan.cells[i]);
	progress_init(&run->progress, run->options->quiet, record_count(&run->record, RESULT_NONE));
	result = scheduler_run(&scheduler);
	process_sweep(&run->keeper);
	progress_end(&run->progress);
	record_now_rfc3339(run->record.finished);
	run->record.state = result == 0 ? RECORD_COMPLETE : RECORD_INTERRUPTED;
	if (store_finish_run(run->store, &run->record, error) != 0 && !run->store_failed) {
		run->store_failed = true;
		say(EXIT_WORLD, error);
	}
	if (result == -EINTR) {
		fprintf(stderr,
		    "lab: interrupted; %zu of %zu cells are kept in %s/lab.sqlite; `lab report` makes a report of "
		    "them\n",
		    record_count(&run->record, RESULT_DONE), run->record.plan.cell_count, run->options->results);
		return EXIT_INTERRUPTED;
	}
	return result == 0 ? EXIT_OK : say(EXIT_WORLD, strerror(-result));
}

/* show writes the report and prints the tables. */
static int
show(struct run *run)
{
	const char *results = run->options->results;
	char error[REPORT_ERROR_MAX];
	struct text tables = {0};
	size_t failed = record_count(&run->record, RESULT_FAILED);
	int result = report_write(&run->record, &run->keeper, results, !run->options->no_plots, error);

	table_add_run(&tables, &run->record);
	fputs(text_string(&tables), stdout);
	text_deinit(&tables);
	if (result != 0)
		return say(EXIT_WORLD, error);
	printf("Report: %s/%s/report.html\n", results, run->record.name);
	if (fflush(stdout) != 0)
		return say(EXIT_WORLD, "cannot write to standard output");
	if (failed == 0)
		return run->store_failed ? EXIT_WORLD : EXIT_OK;
	fprintf(stderr, "lab: %zu of %zu cells failed; the report says why\n", failed, run->record.plan.cell_count);
	return EXIT_WORLD;
}

/* begin gathers the facts and stores the run's head. */
static int
begin(struct run *run)
{
	struct record *record = &run->record;
	char error[STORE_ERROR_MAX];

	record_now_name(record->name);
	record_now_rfc3339(record->started);
	record->command = memory_copy(run->options->command);
	record->jobs = run->options->jobs != 0 ? run->options->jobs : (int64_t)scheduler_jobs_default();
	machine_facts(&record->facts, &run->keeper, run->folder != NULL ? run->folder : ".", &record->plan);
	return store_begin_run(run->store, record, error) == 0 ? EXIT_OK : say(EXIT_WORLD, error);
}

/* run_all is run_experiments once the keeper is there. */
static int
run_all(struct run *run, char *const *what, size_t count)
{
	struct job *jobs = NULL;
	char error[CHECK_ERROR_MAX];
	size_t job_count;
	int status = add_experiments(run, what, count);

	if (status != EXIT_OK)
		return status;
	check_requirements(&run->record.plan, &run->keeper, run->bin);
	jobs = job_plan(&run->record.plan, &job_count);
	if (job_count == 0)
		status = say(EXIT_WORLD, "nothing is left to measure");
	else if (check_world(&run->record.plan, run->bin, !run->options->no_plots, &run->loadgen, error) != 0)
		status = say(EXIT_WORLD, error);
	if (status == EXIT_OK)
		status = open_results(run);
	if (status == EXIT_OK)
		status = begin(run);
	if (status == EXIT_OK)
		status = measure(run, jobs, job_count);
	if (status == EXIT_OK)
		status = show(run);
	free(jobs);
	return status;
}

int
run_experiments(const struct run_options *options, char *const *what, size_t count)
{
	struct run *run = memory_new(1, sizeof(*run));
	sigset_t signals;
	int status;

	run->options = options;
	run->bin = find_bin();
	run->folder = find_experiments(run->bin);
	scheduler_signals(&signals);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) != 0 || process_adopt() != 0 || keeper_start(&run->keeper) != 0)
		status = say(EXIT_WORLD, strerror(errno));
	else
		status = run_all(run, what, count);
	keeper_stop(&run->keeper);
	store_close(run->store);
	record_deinit(&run->record);
	free(run->bin);
	free(run->folder);
	free(run->loadgen);
	free(run);
	return status;
}
