/* Definitions -> the cells to measure, each once, and the series that tables and plots show. */
#ifndef EXPERIMENTS_PLAN_H
#define EXPERIMENTS_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "common/compiler.h"
#include "experiments/definition.h"
#include "experiments/result.h"

#define EXPERIMENTS_MAX 32 /* of one run, with those that others take cells from */

/* One measurement: one server, one sleep, one concurrency. */
struct cell {
	const struct experiment *experiment; /* where its server is defined */
	const struct server *server;         /* has a command */
	double sleep_s;
	int concurrency;
	int64_t requests;
	struct result result;
};

/* The cells of one [server] section of an experiment, one a value. */
struct series {
	const struct experiment *experiment; /* that shows it */
	const struct server *server;         /* its section there */
	const char *label;                   /* of that section, else of the origin */
	const struct server *origin;         /* the section with the command: the same, or the one behind `from` */
	size_t cells[VALUES_MAX];            /* of the plan, one for each value of the experiment */
	int style;                           /* 1 to SERVERS_MAX */
};

struct plan {
	struct experiment experiments[EXPERIMENTS_MAX];
	size_t experiment_count;
	size_t asked; /* the first so many were asked for; the others only lend servers */
	struct cell *cells;
	size_t cell_count;
	struct series *series; /* in the order of experiments and sections */
	size_t series_count;
};

/*
 * plan_find_fn loads the experiment NAME for a `from` in BY.  Returns as definition_load.
 */
typedef int plan_find_fn(
    struct experiment *experiment, const struct experiment *by, const char *name, void *context, char *error);

/*
 * plan_add puts an experiment that was asked for at the plan's end; the plan
 * then owns it (after an error too).  Returns 0, or -EINVAL with a line in ERROR[DEFINITION_ERROR_MAX]
 * when there are too many, or one of that name already.
 */
MUST_CHECK int plan_add(struct plan *plan, struct experiment *experiment, char *error);

/*
 * plan_complete makes cells and series of what was added.  Experiments that a
 * `from` names and nobody asked for are loaded through FIND.  A `from` shares
 * the cells of the other experiment where sleep, concurrency and requests agree and it runs too;
 * else it measures its own.  The same definitions give the same plan.
 * Returns 0, or -errno with a line in ERROR.
 */
MUST_CHECK int plan_complete(struct plan *plan, plan_find_fn *find, void *context, char *error);

void plan_deinit(struct plan *plan);

/* The cell of SERIES at value number VALUE. */
const struct cell *plan_cell(const struct plan *plan, const struct series *series, size_t value);

/* plan_cell_name writes "task7 async_server c=5" (or "S=0.1" where the sleep varies) to NAME[SIZE]; returns NAME. */
const char *plan_cell_name(const struct cell *cell, char *name, size_t size);

/*
 * plan_cell_expected_s says how long the cell should take.  Where no ideal is
 * known, as if waits overlap.
 */
double plan_cell_expected_s(const struct cell *cell);

#endif
