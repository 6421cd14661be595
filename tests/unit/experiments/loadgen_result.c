/* loadgen's JSON: what is in it is taken, what is not is told, and a failure is never taken for a success. */
#include "tests/unit/experiments/sample.h"

#include <math.h>

#include "experiments/loadgen_result.h"

#define CELL(complete, failed, non_2xx, failures) \
	"{\"complete\":" complete ",\"failed\":" failed ",\"failures\":" failures \
	",\"write_errors\":0,\"non_2xx\":" non_2xx \
	",\"keepalive_requests\":0,\"duration_s\":2.5,\"rps\":40.0,\"time_per_request_ms\":125.0," \
	"\"time_per_request_all_ms\":25,\"latency_ms\":{\"min\":100.5,\"p50\":101,\"p99\":null,\"max\":130}," \
	"\"client_cpu_s\":0.01}"
#define WHOLE(cells) "{\"schema\":\"loopfork.loadgen/2\",\"version\":\"0.1.0\",\"cells\":[" cells "]}"

static void
test_a_good_cell(void **state)
{
	struct result result;

	(void)state;
	result_init(&result);
	assert_int_equal(loadgen_result_parse(&result, WHOLE(CELL("100", "0", "0", "{}")), 100), 0);
	assert_int_equal(result.state, RESULT_DONE);
	assert_string_equal(result.error, "");
	assert_int_equal(result.complete, 100);
	assert_true(result.rps == 40 && result.duration_s == 2.5);
	assert_true(result.time_ms == 125 && result.time_all_ms == 25);
	assert_true(result.latency_ms[0] == 100.5 && result.latency_ms[3] == 101 && result.latency_ms[11] == 130);
	assert_true(isnan(result.latency_ms[10]) && isnan(result.latency_ms[1]));
	assert_true(result.client_cpu_s == 0.01);
	assert_has(result.json, "\"rps\":40.0");
	result_deinit(&result);
	assert_null(result.json);
}

static void
expect_failed(const char *json, int parsed, const char *what)
{
	struct result result;

	result_init(&result);
	assert_int_equal(loadgen_result_parse(&result, json, 100), parsed);
	assert_int_equal(result.state, RESULT_FAILED);
	assert_has(result.error, what);
	result_deinit(&result);
}

static void
test_failures_make_a_failed_cell_with_its_numbers(void **state)
{
	(void)state;
	expect_failed(
	    WHOLE(CELL("100", "3", "0", "{\"connect\":0,\"timeout\":3}")), 0, "3 failed, 0 not 2xx, timeout 3");
	expect_failed(WHOLE(CELL("100", "0", "100", "{}")), 0, "100 not 2xx");
	expect_failed(WHOLE(CELL("99", "0", "0", "{}")), 0, "99 of 100 requests complete");
}

static void
test_without_a_complete_request_there_are_no_times(void **state)
{
	struct result result = {0};
	static const char json[] =
	    WHOLE("{\"complete\":0,\"failed\":3,\"failures\":{\"connect\":3},\"non_2xx\":0,\"write_errors\":0,"
		  "\"keepalive_requests\":0,\"duration_s\":1,\"rps\":0,\"time_per_request_ms\":null,"
		  "\"time_per_request_all_ms\":null,\"latency_ms\":{\"min\":null}}");

	(void)state;
	assert_int_equal(loadgen_result_parse(&result, json, 100), 0);
	assert_int_equal(result.state, RESULT_FAILED);
	assert_string_equal(result.error, "0 of 100 requests complete, 3 failed, 0 not 2xx, connect 3");
	assert_true(isnan(result.time_ms) && isnan(result.time_all_ms) && isnan(result.latency_ms[0]));
	result_deinit(&result);
}

static void
test_doubts_leave_the_numbers(void **state)
{
	struct result result = {0};
	static const char json[] = WHOLE(
	    "{\"complete\":100,\"failed\":0,\"non_2xx\":0,\"write_errors\":0,\"keepalive_requests\":0,\"duration_s\":1,"
	    "\"rps\":100,\"time_per_request_ms\":10,\"time_per_request_all_ms\":10,\"checks\":["
	    "{\"name\":\"rate\",\"state\":\"ok\",\"sentence\":\"no\"},"
	    "{\"name\":\"cpu\",\"state\":\"failed\",\"sentence\":\"too busy\"},"
	    "{\"name\":\"lag\",\"state\":\"failed\",\"sentence\":\"too late\"}]}");

	(void)state;
	assert_int_equal(loadgen_result_parse(&result, json, 100), 0);
	assert_int_equal(result.state, RESULT_DONE);
	assert_string_equal(result.error, "too busy; too late");
	result_deinit(&result);
}

static void
test_what_is_no_result_is_told(void **state)
{
	(void)state;
	expect_failed("", -EINVAL, "no JSON");
	expect_failed("Requests per second: 40\n", -EINVAL, "no JSON (line 1");
	expect_failed("{}", -EINVAL, "the schema (none)");
	expect_failed("[]", -EINVAL, "the schema (none)");
	expect_failed(
	    "{\"schema\":\"loopfork.loadgen/3\",\"cells\":[]}", -EINVAL, "schema loopfork.loadgen/3; this lab reads");
	expect_failed("{\"schema\":7}", -EINVAL, "the schema (none)");
	expect_failed(WHOLE(""), -EINVAL, "has 0 cells");
	expect_failed(WHOLE("{},{}"), -EINVAL, "has 2 cells");
	expect_failed(WHOLE("{}"), -EINVAL, "no usable");
	expect_failed(WHOLE("[]"), -EINVAL, "no usable");
	expect_failed(WHOLE(CELL("\"100\"", "0", "0", "{}")), -EINVAL, "no usable \"complete\"");
	expect_failed(WHOLE(CELL("100", "-1", "0", "{}")), -EINVAL, "no usable \"failed\"");
	expect_failed(WHOLE(CELL("100", "0", "1.5", "{}")), -EINVAL, "no usable \"non_2xx\"");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_good_cell),
	    cmocka_unit_test(test_failures_make_a_failed_cell_with_its_numbers),
	    cmocka_unit_test(test_without_a_complete_request_there_are_no_times),
	    cmocka_unit_test(test_doubts_leave_the_numbers),
	    cmocka_unit_test(test_what_is_no_result_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
