/* Unit tests of common/decimal. */
#include "common/decimal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>

static void
test_numbers_are_scaled_and_rounded(void **state)
{
	static const struct {
		const char *text;
		double scale;
		uint64_t value;
	} good[] = {
	    {"0", 1, 0},
	    {"20", 1e6, 20000000},
	    {"0.1", 1e9, 100000000},
	    {"2.5", 1, 3},
	    {"0.00004", 1e4, 0},
	    {"0.00005", 1e4, 1},
	    {"33.3333", 1e4, 333333},
	    {"100", 1e4, 1000000},
	    {"1e2", 1e4, 1000000},
	    {"+.5", 2, 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		uint64_t value = 7;

		assert_int_equal(decimal_parse(good[i].text, good[i].scale, 1000000000, &value), 0);
		assert_int_equal(value, good[i].value);
	}
}

static void
test_what_is_no_number_or_too_much_is_refused(void **state)
{
	static const char *const bad[] = {
	    "", "x", "1s", "5%", " 1", "1 ", "-1", "-0", "0x10", "inf", "nan", "1,5", "--1", "e", ".", "1e", "1e999"};
	uint64_t value = 7;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (decimal_parse(bad[i], 1, 100, &value) != -EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
	}
	assert_int_equal(decimal_parse("100.4", 1, 100, &value), -ERANGE);
	assert_int_equal(decimal_parse("1e300", 1e9, UINT64_MAX, &value), -ERANGE);
	assert_int_equal(value, 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_numbers_are_scaled_and_rounded),
	    cmocka_unit_test(test_what_is_no_number_or_too_much_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
