/* Unit tests of common/workload: which plan a request gets. */
#include "common/workload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "common/clock.h"
#include "common/compiler.h"

static struct settings *settings;

static int
set_up(void **state)
{
	const struct settings_limits limits = {
	    .max_sleep_ns = NS_PER_SEC,
	    .max_cpu_ns = 50 * NS_PER_MS,
	    .modes = 1U << WAIT_ASYNC | 1U << WAIT_BLOCKING,
	};

	(void)state;
	settings = settings_new((struct settings_values){100 * NS_PER_MS, 3 * NS_PER_MS, WAIT_ASYNC, 70000}, limits);
	return settings == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
	(void)state;
	settings_free(settings);
	return 0;
}

static struct http_request
request(const char *method, const char *target)
{
	return (struct http_request){
	    .method = method,
	    .get = strcmp(method, "GET") == 0,
	    .head = strcmp(method, "HEAD") == 0,
	    .minor = 1,
	    .target = {.at = target, .len = strlen(target)},
	};
}

static struct workload_plan
plan_of(const char *method, const char *target)
{
	struct http_request asked = request(method, target);
	struct workload_plan plan;

	memset(&plan, 0xaa, sizeof(plan));
	workload_plan(&plan, &asked, settings);
	return plan;
}

static void
assert_body(const struct workload_plan *plan, const char *body)
{
	assert_int_equal(plan->body_len, strlen(body));
	assert_memory_equal(workload_plan_body(plan), body, plan->body_len);
}

static void
test_the_routes_of_the_lab_sleep_and_greet(void **state)
{
	static const char *const targets[] = {"/", "/Ada", "/Ada?x=1", "/?", "/%41"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		for (int head = 0; head < 2; head++) {
			struct workload_plan plan = plan_of(head ? "HEAD" : "GET", targets[i]);

			assert_int_equal(plan.kind, WORKLOAD_ANSWER);
			assert_int_equal(plan.status, 200);
			assert_int_equal(plan.wait.sleep_ns, 100 * NS_PER_MS);
			assert_int_equal(plan.wait.cpu_ns, 3 * NS_PER_MS);
			assert_int_equal(plan.wait.mode, WAIT_ASYNC);
			assert_int_equal(plan.wait.blocking_share, 70000);
			assert_false(plan.close);
			assert_string_equal(plan.content_type, "text/plain; charset=utf-8");
			assert_body(&plan, "Hello, Anonymous");
		}
	}
}

static void
test_a_query_overrides_for_one_request(void **state)
{
	struct workload_plan plan = plan_of("GET", "/?sleep=0.2&mode=blocking");

	(void)state;
	assert_int_equal(plan.status, 200);
	assert_int_equal(plan.wait.sleep_ns, 200 * NS_PER_MS);
	assert_int_equal(plan.wait.cpu_ns, 0);
	assert_int_equal(plan.wait.mode, WAIT_BLOCKING);
	assert_int_equal(plan.wait.blocking_share, 0);
	assert_int_equal(settings_get(settings).mode, WAIT_ASYNC);
	plan = plan_of("GET", "/name?other=1&sleep=0");
	assert_int_equal(plan.wait.sleep_ns, 0);
	assert_int_equal(plan.wait.blocking_share, 70000);
	plan = plan_of("GET", "/?cpu=20");
	assert_int_equal(plan.wait.sleep_ns, 0);
	assert_int_equal(plan.wait.cpu_ns, 20 * NS_PER_MS);
	plan = plan_of("GET", "/?sleep=0.1&cpu=20");
	assert_int_equal(plan.wait.sleep_ns, 100 * NS_PER_MS);
	assert_int_equal(plan.wait.cpu_ns, 20 * NS_PER_MS);
}

static void
test_a_bad_override_is_answered_with_what_is_allowed(void **state)
{
	struct workload_plan plan = plan_of("GET", "/?sleep=1.5");

	(void)state;
	assert_int_equal(plan.status, 400);
	assert_int_equal(plan.wait.sleep_ns, 0);
	assert_false(plan.close);
	assert_body(&plan, "400: Bad Request: sleep must be a number of seconds from 0 to 1 (--max-sleep)");
	plan = plan_of("GET", "/?cpu=51");
	assert_int_equal(plan.wait.cpu_ns, 0);
	assert_body(&plan, "400: Bad Request: cpu must be a number of milliseconds from 0 to 50 (--max-cpu)");
	plan = plan_of("GET", "/?blocking-share=50");
	assert_int_equal(plan.status, 400);
	assert_body(&plan, "400: Bad Request: blocking-share is for all requests (PUT /settings); one request has a "
			   "mode");
	plan = plan_of("GET", "/?mode=threadpool");
	assert_body(&plan, "400: Bad Request: this server's modes are: async blocking");
}

