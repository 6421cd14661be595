/* results/lab.sqlite: a row for every cell ever measured, and what is needed to make a run's report again. */
#ifndef EXPERIMENTS_STORE_H
#define EXPERIMENTS_STORE_H

#include <stddef.h>

#include "common/compiler.h"
#include "experiments/record.h"

#define STORE_ERROR_MAX 512
#define STORE_VERSION 1 /* PRAGMA user_version; it grows with every change of the tables */

struct store; /* an open database */

/*
 * store_open opens the database PATH, and makes it when CREATE is set.  NULL
 * with a sentence in ERROR when it cannot be opened or written, is no such database, or is of a newer version.
 * store_close takes NULL.
 */
struct store *store_open(const char *path, bool create, char *error);
void store_close(struct store *store);

/*
 * Each of these is one transaction: all of it is on disk when it returns 0,
 * nothing of it when it returns -EIO with a sentence in ERROR.
 *
 * store_begin_run adds the run with its facts and definitions, sets
 * record->id, and makes record->name unique ("-2" behind it where it is taken).
 * store_add_cell adds one measured, failed or skipped cell.
 * store_finish_run stores how the run ended, and when.
 */
MUST_CHECK int store_begin_run(struct store *store, struct record *record, char *error);
MUST_CHECK int store_add_cell(struct store *store, const struct record *record, const struct cell *cell, char *error);
MUST_CHECK int store_finish_run(struct store *store, const struct record *record, char *error);

/*
 * store_load_run reads the run NAME ("latest": the last that was begun) with its
 * plan and results into RECORD, which record_deinit frees.  Returns 0, -ENOENT, or -EIO,
 * with a sentence in ERROR.
 */
MUST_CHECK int store_load_run(struct store *store, const char *name, struct record *record, char *error);

/* store_list calls LINE with the name, state, number of cells, and experiments of each run, the latest first. */
MUST_CHECK int store_list(struct store *store,
    void (*line)(void *context, const char *name, const char *state, int cells, const char *experiments), void *context,
    char *error);

#endif
