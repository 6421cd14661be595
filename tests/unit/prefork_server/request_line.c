/* Unit tests of prefork_server/request_line. */
#include "prefork_server/request_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static struct http_request
request_of(const char *method, const char *target, size_t len, int minor)
{
	return (struct http_request){.method = method, .target = {.at = target, .len = len}, .minor = minor};
}

static void
test_it_is_the_line_that_was_sent(void **state)
{
	struct http_request request = request_of("GET", "/x?sleep=1", 10, 1);
	char line[REQUEST_LINE_MAX];

	(void)state;
	assert_string_equal(request_line_quote(&request, line), "\"GET /x?sleep=1 HTTP/1.1\"");
	request = request_of("POST", "/echo", 5, 0);
	assert_string_equal(request_line_quote(&request, line), "\"POST /echo HTTP/1.0\"");
}

static void
test_nothing_in_it_misleads_who_reads_the_log(void **state)
{
	struct http_request request = request_of("GET", "/\"\n\\\xff", 5, 1);
	char line[REQUEST_LINE_MAX];

	(void)state;
	assert_string_equal(request_line_quote(&request, line), "\"GET /\\\"\\x0a\\\\\\xff HTTP/1.1\"");
}

static void
test_one_that_is_not_complete_is_called_so(void **state)
{
	struct http_request request = {0};
	char line[REQUEST_LINE_MAX];

	(void)state;
	assert_string_equal(request_line_quote(&request, line), "an unfinished request");
}

static void
test_a_long_one_is_cut_and_keeps_its_end(void **state)
{
	/* The longest method of llhttp's is shorter. */
	static const char method[] = "MKCALENDARxxxxxxxxxx";
	char target[5000];
	struct http_request request = request_of(method, target, sizeof(target), 1);
	char line[REQUEST_LINE_MAX + 1];

	(void)state;
	memset(target, '"', sizeof(target));
	line[REQUEST_LINE_MAX] = 'G';
	request_line_quote(&request, line);
	assert_int_equal(line[REQUEST_LINE_MAX], 'G');
	assert_true(strlen(line) > REQUEST_LINE_MAX / 2);
	assert_string_equal(line + strlen(line) - strlen("\\\" HTTP/1.1\""), "\\\" HTTP/1.1\"");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_it_is_the_line_that_was_sent),
	    cmocka_unit_test(test_nothing_in_it_misleads_who_reads_the_log),
	    cmocka_unit_test(test_one_that_is_not_complete_is_called_so),
	    cmocka_unit_test(test_a_long_one_is_cut_and_keeps_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
