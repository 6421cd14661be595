/* Unit tests of common/line. */
#include "common/line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static void
test_what_is_put_stands_one_after_another(void **state)
{
	static const char whole[] = "text 0 18446744073709551615 bytes -7 0123456789012345678901234567890";
	const size_t len = sizeof(whole) - 1;
	char *memory = malloc(len); /* of its own size, so that a write beyond it is found */
	struct line line = {.at = memory, .end = memory + len};

	(void)state;
	assert_non_null(memory);
	line_string(&line, "text ");
	line_number(&line, 0);
	line_string(&line, " ");
	line_number(&line, UINT64_MAX);
	line_put(&line, " bytes and more", 7);
	line_format(&line, "%d ", -7);
	line_format(&line, "%s", "0123456789012345678901234567890, which is as long as it may be");
	assert_false(line.full);
	assert_ptr_equal(line.at, line.end);
	assert_memory_equal(memory, whole, len);
	free(memory);
}

static void
test_what_does_not_fit_leaves_the_line_as_it_was(void **state)
{
	char memory[] = "......";
	struct line line = {.at = memory, .end = memory + 4};

	(void)state;
	line_string(&line, "ab");
	line_string(&line, "cde");
	assert_true(line.full);
	assert_string_equal(memory, "ab....");
	line_number(&line, 100);
	line_format(&line, "%d", 100);
	assert_string_equal(memory, "ab....");
	line_string(&line, "cd");
	line_string(&line, "");
	assert_string_equal(memory, "abcd..");
	assert_true(line.full);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_is_put_stands_one_after_another),
	    cmocka_unit_test(test_what_does_not_fit_leaves_the_line_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
