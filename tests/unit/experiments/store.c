/* The store: what goes in comes out, and a file that is no store is not touched. */
#include "tests/unit/experiments/sample.h"

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <sqlite3.h>
#include <unistd.h>

#include "experiments/store.h"
#include "experiments/store_schema.h"

static char error[STORE_ERROR_MAX];

static struct store *
open_in(const char *folder, bool create)
{
	char *path = memory_print("%s/lab.sqlite", folder);
	struct store *store = store_open(path, create, error);

	free(path);
	return store;
}

static void
put(struct store *store, struct record *record)
{
	if (store_begin_run(store, record, error) != 0)
		fail_msg("%s", error);
	for (size_t i = 0; i < record->plan.cell_count; i++)
		if (record->plan.cells[i].result.state != RESULT_NONE &&
		    store_add_cell(store, record, &record->plan.cells[i], error) != 0)
			fail_msg("%s", error);
	if (store_finish_run(store, record, error) != 0)
		fail_msg("%s", error);
}

static void
test_a_run_comes_back_as_it_was(void **state)
{
	char *folder = sample_folder();
	struct record *record = sample_record(), *back = memory_new(1, sizeof(*back));
	struct cell *failed = &record->plan.cells[2];
	struct store *store = open_in(folder, true);

	(void)state;
	assert_non_null(store);
	result_deinit(&failed->result);
	failed->result.state = RESULT_FAILED;
	snprintf(failed->result.error, sizeof(failed->result.error), "it's; DROP TABLE cell");
	put(store, record);
	store_close(store);
	store = open_in(folder, false);
	if (store_load_run(store, "latest", back, error) != 0)
		fail_msg("%s", error);
	assert_string_equal(back->name, record->name);
	assert_string_equal(back->started, record->started);
	assert_string_equal(back->finished, record->finished);
	assert_string_equal(back->command, record->command);
	assert_int_equal(back->state, RECORD_COMPLETE);
	assert_int_equal(back->jobs, 8);
	assert_string_equal(facts_find(&back->facts, "kernel"), "Linux 6.1");
	assert_int_equal(back->plan.asked, 2);
	assert_int_equal(back->plan.cell_count, record->plan.cell_count);
	assert_string_equal(back->plan.experiments[0].folder, "lab");
	for (size_t i = 0; i < back->plan.cell_count; i++) {
		const struct result *a = &record->plan.cells[i].result, *b = &back->plan.cells[i].result;

		assert_int_equal(a->state, b->state);
		assert_string_equal(a->error, b->error);
		assert_int_equal(a->complete, b->complete);
		assert_true(a->rps == b->rps || (isnan(a->rps) && isnan(b->rps)));
		assert_true(a->latency_ms[11] == b->latency_ms[11] || isnan(b->latency_ms[11]));
	}
	store_close(store);
	sample_free(record);
	sample_free(back);
	sample_remove(folder);
}

static void
test_an_interrupted_run_keeps_its_cells(void **state)
{
	char *folder = sample_folder();
	struct record *record = sample_record(), *back = memory_new(1, sizeof(*back));
	struct store *store = open_in(folder, true);

	(void)state;
	result_deinit(&record->plan.cells[0].result);
	record->state = RECORD_INTERRUPTED;
	put(store, record);
	assert_int_equal(store_load_run(store, record->name, back, error), 0);
	assert_int_equal(back->state, RECORD_INTERRUPTED);
	assert_int_equal(record_count(back, RESULT_NONE), 1);
	assert_int_equal(record_count(back, RESULT_DONE), 11);
	store_close(store);
	sample_free(record);
	sample_free(back);
	sample_remove(folder);
}

static void
test_two_runs_of_one_second_have_two_names(void **state)
{
	char *folder = sample_folder();
	struct record *first = sample_record(), *second = sample_record(), *back = memory_new(1, sizeof(*back));
	struct store *store = open_in(folder, true);

	(void)state;
	put(store, first);
	put(store, second);
	assert_string_equal(first->name, "2026-11-21_10-00-00");
	assert_string_equal(second->name, "2026-11-21_10-00-00-2");
	assert_int_equal(store_load_run(store, "latest", back, error), 0);
	assert_string_equal(back->name, second->name);
	record_deinit(back);
	assert_int_equal(store_load_run(store, "yesterday", back, error), -ENOENT);
	assert_has(error, "no run is called yesterday");
	free(back);
	store_close(store);
	sample_free(first);
	sample_free(second);
	sample_remove(folder);
}

static void
count_line(void *context, const char *name, const char *state, int cells, const char *experiments)
{
	int *count = context;

	assert_string_equal(name, "2026-11-21_10-00-00");
	assert_string_equal(state, "complete");
	assert_int_equal(cells, 12);
	assert_string_equal(experiments, "task7 task9");
	(*count)++;
}

static void
test_runs_are_listed(void **state)
{
	char *folder = sample_folder();
	struct record *record = sample_record(), *back = memory_new(1, sizeof(*back));
	struct store *store = open_in(folder, true);
	int count = 0;

	(void)state;
	assert_int_equal(store_load_run(store, "latest", back, error), -ENOENT);
	assert_has(error, "no run is stored yet");
	put(store, record);
	assert_int_equal(store_list(store, count_line, &count, error), 0);
	assert_int_equal(count, 1);
	free(back);
	store_close(store);
	sample_free(record);
	sample_remove(folder);
}

