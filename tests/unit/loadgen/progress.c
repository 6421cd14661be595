/* Unit tests of loadgen/progress: when it speaks and what it says. */
#include "loadgen/progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

static char *text;
static size_t len;
static FILE *out; /* no terminal: 80 columns */
static struct config config;
static struct target target = {.url = "http://127.0.0.1:8088/"};
static struct cell cell = {.config = &config, .target = &target, .concurrency = 10};
static struct series series;
static const struct series *const all_series[] = {&series};
static struct progress progress;
static uint64_t now_ns; /* the time, as these tests have it */

uint64_t __wrap_clock_now_ns(void);

uint64_t
__wrap_clock_now_ns(void)
{
	return now_ns;
}

static int
open_text(void **state)
{
	(void)state;
	now_ns = 1000000 * NS_PER_SEC;
	setenv("LC_ALL", "C", 1);
	setenv("NO_COLOR", "1", 1);
	out = open_memstream(&text, &len);
	config = (struct config){.requests = 1000, .repeats = 1, .verbosity = 1};
	cell = (struct cell){.config = &config, .target = &target, .concurrency = 10};
	return out == NULL ? -1 : series_init(&series);
}

static int
close_text(void **state)
{
	(void)state;
	fclose(out);
	free(text);
	series_deinit(&series);
	return 0;
}

static const char *
printed(void)
{
	fflush(out);
	return text;
}

/* last_block returns what the block says now: what was printed after the last return to its beginning. */
static const char *
last_block(void)
{
	const char *last = printed();

	for (const char *next = last; (next = strchr(next, '\r')) != NULL; next++)
		if (next[1] != '\n')
			last = next;
	return last;
}

#define assert_says(what) assert_non_null(strstr(last_block(), what))
#define assert_silent_about(what) assert_null(strstr(last_block(), what))

/* began_ago: a cell whose figures began SECONDS ago. */
static struct progress_now
began_ago(double seconds)
{
	progress.cell_start_ns = progress.start_ns = now_ns - (uint64_t)(seconds * (double)NS_PER_SEC);
	series_begin(&series, progress.start_ns);
	return (struct progress_now){.begin_ns = progress.start_ns, .series = all_series, .series_len = 1};
}

/* answer records COUNT answers in SECOND, all after TOTAL_NS. */
static void
answer(struct progress_now *now, size_t second, size_t count, uint64_t total_ns)
{
	for (size_t i = 0; i < count; i++)
		series_record(&series, now->begin_ns + second * NS_PER_SEC + i, total_ns, 100, false);
	now->complete += count;
}

static void
test_lines_come_at_every_tenth_but_not_below_a_hundred(void **state)
{
	struct progress_now now = {0};

	(void)state;
	config.requests = 2500;
	progress_init(&progress, PROGRESS_LINES, out, &config, 1);
	assert_true(progress_interval_ms(&progress) > 0);
	progress_cell_begin(&progress, &cell);
	now.complete = 249;
	progress_update(&progress, &now);
	assert_string_equal(printed(), "");
	for (now.complete = 250; now.complete <= 251; now.complete++)
		progress_update(&progress, &now);
	now.complete = 800;
	progress_update(&progress, &now);
	assert_string_equal(printed(), "Completed 250 requests\nCompleted 500 requests\nCompleted 750 requests\n");
	progress_clear(&progress);
	assert_null(strchr(printed(), '\r'));
	config.requests = 151;
	progress_init(&progress, PROGRESS_LINES, out, &config, 1);
	assert_int_equal(progress.next, 100);
}

static void
test_the_block_says_it_all(void **state)
{
	struct progress_now now;

	(void)state;
	progress_init(&progress, PROGRESS_BLOCK, out, &config, 1);
	progress_cell_begin(&progress, &cell);
	now = began_ago(3.9);
	answer(&now, 0, 100, 5 * NS_PER_MS);
	answer(&now, 2, 150, 20 * NS_PER_MS);
	now.errors = 3;
	now.open = 7;
	progress_update(&progress, &now);
	assert_says("\r#########------------------------------   25%  12 s left  cell 1 of 1\033[K\r\n");
	assert_says("\nhttp://127.0.0.1:8088/  c=10\033[K\r\n");
	assert_says("\n150 rps (64.1 overall)  p50 20."); /* 250 in 3.9 s */
	assert_says(" ms  p99 20.");
	assert_says(" ms  3 errors  7 open\033[K\r\n");
	assert_says("\n* #  highest 150 rps\033[K\r\n\033[J\033[4A");
	assert_null(strstr(printed(), "\033[3")); /* NO_COLOR */
	progress_clear(&progress);
	assert_string_equal(last_block(), "\r\033[J");
}

