/* Statements on the store's database: prepared, bound and stepped in one place. */
#ifndef EXPERIMENTS_STORE_SQL_H
#define EXPERIMENTS_STORE_SQL_H

#include <sqlite3.h>

#include "common/compiler.h"
#include "experiments/store.h"

struct store {
	sqlite3 *db;
};

/* store_sql_fail writes what went wrong last to ERROR[STORE_ERROR_MAX], and returns -EIO. */
int store_sql_fail(const struct store *store, char *error);

/* store_sql_run runs SQL that has no parameters and returns no rows.  Returns 0 or -EIO. */
MUST_CHECK int store_sql_run(const struct store *store, const char *sql, char *error);

/*
 * store_sql_prepare makes a statement and binds its parameters by FORMAT: s a
 * string (NULL stays NULL), i an int64_t, d a double (NAN becomes NULL), n a count (-1 becomes NULL).
 * NULL on an error.  The caller finalizes it.
 */
sqlite3_stmt *store_sql_prepare(const struct store *store, char *error, const char *sql, const char *format, ...);

/* store_sql_step runs a statement that returns no rows (NULL: -EIO), and finalizes it. */
MUST_CHECK int store_sql_step(const struct store *store, sqlite3_stmt *statement, char *error);

#endif