static void
test_other_paths_and_methods(void **state)
{
	struct workload_plan plan = plan_of("GET", "/a/b");

	(void)state;
	assert_int_equal(plan.status, 404);
	assert_body(&plan, "404: Not Found");
	plan = plan_of("OPTIONS", "*");
	assert_int_equal(plan.status, 404);
	plan = plan_of("POST", "/");
	assert_int_equal(plan.status, 405);
	assert_string_equal(plan.fields, "Allow: GET,HEAD\r\n");
	assert_body(&plan, "405: Method Not Allowed");
	assert_int_equal(plan.wait.sleep_ns, 0);
	assert_int_equal(plan.wait.cpu_ns, 0);
}

static void
test_echo_takes_any_method_and_does_not_sleep(void **state)
{
	static const char *const methods[] = {"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		struct workload_plan plan = plan_of(methods[i], "/echo?sleep=1");

		assert_int_equal(plan.kind, WORKLOAD_ECHO);
		assert_int_equal(plan.status, 200);
		assert_int_equal(plan.wait.sleep_ns, 0);
		assert_int_equal(plan.wait.cpu_ns, 0);
		assert_string_equal(plan.content_type, "application/octet-stream");
	}
}

static void
test_echo_gives_back_the_content_type(void **state)
{
	static const char long_type[WORKLOAD_TEXT_MAX] = "x";
	struct http_request asked = request("POST", "/echo");
	struct workload_plan plan;

	(void)state;
	asked.content_type = (struct http_span){.at = "a/b; c", .len = 3};
	workload_plan(&plan, &asked, settings);
	assert_string_equal(plan.content_type, "a/b");
	asked.content_type = (struct http_span){.at = long_type, .len = sizeof(long_type)};
	workload_plan(&plan, &asked, settings);
	assert_string_equal(plan.content_type, "application/octet-stream");
	asked.content_type = (struct http_span){.at = "a/\xff", .len = 3};
	workload_plan(&plan, &asked, settings);
	assert_string_equal(plan.content_type, "application/octet-stream");
	asked.content_type = (struct http_span){.at = long_type, .len = 0};
	workload_plan(&plan, &asked, settings);
	assert_string_equal(plan.content_type, "application/octet-stream");
}

static void
test_expectations_and_large_bodies(void **state)
{
	struct http_request asked = request("GET", "/");
	struct workload_plan plan;

	(void)state;
	asked.expect = HTTP_EXPECT_UNKNOWN;
	workload_plan(&plan, &asked, settings);
	assert_int_equal(plan.status, 417);
	assert_false(plan.close);
	asked.target = (struct http_span){.at = "/a/b", .len = 4};
	asked.content_length = 1;
	workload_plan(&plan, &asked, settings);
	assert_int_equal(plan.status, 417);
	assert_true(plan.close);

	asked = request("GET", "/");
	asked.content_length = WORKLOAD_BODY_MAX;
	workload_plan(&plan, &asked, settings);
	assert_int_equal(plan.status, 200);
	asked.content_length = WORKLOAD_BODY_MAX + 1;
	workload_plan(&plan, &asked, settings);
	assert_int_equal(plan.status, 413);
	assert_true(plan.close);
	asked = request("POST", "/echo");
	asked.content_length = (int64_t)1 << 40;
	workload_plan(&plan, &asked, settings);
	assert_int_equal(plan.status, 200);
}

static void
test_an_error_text_is_bounded(void **state)
{
	struct workload_plan plan;
	char reason[1000];

	(void)state;
	memset(reason, 'x', sizeof(reason));
	reason[sizeof(reason) - 1] = '\0';
	workload_plan_error(&plan, 503, reason);
	assert_int_equal(plan.body_len, WORKLOAD_TEXT_MAX - 1);
	assert_true(plan.close);
	workload_plan_error(&plan, 408, NULL);
	assert_body(&plan, "408: Request Timeout");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_routes_of_the_lab_sleep_and_greet),
	    cmocka_unit_test(test_a_query_overrides_for_one_request),
	    cmocka_unit_test(test_a_bad_override_is_answered_with_what_is_allowed),
	    cmocka_unit_test(test_other_paths_and_methods),
	    cmocka_unit_test(test_echo_takes_any_method_and_does_not_sleep),
	    cmocka_unit_test(test_echo_gives_back_the_content_type),
	    cmocka_unit_test(test_expectations_and_large_bodies),
	    cmocka_unit_test(test_an_error_text_is_bounded),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
