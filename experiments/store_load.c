/* The store's other half: a stored run -> a record that a report can be made from. */
#include "experiments/store.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "experiments/memory.h"
#include "experiments/store_sql.h"

static const char *
column_text(sqlite3_stmt *statement, int column)
{
	const char *text = (const char *)sqlite3_column_text(statement, column);

	return text != NULL ? text : "";
}

static double
column_number(sqlite3_stmt *statement, int column)
{
	return sqlite3_column_type(statement, column) == SQLITE_NULL ? (double)NAN
								     : sqlite3_column_double(statement, column);
}

static int64_t
column_count(sqlite3_stmt *statement, int column)
{
	return sqlite3_column_type(statement, column) == SQLITE_NULL ? -1 : sqlite3_column_int64(statement, column);
}

/*
 * end_rows finalizes a statement whose last step returned GOT: rows that end
 * otherwise than with SQLITE_DONE are not all there.  NULL is a statement that could not be prepared.
 */
static int
end_rows(const struct store *store, sqlite3_stmt *statement, int got, char *error)
{
	int result = got == SQLITE_DONE ? 0 : statement == NULL ? -EIO : store_sql_fail(store, error);

	sqlite3_finalize(statement);
	return result;
}

static int
load_head(const struct store *store, const char *name, struct record *record, char *error)
{
	bool latest = strcmp(name, "latest") == 0;
	sqlite3_stmt *statement = store_sql_prepare(store, error,
	    "SELECT id, name, started, finished, state, jobs, command FROM run WHERE ? OR name = ? ORDER BY id DESC "
	    "LIMIT 1",
	    "is", (int64_t)latest, name);
	int got = statement != NULL ? sqlite3_step(statement) : SQLITE_ERROR;

	if (got == SQLITE_ROW) {
		record->id = sqlite3_column_int64(statement, 0);
		snprintf(record->name, sizeof(record->name), "%s", column_text(statement, 1));
		snprintf(record->started, sizeof(record->started), "%s", column_text(statement, 2));
		snprintf(record->finished, sizeof(record->finished), "%s", column_text(statement, 3));
		for (int i = 0; i < RECORD_STATES; i++)
			if (strcmp(column_text(statement, 4), record_state_names[i]) == 0)
				record->state = (enum record_state)i;
		record->jobs = sqlite3_column_int64(statement, 5);
		record->command = memory_copy(column_text(statement, 6));
	}
	if (end_rows(store, statement, got == SQLITE_ROW ? SQLITE_DONE : got, error) != 0)
		return -EIO;
	if (got == SQLITE_ROW)
		return 0;
	if (latest)
		snprintf(error, STORE_ERROR_MAX, "no run is stored yet; start with: lab run task7");
	else
		snprintf(error, STORE_ERROR_MAX, "no run is called %s; lab list shows the runs", name);
	return -ENOENT;
}

static int
load_facts(const struct store *store, struct record *record, char *error)
{
	sqlite3_stmt *statement = store_sql_prepare(
	    store, error, "SELECT name, value FROM fact WHERE run_id = ? ORDER BY position", "i", record->id);
	int got = SQLITE_ERROR;

	while (statement != NULL && (got = sqlite3_step(statement)) == SQLITE_ROW)
		facts_add(&record->facts, column_text(statement, 0), column_text(statement, 1));
	return end_rows(store, statement, got, error);
}

/* find_nothing: all experiments of a stored run are stored with it. */
static int
find_nothing(struct experiment *experiment, const struct experiment *by, const char *name, void *context, char *error)
{
	(void)experiment, (void)by, (void)context;
	snprintf(error, DEFINITION_ERROR_MAX, "the store does not hold the experiment %s", name);
	return -ENOENT;
}

static int
load_plan(const struct store *store, struct record *record, char *error)
{
	sqlite3_stmt *statement = store_sql_prepare(store, error,
	    "SELECT path, definition, asked FROM experiment WHERE run_id = ? ORDER BY position", "i", record->id);
	struct plan *plan = &record->plan;
	char why[DEFINITION_ERROR_MAX];
	size_t asked = 0;
	int got = SQLITE_ERROR, result = 0;

	while (result == 0 && statement != NULL && (got = sqlite3_step(statement)) == SQLITE_ROW) {
		struct experiment experiment;

		asked += sqlite3_column_int(statement, 2) != 0;
		result = definition_parse(&experiment, column_text(statement, 0), column_text(statement, 1), why);
		if (result == 0)
			result = plan_add(plan, &experiment, why);
	}
	if (result == 0 && end_rows(store, statement, got, error) != 0)
		return -EIO;
	if (result != 0)
		sqlite3_finalize(statement);
	plan->asked = asked;
	if (result == 0)
		result = plan_complete(plan, find_nothing, NULL, why);
	if (result != 0)
		snprintf(error, STORE_ERROR_MAX, "the stored definition cannot be read: %.400s", why);
	return result == 0 ? 0 : -EIO;
}