static void
test_a_row_tells_run_machine_and_version(void **state)
{
	char *folder = sample_folder(), *path = memory_print("%s/lab.sqlite", folder);
	struct record *record = sample_record();
	struct store *store = open_in(folder, true);
	sqlite3_stmt *row;
	sqlite3 *db;

	(void)state;
	put(store, record);
	store_close(store);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db,
			     "SELECT run, kernel, revision, rps FROM cells WHERE experiment = 'task7' AND server = "
			     "'fork' AND concurrency = 40",
			     -1, &row, NULL),
	    SQLITE_OK);
	assert_int_equal(sqlite3_step(row), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(row, 0), record->name);
	assert_string_equal((const char *)sqlite3_column_text(row, 1), "Linux 6.1");
	assert_string_equal((const char *)sqlite3_column_text(row, 2), "abc<def>");
	assert_true(sqlite3_column_double(row, 3) == 9.95);
	sqlite3_finalize(row);
	sqlite3_close(db);
	sample_free(record);
	free(path);
	sample_remove(folder);
}

static void
test_what_is_no_store_is_refused(void **state)
{
	char *folder = sample_folder(), *path = memory_print("%s/lab.sqlite", folder);
	struct store *store;
	sqlite3 *db;
	FILE *file;

	(void)state;
	assert_null(open_in(folder, false));
	assert_has(error, "unable to open");
	assert_null(open_in("/dev/null", true));
	store = open_in(folder, true);
	assert_non_null(store);
	store_close(store);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_null(open_in(folder, true));
	assert_has(error, "version 99, this lab reads 1");
	file = fopen(path, "w");
	assert_non_null(file);
	for (int i = 0; i < 200; i++)
		fputs("this is no database, it is a letter", file);
	fclose(file);
	assert_null(open_in(folder, true));
	assert_has(error, "not a database");
	free(path);
	sample_remove(folder);
}

static void
test_a_store_that_cannot_be_written_says_so(void **state)
{
	char *folder = sample_folder(), *path = memory_print("%s/lab.sqlite", folder);
	struct record *record = sample_record();
	struct store *store = open_in(folder, true);
	sqlite3 *db;

	(void)state;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "DROP VIEW cells; DROP TABLE cell", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(store_begin_run(store, record, error), 0);
	assert_int_equal(store_add_cell(store, record, &record->plan.cells[0], error), -EIO);
	assert_has(error, "lab.sqlite: ");
	store_close(store);
	sample_free(record);
	free(path);
	sample_remove(folder);
}

static void *
open_meanwhile(void *path)
{
	static char message[STORE_ERROR_MAX];
	struct store *store = store_open(path, true, message);

	store_close(store);
	return store != NULL ? NULL : message;
}

static void
test_tables_that_another_lab_makes_meanwhile(void **state)
{
	char *folder = sample_folder(), *path = memory_print("%s/lab.sqlite", folder);
	pthread_t thread;
	void *message;
	sqlite3 *db;

	(void)state;
	/* The writer lets others read "no tables yet", and has made them when their turn to write comes. */
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(pthread_create(&thread, NULL, open_meanwhile, path), 0);
	usleep(300000);
	assert_int_equal(sqlite3_exec(db, STORE_SCHEMA "PRAGMA user_version = 1; COMMIT", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(pthread_join(thread, &message), 0);
	sqlite3_close(db);
	if (message != NULL)
		fail_msg("%s", (char *)message);
	free(path);
	sample_remove(folder);
}

static int
look_up(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *row;
	int number;

	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &row, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(row), SQLITE_ROW);
	number = sqlite3_column_int(row, 0);
	sqlite3_finalize(row);
	return number;
}

/* overwrite puts zeros in the place of the first page of TABLE. */
static void
overwrite(const char *path, const char *table)
{
	char *sql = memory_print("SELECT rootpage FROM sqlite_master WHERE name = '%s'", table);
	char zeros[65536] = {0};
	int fd = open(path, O_WRONLY | O_CLOEXEC), page, size;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	page = look_up(db, sql);
	size = look_up(db, "PRAGMA page_size");
	sqlite3_close(db);
	assert_int_not_equal(fd, -1);
	assert_int_equal(pwrite(fd, zeros, (size_t)size, (off_t)(page - 1) * size), size);
	close(fd);
	free(sql);
}

static void
count_nothing(void *context, const char *name, const char *state, int cells, const char *experiments)
{
	(void)context, (void)name, (void)state, (void)cells, (void)experiments;
}

static void
test_a_broken_page_is_no_end_of_the_rows(void **state)
{
	static const char *const tables[] = {"run", "fact", "experiment", "cell"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		char *folder = sample_folder(), *path = memory_print("%s/lab.sqlite", folder);
		struct record *record = sample_record(), *back = memory_new(1, sizeof(*back));
		struct store *store = open_in(folder, true);

		put(store, record);
		store_close(store);
		overwrite(path, tables[i]);
		store = open_in(folder, false);
		assert_non_null(store);
		*error = '\0';
		assert_int_equal(store_load_run(store, record->name, back, error), -EIO);
		assert_has(error, "malformed");
		if (i == 0)
			assert_int_equal(store_list(store, count_nothing, NULL, error), -EIO);
		store_close(store);
		free(back);
		sample_free(record);
		free(path);
		sample_remove(folder);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_run_comes_back_as_it_was),
	    cmocka_unit_test(test_an_interrupted_run_keeps_its_cells),
	    cmocka_unit_test(test_two_runs_of_one_second_have_two_names),
	    cmocka_unit_test(test_runs_are_listed),
	    cmocka_unit_test(test_a_row_tells_run_machine_and_version),
	    cmocka_unit_test(test_what_is_no_store_is_refused),
	    cmocka_unit_test(test_a_store_that_cannot_be_written_says_so),
	    cmocka_unit_test(test_tables_that_another_lab_makes_meanwhile),
	    cmocka_unit_test(test_a_broken_page_is_no_end_of_the_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