static void
test_unicode_and_colors(void **state)
{
	struct progress_now now;

	(void)state;
	setenv("LC_ALL", "C.UTF-8", 1);
	unsetenv("NO_COLOR");
	progress_init(&progress, PROGRESS_BLOCK, out, &config, 1);
	progress_cell_begin(&progress, &cell);
	now = began_ago(3.9);
	answer(&now, 0, 50, NS_PER_MS);
	answer(&now, 1, 200, NS_PER_MS);
	answer(&now, 2, 250, NS_PER_MS);
	now.errors = 1;
	progress_update(&progress, &now);
	assert_says("\033[36m████████████");
	assert_says("░░░░░░░░░░░░\033[m   50%");
	assert_says("\033[31m1 error\033[m  0 open");
	assert_says("\033[36m▂▇█\033[m  highest 250 rps");
}

static void
test_a_sweep_names_cell_and_repetition(void **state)
{
	struct progress_now now;

	(void)state;
	config.repeats = 5;
	cell.has_sleep = true;
	cell.sleep_ns = NS_PER_SEC / 10;
	cell.open_loop = true;
	cell.ramp = (struct ramp){1000, 1000, 0, 0};
	progress_init(&progress, PROGRESS_BLOCK, out, &config, 4);
	for (int i = 0; i < 6; i++) {
		progress_cell_begin(&progress, &cell);
		progress_cell_end(&progress);
	}
	progress_cell_begin(&progress, &cell);
	now = began_ago(10);
	progress.start_ns -= 60 * NS_PER_SEC; /* the six before took a minute */
	now.complete = 500;
	progress_update(&progress, &now);
	/* 10 s of this one and 130 s of the 13 to come, 70 s are gone */
	assert_says("  33%  2 min 20 s left  cell 3 of 4  repetition 2 of 5\033[K\r\n");
	assert_says("c=10  sleep=0.1  rate=1000\033[K");
	cell.ramp = (struct ramp){10, 2000, 30 * NS_PER_SEC, 0};
	progress_update(&progress, &now);
	assert_says("c=10  sleep=0.1  ramp=10:2000:30\033[K");
	cell.ramp = (struct ramp){1e7, 1e7, 0, 0};
	progress_update(&progress, &now);
	assert_says("c=10  sleep=0.1  rate=10000000\033[K");
}

static void
test_a_time_limit_counts_as_progress(void **state)
{
	struct progress_now now;

	(void)state;
	config.requests = CONFIG_UNLIMITED;
	config.time_limit_ns = 8000 * NS_PER_SEC;
	progress_init(&progress, PROGRESS_BLOCK, out, &config, 1);
	progress_cell_begin(&progress, &cell);
	now = began_ago(2000);
	progress_update(&progress, &now);
	assert_says("  25%  1 h 40 min left  cell 1 of 1");
	now = began_ago(9000);
	progress_update(&progress, &now);
	assert_says("#  100%  0 s left  cell 1 of 1");
	config.requests = 100; /* and whichever comes first ends it */
	progress_cell_begin(&progress, &cell);
	now = began_ago(1);
	now.complete = 50;
	progress_update(&progress, &now);
	assert_says(" left  cell 1 of 1");
	assert_silent_about(" min ");
}

static void
test_the_bar_never_goes_back(void **state)
{
	struct progress_now now;

	(void)state;
	progress_init(&progress, PROGRESS_BLOCK, out, &config, 1);
	progress_cell_begin(&progress, &cell);
	now = began_ago(10);
	now.complete = 500;
	progress_update(&progress, &now);
	assert_says("  50%  10 s left");
	now = began_ago(30); /* the server has been still for 20 s */
	now.complete = 500;
	progress_update(&progress, &now);
	assert_says("  50%  30 s left");
	now.complete = 250;
	progress_update(&progress, &now);
	assert_says("  50%  90 s left");
}

static void
test_an_unknown_number_of_cells(void **state)
{
	struct progress_now now;

	(void)state;
	progress_init(&progress, PROGRESS_BLOCK, out, &config, 0);
	progress_cell_begin(&progress, &cell);
	progress_cell_end(&progress);
	progress_cell_begin(&progress, &cell);
	now = began_ago(10);
	now.complete = 900;
	progress_update(&progress, &now);
	assert_says("  90%  2 s left in this cell  cell 2\033[K");
	progress_cell_begin(&progress, &cell);
	now = began_ago(10);
	now.complete = 100;
	progress_update(&progress, &now);
	assert_says("  10%  90 s left in this cell");
}

static void
test_the_warm_up_has_no_figures_yet(void **state)
{
	struct progress_now now;

	(void)state;
	progress_init(&progress, PROGRESS_BLOCK, out, &config, 1);
	progress_cell_begin(&progress, &cell);
	now = began_ago(1);
	answer(&now, 0, 10, NS_PER_MS); /* of the warm-up */
	now.begin_ns = now_ns + 100 * NS_PER_SEC;
	progress_update(&progress, &now);
	assert_says("\nwarming up, 100 s left  0 errors  0 open\033[K");
	assert_says("   0%  cell 1 of 1");
	assert_silent_about("rps");
}