static struct cell *
find_cell(const struct plan *plan, sqlite3_stmt *row)
{
	for (size_t i = 0; i < plan->cell_count; i++) {
		struct cell *cell = &plan->cells[i];

		if (strcmp(cell->experiment->name, column_text(row, 0)) == 0 &&
		    strcmp(cell->server->name, column_text(row, 1)) == 0 &&
		    cell->sleep_s == sqlite3_column_double(row, 2) && cell->concurrency == sqlite3_column_int(row, 3) &&
		    cell->requests == sqlite3_column_int64(row, 4))
			return cell;
	}
	return NULL;
}

static void
read_result(struct result *result, sqlite3_stmt *row)
{
	for (int i = 0; i < RESULT_STATES; i++)
		if (strcmp(column_text(row, 5), result_state_names[i]) == 0)
			result->state = (enum result_state)i;
	snprintf(result->error, sizeof(result->error), "%s", column_text(row, 6));
	result->complete = column_count(row, 7);
	result->failed = column_count(row, 8);
	result->write_errors = column_count(row, 9);
	result->non_2xx = column_count(row, 10);
	result->keepalive = column_count(row, 11);
	result->duration_s = column_number(row, 12);
	result->rps = column_number(row, 13);
	result->time_ms = column_number(row, 14);
	result->time_all_ms = column_number(row, 15);
	for (int i = 0; i < RESULT_LATENCIES; i++)
		result->latency_ms[i] = column_number(row, 16 + i);
	result->client_cpu_s = column_number(row, 16 + RESULT_LATENCIES);
}

static int
load_cells(const struct store *store, struct record *record, char *error)
{
	sqlite3_stmt *statement = store_sql_prepare(store, error,
	    "SELECT experiment, server, sleep_s, concurrency, requests, state, error, complete, failed, write_errors, "
	    "non_2xx,"
	    " keepalive, duration_s, rps, time_per_request_ms, time_per_request_all_ms, min_ms, mean_ms, sd_ms, "
	    "p50_ms, p66_ms,"
	    " p75_ms, p80_ms, p90_ms, p95_ms, p98_ms, p99_ms, max_ms, client_cpu_s FROM cell WHERE run_id = ?",
	    "i", record->id);
	int got = SQLITE_ERROR;

	while (statement != NULL && (got = sqlite3_step(statement)) == SQLITE_ROW) {
		struct cell *cell = find_cell(&record->plan, statement);

		if (cell != NULL)
			read_result(&cell->result, statement);
	}
	return end_rows(store, statement, got, error);
}

int
store_load_run(struct store *store, const char *name, struct record *record, char *error)
{
	int result;

	*record = (struct record){0};
	result = load_head(store, name, record, error);
	if (result == 0)
		result = load_facts(store, record, error);
	if (result == 0)
		result = load_plan(store, record, error);
	if (result == 0)
		result = load_cells(store, record, error);
	if (result != 0)
		record_deinit(record);
	return result;
}

int
store_list(struct store *store,
    void (*line)(void *context, const char *name, const char *state, int cells, const char *experiments), void *context,
    char *error)
{
	sqlite3_stmt *statement = store_sql_prepare(store, error,
	    "SELECT name, state, (SELECT count(*) FROM cell WHERE run_id = run.id),"
	    " (SELECT group_concat(name, ' ') FROM experiment WHERE run_id = run.id AND asked)"
	    " FROM run ORDER BY id DESC",
	    "");
	int got = SQLITE_ERROR;

	while (statement != NULL && (got = sqlite3_step(statement)) == SQLITE_ROW)
		line(context, column_text(statement, 0), column_text(statement, 1), sqlite3_column_int(statement, 2),
		    column_text(statement, 3));
	return end_rows(store, statement, got, error);
}
