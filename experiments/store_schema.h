/* The tables of results/lab.sqlite. */
#ifndef EXPERIMENTS_STORE_SCHEMA_H
#define EXPERIMENTS_STORE_SCHEMA_H

/*
 * Times are RFC 3339, durations in seconds or milliseconds as the column says;
 * NULL stands for "not measured".  The view `cells` is what a person wants: a row for every cell with its
 * run, its machine and its version.
 */
#define STORE_SCHEMA \
	"CREATE TABLE run (" \
	" id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, started TEXT NOT NULL, finished TEXT," \
	" state TEXT NOT NULL CHECK (state IN ('running', 'complete', 'interrupted'))," \
	" jobs INTEGER NOT NULL, command TEXT NOT NULL, version TEXT NOT NULL, revision TEXT);" \
	"CREATE TABLE fact (" \
	" run_id INTEGER NOT NULL REFERENCES run(id), position INTEGER NOT NULL," \
	" name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (run_id, position));" \
	"CREATE TABLE experiment (" \
	" run_id INTEGER NOT NULL REFERENCES run(id), position INTEGER NOT NULL," \
	" name TEXT NOT NULL, path TEXT NOT NULL, asked INTEGER NOT NULL, definition TEXT NOT NULL," \
	" PRIMARY KEY (run_id, position));" \
	"CREATE TABLE cell (" \
	" id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES run(id), measured TEXT NOT NULL," \
	" experiment TEXT NOT NULL, server TEXT NOT NULL, label TEXT NOT NULL," \
	" sleep_s REAL NOT NULL, concurrency INTEGER NOT NULL, requests INTEGER NOT NULL," \
	" state TEXT NOT NULL CHECK (state IN ('done', 'failed', 'skipped')), error TEXT," \
	" complete INTEGER, failed INTEGER, write_errors INTEGER, non_2xx INTEGER, keepalive INTEGER," \
	" duration_s REAL, rps REAL, time_per_request_ms REAL, time_per_request_all_ms REAL," \
	" min_ms REAL, mean_ms REAL, sd_ms REAL, p50_ms REAL, p66_ms REAL, p75_ms REAL, p80_ms REAL, p90_ms REAL," \
	" p95_ms REAL, p98_ms REAL, p99_ms REAL, max_ms REAL, client_cpu_s REAL, loadgen_json TEXT," \
	" UNIQUE (run_id, experiment, server, sleep_s, concurrency, requests));" \
	"CREATE VIEW cells AS SELECT run.name AS run, run.started, run.state AS run_state, cell.*, run.jobs," \
	" run.version, run.revision," \
	" (SELECT value FROM fact WHERE run_id = run.id AND fact.name = 'kernel') AS kernel," \
	" (SELECT value FROM fact WHERE run_id = run.id AND fact.name = 'CPU') AS cpu," \
	" (SELECT value FROM fact WHERE run_id = run.id AND fact.name = 'CPUs') AS cpus," \
	" (SELECT group_concat(name || ': ' || value, '; ') FROM fact WHERE run_id = run.id) AS machine" \
	" FROM cell JOIN run ON run.id = cell.run_id;"

#endif
