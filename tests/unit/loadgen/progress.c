/* Unit tests of loadgen/progress: when it speaks and what it says. */
#include "loadgen/progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static char *text;
static size_t len;
static FILE *out;

static int
open_text(void **state)
{
	(void)state;
	out = open_memstream(&text, &len);
	return out == NULL;
}

static int
close_text(void **state)
{
	(void)state;
	fclose(out);
	free(text);
	return 0;
}

static void
test_lines_come_at_every_tenth_but_not_below_a_hundred(void **state)
{
	struct progress progress;

	(void)state;
	progress_init(&progress, PROGRESS_LINES, out, 1, 2500, 0);
	assert_true(progress_interval_ms(&progress) > 0);
	progress_cell_begin(&progress);
	progress_update(&progress, 249);
	fflush(out);
	assert_string_equal(text, "");
	progress_update(&progress, 250);
	progress_update(&progress, 251);
	progress_update(&progress, 800);
	fflush(out);
	assert_string_equal(text, "Completed 250 requests\nCompleted 500 requests\nCompleted 750 requests\n");
	progress_clear(&progress);
	fflush(out);
	assert_null(strchr(text, '\r'));
	progress_init(&progress, PROGRESS_LINES, out, 1, 151, 0);
	assert_int_equal(progress.next, 100);
}

static void
test_the_bar_is_one_line_that_is_wiped(void **state)
{
	struct progress progress;
	const char *last;

	(void)state;
	progress_init(&progress, PROGRESS_BAR, out, 4, 100, 0);
	progress_cell_begin(&progress);
	progress_update(&progress, 0);
	fflush(out);
	assert_non_null(strstr(text, "\r  0%  cell 1 of 4"));
	progress_update(&progress, 100);
	fflush(out);
	last = strrchr(text, '\r');
	assert_non_null(strstr(last, "\r 25%  cell 1 of 4"));
	assert_non_null(strstr(last, " s left"));
	progress_cell_end(&progress);
	progress_cell_begin(&progress);
	progress_update(&progress, 50);
	fflush(out);
	assert_non_null(strstr(text, "\r 38%  cell 2 of 4"));
	assert_null(strchr(text, '\n'));
	progress_clear(&progress);
	progress_clear(&progress);
	fflush(out);
	assert_string_equal(strrchr(text, '\r'), "\r\033[K");
}

static void
test_a_time_limit_counts_as_progress(void **state)
{
	struct progress progress;

	(void)state;
	progress_init(&progress, PROGRESS_BAR, out, 1, 50000, 1); /* one nanosecond: it is over */
	progress_cell_begin(&progress);
	progress_update(&progress, 1);
	fflush(out);
	assert_non_null(strstr(text, "\r100%  cell 1 of 1  0 s left"));
}

static void
test_without_progress_nothing_is_printed(void **state)
{
	struct progress progress;

	(void)state;
	progress_init(&progress, PROGRESS_NONE, out, 1, 1000, 0);
	assert_int_equal(progress_interval_ms(&progress), -1);
	progress_cell_begin(&progress);
	progress_update(&progress, 1000);
	progress_cell_end(&progress);
	progress_clear(&progress);
	fflush(out);
	assert_string_equal(text, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		test_lines_come_at_every_tenth_but_not_below_a_hundred, open_text, close_text),
	    cmocka_unit_test_setup_teardown(test_the_bar_is_one_line_that_is_wiped, open_text, close_text),
	    cmocka_unit_test_setup_teardown(test_a_time_limit_counts_as_progress, open_text, close_text),
	    cmocka_unit_test_setup_teardown(test_without_progress_nothing_is_printed, open_text, close_text),
	};

	return cmocka_run_group_tests_name("loadgen/progress", tests, NULL, NULL);
}
