/* Unit tests of loadgen/list: what sweeps, and every way to write it wrong. */
#include "loadgen/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static char error[256];

static int
numbers(struct list *list, const char *text)
{
	return list_parse_numbers(list, text, 1, 20000, error, sizeof(error));
}

static void
test_one_value_and_several(void **state)
{
	struct list list;

	(void)state;
	assert_int_equal(numbers(&list, "7"), 0);
	assert_int_equal(list.len, 1);
	assert_int_equal(list.values[0], 7);
	assert_int_equal(numbers(&list, "5,10,20000,1"), 0);
	assert_int_equal(list.len, 4);
	assert_int_equal(list.values[2], 20000);
	assert_int_equal(list.values[3], 1);
}

static void
test_a_wrong_item_is_named(void **state)
{
	static const char *const wrong[][2] = {
	    {"5,x", "\"x\""},
	    {"", "\"\""},
	    {"0", "\"0\""},
	    {"5,,7", "\"\""},
	    {",5", "\"\""},
	    {"5,", "\"\""},
	    {"-1", "\"-1\""},
	    {"+1", "\"+1\""},
	    {" 1", "\" 1\""},
	    {"1 ", "\"1 \""},
	    {"1.5", "\"1.5\""},
	    {"0x10", "\"0x10\""},
	    {"20001", "\"20001\""},
	    {"99999999999999999999999", "\"99999999999999999999999\""},
	    {"1,00000000000000000000000000000000000000000000000000000001", "is not a whole number"},
	};
	struct list list;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(numbers(&list, wrong[i][0]), -EINVAL);
		assert_non_null(strstr(error, wrong[i][1]));
		assert_non_null(strstr(error, "from 1 to 20000"));
	}
}

static void
test_seconds(void **state)
{
	static const char *const wrong[] = {"", "x", "-0.1", "0.1,", "nan", "inf", "0.1s", "3601", "1e99"};
	struct list list;

	(void)state;
	assert_int_equal(list_parse_seconds(&list, "0.1,0,2,1e-3", 3600, error, sizeof(error)), 0);
	assert_int_equal(list.len, 4);
	assert_int_equal(list.values[0], 100000000);
	assert_int_equal(list.values[1], 0);
	assert_int_equal(list.values[2], 2000000000);
	assert_int_equal(list.values[3], 1000000);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(list_parse_seconds(&list, wrong[i], 3600, error, sizeof(error)), -EINVAL);
		assert_non_null(strstr(error, "from 0 to 3600"));
	}
}

static void
test_rates(void **state)
{
	static const char *const wrong[] = {
	    "", "x", "-1", "+", "0", "0.0004", "1000.001", "1e4", "nan", "100/s", "1.2.3"};
	struct list list;

	(void)state;
	assert_int_equal(list_parse_rates(&list, "100,0.001,1e2.5", 1000, error, sizeof(error)), -EINVAL);
	assert_int_equal(list_parse_rates(&list, "100,0.001,1e3,2.5", 1000, error, sizeof(error)), 0);
	assert_int_equal(list.len, 4);
	assert_int_equal(list.values[0], 100000);
	assert_int_equal(list.values[1], 1);
	assert_int_equal(list.values[2], 1000000);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(list_parse_rates(&list, wrong[i], 1000, error, sizeof(error)), -EINVAL);
		assert_non_null(strstr(error, "requests per second from 0.001 to 1000"));
	}
}

static void
test_no_more_values_than_there_is_room_for(void **state)
{
	char text[4 * LIST_MAX] = "1";
	struct list list;
	size_t len = 1;

	(void)state;
	for (int i = 2; i <= LIST_MAX; i++)
		len += (size_t)sprintf(text + len, ",%d", i);
	assert_int_equal(numbers(&list, text), 0);
	assert_int_equal(list.len, LIST_MAX);
	strcat(text, ",1000");
	assert_int_equal(numbers(&list, text), -EINVAL);
	assert_string_equal(error, "more than 64 values");
	assert_int_equal(list_parse_seconds(&list, text, 10, error, sizeof(error)), -EINVAL);
}

static void
test_no_value_stands_there_twice(void **state)
{
	struct list list;

	(void)state;
	assert_int_equal(numbers(&list, "5,10,5"), -EINVAL);
	assert_string_equal(error, "5 stands there twice; to measure a cell more than once use --repeat");
	assert_int_equal(numbers(&list, "5,005"), -EINVAL);
	assert_int_equal(list_parse_seconds(&list, "0.1,1e-1", 3600, error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "1e-1 stands there twice"));
	assert_int_equal(list_parse_rates(&list, "100,100.0", 1000, error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "100.0 stands there twice"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_one_value_and_several),
	    cmocka_unit_test(test_a_wrong_item_is_named),
	    cmocka_unit_test(test_seconds),
	    cmocka_unit_test(test_rates),
	    cmocka_unit_test(test_no_more_values_than_there_is_room_for),
	    cmocka_unit_test(test_no_value_stands_there_twice),
	};

	return cmocka_run_group_tests_name("loadgen/list", tests, NULL, NULL);
}