static void
test_the_first_second_is_measured_while_it_lasts(void **state)
{
	struct progress_now now;

	(void)state;
	progress_init(&progress, PROGRESS_BLOCK, out, &config, 1);
	progress_cell_begin(&progress, &cell);
	now = began_ago(0.001);
	answer(&now, 0, 1, NS_PER_MS);
	progress_update(&progress, &now);
	assert_silent_about("rps");
	now = began_ago(0.5);
	answer(&now, 0, 100, NS_PER_MS);
	progress_update(&progress, &now);
	assert_says("\n200 rps (200 overall)");
	assert_silent_about("highest");
}

static void
test_a_server_that_stands_still_is_seen(void **state)
{
	struct progress_now now;

	(void)state;
	progress_init(&progress, PROGRESS_BLOCK, out, &config, 1);
	progress_cell_begin(&progress, &cell);
	now = began_ago(4.1);
	answer(&now, 0, 80, NS_PER_MS);
	progress_update(&progress, &now);
	assert_says("\n0.0 rps (");
	assert_silent_about("p50"); /* of nothing */
	assert_says("\n#     highest 80 rps\033[K");
}

static void
test_the_history_shows_the_last_seconds(void **state)
{
	struct progress_now now;

	(void)state;
	progress_init(&progress, PROGRESS_BLOCK, out, &config, 1);
	progress_cell_begin(&progress, &cell);
	now = began_ago(1000.1);
	answer(&now, 0, 1000, NS_PER_MS);
	answer(&now, 998, 4, NS_PER_MS);
	answer(&now, 999, 8, NS_PER_MS);
	progress_update(&progress, &now);
	assert_int_equal(progress.seconds, 1000);
	assert_says(" ~#  highest 8 rps");
	assert_true(progress.history[PROGRESS_HISTORY - 1] == 8 && progress.history[PROGRESS_HISTORY - 2] == 4);
	progress_cell_begin(&progress, &cell); /* the next cell has a history of its own */
	now = began_ago(2.1);
	answer(&now, 0, 1, NS_PER_MS);
	answer(&now, 1, 1, NS_PER_MS);
	progress_update(&progress, &now);
	assert_says("\n##  highest 1 rps");
}

static void
test_without_progress_nothing_is_printed(void **state)
{
	struct progress_now now = {.complete = 1000};

	(void)state;
	progress_init(&progress, PROGRESS_NONE, out, &config, 1);
	assert_int_equal(progress_interval_ms(&progress), -1);
	progress_cell_begin(&progress, &cell);
	progress_update(&progress, &now);
	progress_cell_end(&progress);
	progress_clear(&progress);
	assert_string_equal(printed(), "");
}

static void
test_after_the_end_nothing_is_printed(void **state)
{
	struct progress_now now;

	(void)state;
	progress_init(&progress, PROGRESS_BLOCK, out, &config, 1);
	progress_cell_begin(&progress, &cell);
	now = began_ago(1);
	progress_update(&progress, &now);
	progress_end(&progress);
	progress_update(&progress, &now);
	progress_clear(&progress);
	assert_string_equal(last_block(), "\r\033[J");
	assert_int_equal(progress_interval_ms(&progress), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		test_lines_come_at_every_tenth_but_not_below_a_hundred, open_text, close_text),
	    cmocka_unit_test_setup_teardown(test_the_block_says_it_all, open_text, close_text),
	    cmocka_unit_test_setup_teardown(test_unicode_and_colors, open_text, close_text),
	    cmocka_unit_test_setup_teardown(test_a_sweep_names_cell_and_repetition, open_text, close_text),
	    cmocka_unit_test_setup_teardown(test_a_time_limit_counts_as_progress, open_text, close_text),
	    cmocka_unit_test_setup_teardown(test_the_bar_never_goes_back, open_text, close_text),
	    cmocka_unit_test_setup_teardown(test_an_unknown_number_of_cells, open_text, close_text),
	    cmocka_unit_test_setup_teardown(test_the_warm_up_has_no_figures_yet, open_text, close_text),
	    cmocka_unit_test_setup_teardown(test_the_first_second_is_measured_while_it_lasts, open_text, close_text),
	    cmocka_unit_test_setup_teardown(test_a_server_that_stands_still_is_seen, open_text, close_text),
	    cmocka_unit_test_setup_teardown(test_the_history_shows_the_last_seconds, open_text, close_text),
	    cmocka_unit_test_setup_teardown(test_without_progress_nothing_is_printed, open_text, close_text),
	    cmocka_unit_test_setup_teardown(test_after_the_end_nothing_is_printed, open_text, close_text),
	};

	return cmocka_run_group_tests_name("loadgen/progress", tests, NULL, NULL);
}
