/* Unit tests of loadgen/sparkline. */
#include "loadgen/sparkline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/compiler.h"

static void
test_heights_are_in_proportion(void **state)
{
	const double values[] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
	char text[ARRAY_LEN(values) * SPARKLINE_BYTES + 1];

	(void)state;
	assert_true(sparkline_write(text, values, ARRAY_LEN(values), true) == 8);
	assert_string_equal(text, " ▁▂▃▄▅▆▇█");
	assert_true(sparkline_write(text, values, ARRAY_LEN(values), false) == 8);
	assert_string_equal(text, " _.-~+*%#");
}

static void
test_only_nothing_is_blank(void **state)
{
	const double values[] = {1, 0, 1e9};
	char text[ARRAY_LEN(values) * SPARKLINE_BYTES + 1];

	(void)state;
	assert_true(sparkline_write(text, values, ARRAY_LEN(values), true) == 1e9);
	assert_string_equal(text, "▁ █");
}

static void
test_nothing_at_all(void **state)
{
	const double values[] = {0, 0};
	char text[ARRAY_LEN(values) * SPARKLINE_BYTES + 1];

	(void)state;
	assert_true(sparkline_write(text, values, 2, true) == 0);
	assert_string_equal(text, "  ");
	assert_true(sparkline_write(text, values, 0, true) == 0);
	assert_string_equal(text, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_heights_are_in_proportion),
	    cmocka_unit_test(test_only_nothing_is_blank),
	    cmocka_unit_test(test_nothing_at_all),
	};

	return cmocka_run_group_tests_name("loadgen/sparkline", tests, NULL, NULL);
}
