/* Experiments and runs as tests need them: from text, with the numbers that a test wants to have been measured. */
#ifndef TESTS_UNIT_EXPERIMENTS_SAMPLE_H
#define TESTS_UNIT_EXPERIMENTS_SAMPLE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "experiments/memory.h"
#include "experiments/record.h"

#define SAMPLE_TASK7 \
	"[experiment]\n" \
	"title = Task 7\n" \
	"values = 5, 10, 20, 40\n" \
	"vary = concurrency\n" \
	"questions = concurrency\n" \
	"[server loop]\n" \
	"command = loop --bind {address}\n" \
	"url = http://{address}/\n" \
	"ideal = loop\n" \
	"[server fork]\n" \
	"command = fork --bind {address}\n" \
	"url = http://{address}/\n" \
	"ideal = workers:1\n"

#define SAMPLE_TASK8 \
	"[experiment]\n" \
	"title = Task 8\n" \
	"values = 0.1, 0.2, 0.3\n" \
	"vary = sleep\n" \
	"concurrency = 10\n" \
	"questions = wait\n" \
	"[server loop]\n" \
	"command = loop --bind {address} --sleep {sleep}\n" \
	"url = http://{address}/\n" \
	"ideal = loop\n"

#define SAMPLE_TASK9 \
	"[experiment]\n" \
	"title = Task 9\n" \
	"values = 5, 10, 20, 40\n" \
	"vary = concurrency\n" \
	"questions = blocking\n" \
	"[server blocked]\n" \
	"command = loop --bind {address} --blocking\n" \
	"url = http://{address}/\n" \
	"ideal = blocked-loop\n" \
	"[server fork]\n" \
	"from = task7/fork\n" \
	"[server loop]\n" \
	"from = task7/loop\n" \
	"plot = no\n"

static inline int
sample_find(struct experiment *experiment, const struct experiment *by, const char *name, void *context, char *error)
{
	(void)by, (void)context;
	if (strcmp(name, "task7") == 0)
		return definition_parse(experiment, "lab/task7.ini", SAMPLE_TASK7, error);
	snprintf(error, DEFINITION_ERROR_MAX, "no experiment %s", name);
	return -ENOENT;
}

/* sample_add adds the experiment in SOURCE, of a file called PATH, to PLAN. */
static inline void
sample_add(struct plan *plan, const char *path, const char *source)
{
	struct experiment experiment;
	char error[DEFINITION_ERROR_MAX] = "";

	if (definition_parse(&experiment, path, source, error) != 0 || plan_add(plan, &experiment, error) != 0)
		fail_msg("%s", error);
}

static inline void
sample_complete(struct plan *plan)
{
	char error[DEFINITION_ERROR_MAX] = "";

	if (plan_complete(plan, sample_find, NULL, error) != 0)
		fail_msg("%s", error);
}

/* sample_set gives a cell the result of RPS requests a second. */
static inline void
sample_set(struct plan *plan, const char *server, double sleep_s, int concurrency, double rps)
{
	for (size_t i = 0; i < plan->cell_count; i++) {
		struct cell *cell = &plan->cells[i];

		if (strcmp(cell->server->name, server) != 0 || cell->sleep_s != sleep_s ||
		    cell->concurrency != concurrency)
			continue;
		cell->result.state = RESULT_DONE;
		cell->result.complete = cell->requests;
		cell->result.failed = cell->result.write_errors = cell->result.non_2xx = cell->result.keepalive = 0;
		cell->result.rps = rps;
		cell->result.duration_s = (double)cell->requests / rps;
		cell->result.time_ms = 1000 * concurrency / rps;
		cell->result.time_all_ms = 1000 / rps;
		for (int l = 0; l < RESULT_LATENCIES; l++)
			cell->result.latency_ms[l] = 100 + l;
		return;
	}
	fail_msg("the plan has no cell of %s at S = %g, c = %d", server, sleep_s, concurrency);
}

/* sample_set_all measures SERVER of task 7 or 9 at 5, 10, 20 and 40. */
static inline void
sample_set_all(struct plan *plan, const char *server, double at_5, double at_10, double at_20, double at_40)
{
	sample_set(plan, server, 0.1, 5, at_5);
	sample_set(plan, server, 0.1, 10, at_10);
	sample_set(plan, server, 0.1, 20, at_20);
	sample_set(plan, server, 0.1, 40, at_40);
}

/* sample_record makes the record of a finished run of task 7 and task 9 with the figures one expects. */
static inline struct record *
sample_record(void)
{
	struct record *record = memory_new(1, sizeof(*record));

	sample_add(&record->plan, "lab/task7.ini", SAMPLE_TASK7);
	sample_add(&record->plan, "lab/task9.ini", SAMPLE_TASK9);
	sample_complete(&record->plan);
	sample_set_all(&record->plan, "loop", 49.5, 98.5, 195, 325);
	sample_set_all(&record->plan, "fork", 9.96, 9.97, 9.96, 9.95);
	sample_set_all(&record->plan, "blocked", 9.98, 9.97, 9.98, 9.97);
	snprintf(record->name, sizeof(record->name), "2026-11-21_10-00-00");
	snprintf(record->started, sizeof(record->started), "2026-11-21T10:00:00+03:00");
	snprintf(record->finished, sizeof(record->finished), "2026-11-21T10:00:31+03:00");
	record->state = RECORD_COMPLETE;
	record->jobs = 8;
	record->command = memory_copy("lab run task7 task9");
	facts_add(&record->facts, "kernel", "Linux 6.1");
	facts_add(&record->facts, "git revision", "abc<def>");
	return record;
}

static inline void
sample_free(struct record *record)
{
	record_deinit(record);
	free(record);
}

/* sample_folder makes a temporary folder; sample_remove removes it and the files in it. */
static inline char *
sample_folder(void)
{
	char *folder = memory_copy("/tmp/lab-test-XXXXXX");

	if (mkdtemp(folder) == NULL)
		fail_msg("no temporary folder: %s", strerror(errno));
	return folder;
}

static inline void
sample_remove(char *folder)
{
	char *command = memory_print("rm -rf '%s'", folder);

	assert_int_equal(system(command), 0);
	free(command);
	free(folder);
}

static inline void
assert_has(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("\"%s\" is not in:\n%s", part, text);
}

static inline void
assert_has_not(const char *text, const char *part)
{
	if (strstr(text, part) != NULL)
		fail_msg("\"%s\" is in:\n%s", part, text);
}

#endif
