/* results/lab.sqlite: a row for every cell ever measured, and what is needed to make a run's report again. */
#include "experiments/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/version.h"
#include "experiments/memory.h"
#include "experiments/store_schema.h"
#include "experiments/store_sql.h"

#define BUSY_MS 10000 /* how long another lab that writes may keep us waiting */

/* finish commits what worked, and takes back what did not. */
static int
finish(const struct store *store, int result, char *error)
{
	char ignored[STORE_ERROR_MAX];

	if (result == 0)
		result = store_sql_run(store, "COMMIT", error);
	if (result != 0 && store_sql_run(store, "ROLLBACK", ignored) != 0)
		return result;
	return result;
}

/* read_version reads the version of the tables; 0: there are none yet. */
static int
read_version(const struct store *store, int *version, char *error)
{
	sqlite3_stmt *statement = store_sql_prepare(store, error, "PRAGMA user_version", "");
	int result = 0;

	if (statement == NULL)
		return -EIO;
	if (sqlite3_step(statement) == SQLITE_ROW)
		*version = sqlite3_column_int(statement, 0);
	else
		result = store_sql_fail(store, error);
	sqlite3_finalize(statement);
	return result;
}

/* make_tables makes them, unless another lab did so since their version was read: only the writer's look counts. */
static int
make_tables(const struct store *store, int *version, char *error)
{
	char version_sql[64];
	int result = store_sql_run(store, "BEGIN IMMEDIATE", error);

	if (result != 0)
		return result;
	result = read_version(store, version, error);
	if (result == 0 && *version == 0) {
		snprintf(version_sql, sizeof(version_sql), "PRAGMA user_version = %d", STORE_VERSION);
		*version = STORE_VERSION;
		result = store_sql_run(store, STORE_SCHEMA, error);
		if (result == 0)
			result = store_sql_run(store, version_sql, error);
	}
	return finish(store, result, error);
}

static int
check_version(const struct store *store, bool create, char *error)
{
	int version, result;

	result = read_version(store, &version, error);
	if (result == 0 && version == 0 && create)
		result = make_tables(store, &version, error);
	if (result != 0 || version == STORE_VERSION)
		return result;
	snprintf(error, STORE_ERROR_MAX,
	    "%s: its tables have version %d, this lab reads %d; use another results folder",
	    sqlite3_db_filename(store->db, "main"), version, STORE_VERSION);
	return -EIO;
}

struct store *
store_open(const char *path, bool create, char *error)
{
	struct store *store = memory_new(1, sizeof(*store));
	int flags = SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0);

	if (sqlite3_open_v2(path, &store->db, flags, NULL) != SQLITE_OK) {
		snprintf(error, STORE_ERROR_MAX, "%s: %s", path, sqlite3_errmsg(store->db));
	} else {
		sqlite3_busy_timeout(store->db, BUSY_MS);
		sqlite3_extended_result_codes(store->db, 1);
		if (store_sql_run(store, "PRAGMA foreign_keys = ON", error) == 0 &&
		    check_version(store, create, error) == 0)
			return store;
	}
	store_close(store);
	return NULL;
}

void
store_close(struct store *store)
{
	if (store == NULL)
		return;
	sqlite3_close(store->db);
	free(store);
}

/* is_taken tells whether a run has this name. */
static bool
is_taken(const struct store *store, const char *name)
{
	char error[STORE_ERROR_MAX];
	sqlite3_stmt *statement = store_sql_prepare(store, error, "SELECT 1 FROM run WHERE name = ?", "s", name);
	bool taken = statement != NULL && sqlite3_step(statement) == SQLITE_ROW;

	sqlite3_finalize(statement);
	return taken;
}

static int
insert_run(struct store *store, struct record *record, char *error)
{
	const struct plan *plan = &record->plan;
	size_t base = strlen(record->name);
	int result;

	for (int i = 2; is_taken(store, record->name) && i < 1000; i++)
		snprintf(record->name + base, sizeof(record->name) - base, "-%d", i);
	result = store_sql_step(store,
	    store_sql_prepare(store, error,
		"INSERT INTO run (name, started, state, jobs, command, version, revision) VALUES (?, ?, 'running', ?, "
		"?, ?, ?)",
		"ssisss", record->name, record->started, record->jobs, record->command, LOOPFORK_VERSION,
		facts_find(&record->facts, "git revision")),
	    error);
	record->id = sqlite3_last_insert_rowid(store->db);
	for (size_t i = 0; result == 0 && i < record->facts.count; i++)
		result = store_sql_step(store,
		    store_sql_prepare(store, error, "INSERT INTO fact VALUES (?, ?, ?, ?)", "iiss", record->id,
			(int64_t)i, record->facts.at[i].name, record->facts.at[i].value),
		    error);
	for (size_t i = 0; result == 0 && i < plan->experiment_count; i++) {
		const struct experiment *experiment = &plan->experiments[i];
		char *path = memory_print("%s/%s.ini", experiment->folder, experiment->name);

		result = store_sql_step(store,
		    store_sql_prepare(store, error, "INSERT INTO experiment VALUES (?, ?, ?, ?, ?, ?)", "iissis",
			record->id, (int64_t)i, experiment->name, path, (int64_t)(i < plan->asked), experiment->source),
		    error);
		free(path);
	}
	return result;
}

int
store_begin_run(struct store *store, struct record *record, char *error)
{
	int result = store_sql_run(store, "BEGIN IMMEDIATE", error);

	return result != 0 ? result : finish(store, insert_run(store, record, error), error);
}

int
store_add_cell(struct store *store, const struct record *record, const struct cell *cell, char *error)
{
	const struct result *r = &cell->result;
	const double *ms = r->latency_ms;
	char now[RECORD_NAME_MAX];

	record_now_rfc3339(now);
	return store_sql_step(store,
	    store_sql_prepare(store, error,
		"INSERT INTO cell (run_id, measured, experiment, server, label, sleep_s, concurrency, requests, state, "
		"error,"
		" complete, failed, write_errors, non_2xx, keepalive, duration_s, rps, time_per_request_ms,"
		" time_per_request_all_ms, min_ms, mean_ms, sd_ms, p50_ms, p66_ms, p75_ms, p80_ms, p90_ms, p95_ms, "
		"p98_ms, p99_ms,"
		" max_ms, client_cpu_s, loadgen_json)"
		" VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
		"issssdiissnnnnnddddddddddddddddds", record->id, now, cell->experiment->name, cell->server->name,
		cell->server->label, cell->sleep_s, (int64_t)cell->concurrency, cell->requests,
		result_state_names[r->state], r->error[0] != '\0' ? r->error : NULL, r->complete, r->failed,
		r->write_errors, r->non_2xx, r->keepalive, r->duration_s, r->rps, r->time_ms, r->time_all_ms, ms[0],
		ms[1], ms[2], ms[3], ms[4], ms[5], ms[6], ms[7], ms[8], ms[9], ms[10], ms[11], r->client_cpu_s,
		r->json),
	    error);
}

int
store_finish_run(struct store *store, const struct record *record, char *error)
{
	return store_sql_step(store,
	    store_sql_prepare(store, error, "UPDATE run SET finished = ?, state = ? WHERE id = ?", "ssi",
		record->finished, record_state_names[record->state], record->id),
	    error);
}
