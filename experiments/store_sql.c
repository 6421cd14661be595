/* Statements on the store's database: prepared, bound and stepped in one place. */
#include "experiments/store_sql.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

int
store_sql_fail(const struct store *store, char *error)
{
	snprintf(error, STORE_ERROR_MAX, "%s: %s", sqlite3_db_filename(store->db, "main"), sqlite3_errmsg(store->db));
	return -EIO;
}

int
store_sql_run(const struct store *store, const char *sql, char *error)
{
	return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : store_sql_fail(store, error);
}

sqlite3_stmt *
store_sql_prepare(const struct store *store, char *error, const char *sql, const char *format, ...)
{
	sqlite3_stmt *statement;
	va_list args;

	if (sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) != SQLITE_OK) {
		store_sql_fail(store, error);
		return NULL;
	}
	va_start(args, format);
	for (int i = 1; *format != '\0'; format++, i++) {
		const char *string;
		int64_t number;

		switch (*format) {
		case 's':
			string = va_arg(args, const char *);
			sqlite3_bind_text(statement, i, string, -1, SQLITE_TRANSIENT);
			break;
		case 'd':
			sqlite3_bind_double(statement, i, va_arg(args, double));
			break;
		default:
			number = va_arg(args, int64_t);
			if (*format == 'i' || number >= 0)
				sqlite3_bind_int64(statement, i, number);
			break;
		}
	}
	va_end(args);
	return statement;
}

int
store_sql_step(const struct store *store, sqlite3_stmt *statement, char *error)
{
	int result;

	if (statement == NULL)
		return -EIO;
	result = sqlite3_step(statement) == SQLITE_DONE ? 0 : store_sql_fail(store, error);
	sqlite3_finalize(statement);
	return result;
}
