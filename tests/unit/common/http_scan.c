/* Unit tests of common/http_scan: every byte, wherever it stands and however many are around it, is as the table says. */
#include "common/http_scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/common/http_feed.h"

/* Longer than two steps of sixteen. */
#define RUN_MAX 40

typedef const char *scan_fn(const char *p, const char *stop);

/* try_all puts each byte at each place of runs of all lengths, whose other bytes are USUAL ones, against a forbidden page. */
static void
try_all(scan_fn *scan, enum http_class class, const char *usual)
{
	for (size_t len = 0; len <= RUN_MAX; len++) {
		char *stop = feed_page();
		char *run = stop - len;

		for (size_t i = 0; i < len; i++)
			run[i] = usual[i % strlen(usual)];
		assert_ptr_equal(scan(run, stop), stop);
		for (size_t at = 0; at < len; at++) {
			char before = run[at];

			for (int byte = 0; byte < 256; byte++) {
				const char *expected = http_is((char)byte, class) ? stop : run + at;

				run[at] = (char)byte;
				if (scan(run, stop) != expected)
					print_error("byte %d at %zu of %zu\n", byte, at, len);
				assert_ptr_equal(scan(run, stop), expected);
			}
			run[at] = before;
		}
	}
}

static void
test_names(void **state)
{
	(void)state;
	try_all(http_scan_name, HTTP_CLASS_TOKEN, "Content-Length");
	try_all(http_scan_name, HTTP_CLASS_TOKEN, "X_1!");
}

static void
test_hosts(void **state)
{
	(void)state;
	try_all(http_scan_host, HTTP_CLASS_HOST, "127.0.0.1:8080");
	try_all(http_scan_host, HTTP_CLASS_HOST, "[::1]");
}

static void
test_targets(void **state)
{
	(void)state;
	try_all(http_scan_target, HTTP_CLASS_TARGET, "/a/B?c=1&d=%20~!");
}

static void
test_values(void **state)
{
	(void)state;
	try_all(http_scan_value, HTTP_CLASS_VALUE, "text/html; q=0.9, */*");
	try_all(http_scan_value, HTTP_CLASS_VALUE, "a\tb\xff ");
}

/* What stands behind the end is not looked at, even where one more step of sixteen would fit. */
static void
test_the_end_of_a_run_is_its_end(void **state)
{
	char text[64];

	(void)state;
	memset(text, 'a', sizeof(text));
	for (size_t len = 0; len <= RUN_MAX; len++) {
		assert_ptr_equal(http_scan_name(text, text + len), text + len);
		assert_ptr_equal(http_scan_host(text, text + len), text + len);
		assert_ptr_equal(http_scan_target(text, text + len), text + len);
		assert_ptr_equal(http_scan_value(text, text + len), text + len);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_hosts),
	    cmocka_unit_test(test_targets),
	    cmocka_unit_test(test_values),
	    cmocka_unit_test(test_the_end_of_a_run_is_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
