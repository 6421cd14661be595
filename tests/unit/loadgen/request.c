/* Unit tests of loadgen/request: the bytes that leave. */
#include "loadgen/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/version.h"

#define AGENT "User-Agent: loadgen/" LOOPFORK_VERSION "\r\n"

static void
assert_built(const struct request_spec *spec, const char *expected)
{
	char error[256];
	struct target target;
	struct request request;

	assert_int_equal(target_parse(&target, "localhost:8088/x", error, sizeof(error)), 0);
	assert_int_equal(request_build(&request, spec, &target, "/x?sleep=0.1"), 0);
	assert_int_equal(request.len, strlen(expected));
	assert_string_equal(request.bytes, expected);
	request_deinit(&request);
	target_deinit(&target);
}

static void
test_the_plain_one(void **state)
{
	(void)state;
	assert_built(&(struct request_spec){0},
	    "GET /x?sleep=0.1 HTTP/1.1\r\nConnection: close\r\nHost: localhost:8088\r\n" AGENT "Accept: */*\r\n\r\n");
	assert_built(&(struct request_spec){.keep_alive = true, .head = true},
	    "HEAD /x?sleep=0.1 HTTP/1.1\r\nConnection: Keep-Alive\r\nHost: localhost:8088\r\n" AGENT
	    "Accept: */*\r\n\r\n");
}

static void
test_header_lines_replace_defaults_of_their_name(void **state)
{
	struct request_spec spec = {
	    .fields = {"host: other", "X-A: 1", "ACCEPT: text/html", "User-Agent: me", "Connection: keep-alive",
		"X-A: 2"},
	    .fields_len = 6,
	};

	(void)state;
	assert_built(&spec,
	    "GET /x?sleep=0.1 HTTP/1.1\r\nhost: other\r\nX-A: 1\r\nACCEPT: text/html\r\nUser-Agent: me\r\n"
	    "Connection: keep-alive\r\nX-A: 2\r\n\r\n");
	spec = (struct request_spec){
	    .fields = {"Hostess: x", "Cookie: mine"}, .fields_len = 2, .cookies = {"a=b"}, .cookies_len = 1};
	assert_built(&spec, "GET /x?sleep=0.1 HTTP/1.1\r\nConnection: close\r\nHost: localhost:8088\r\n" AGENT
			    "Accept: */*\r\nHostess: x\r\nCookie: mine\r\n\r\n");
}

static void
test_cookies_and_credentials(void **state)
{
	struct request_spec spec = {.cookies = {"a=1", "b=2"}, .cookies_len = 2, .credentials = "Aladdin:open sesame"};

	(void)state;
	assert_built(&spec, "GET /x?sleep=0.1 HTTP/1.1\r\nConnection: close\r\nCookie: a=1; b=2\r\n"
			    "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\nHost: localhost:8088\r\n" AGENT
			    "Accept: */*\r\n\r\n");
}

static void
test_base64_of_every_length(void **state)
{
	static const char *const pairs[][2] = {
	    {":", "Og=="}, {"a:", "YTo="}, {"a:b", "YTpi"}, {"a:\xff\xfe", "YTr//g=="}};
	char expected[512];

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct request_spec spec = {.credentials = pairs[i][0]};

		snprintf(expected, sizeof(expected),
		    "GET /x?sleep=0.1 HTTP/1.1\r\nConnection: close\r\nAuthorization: Basic %s\r\nHost: "
		    "localhost:8088\r\n" AGENT "Accept: */*\r\n\r\n",
		    pairs[i][1]);
		assert_built(&spec, expected);
	}
}

static void
test_bodies(void **state)
{
	struct request_spec spec = {.body = (char[]){"a=b"}, .body_len = 3};

	(void)state;
	assert_built(&spec,
	    "POST /x?sleep=0.1 HTTP/1.1\r\nConnection: close\r\nContent-Length: 3\r\nContent-Type: text/plain\r\n"
	    "Host: localhost:8088\r\n" AGENT "Accept: */*\r\n\r\na=b");
	spec.put = true;
	spec.content_type = "application/json";
	assert_built(&spec,
	    "PUT /x?sleep=0.1 HTTP/1.1\r\nConnection: close\r\nContent-Length: 3\r\nContent-Type: application/json\r\n"
	    "Host: localhost:8088\r\n" AGENT "Accept: */*\r\n\r\na=b");
	spec = (struct request_spec){.method = "PATCH", .body = (char[]){""}};
	assert_built(&spec,
	    "PATCH /x?sleep=0.1 HTTP/1.1\r\nConnection: close\r\nContent-Length: 0\r\nContent-Type: text/plain\r\n"
	    "Host: localhost:8088\r\n" AGENT "Accept: */*\r\n\r\n");
}

static void
test_head_is_known_however_it_is_asked_for(void **state)
{
	struct request_spec spec = {.method = "HEAD"};
	struct target target = {.field = (char[]){"x"}};
	struct request request;

	(void)state;
	assert_int_equal(request_build(&request, &spec, &target, "/"), 0);
	assert_true(request.head);
	request_deinit(&request);
	spec.method = "head"; /* methods are case-sensitive (RFC 9110, 9.1): this is another one */
	assert_int_equal(request_build(&request, &spec, &target, "/"), 0);
	assert_false(request.head);
	request_deinit(&request);
}

static void
test_what_would_break_the_request_is_refused(void **state)
{
	char error[256];

	(void)state;
	assert_int_equal(request_check_method("PURGE", error, sizeof(error)), 0);
	assert_int_equal(request_check_method("", error, sizeof(error)), -EINVAL);
	assert_int_equal(request_check_method("GET /", error, sizeof(error)), -EINVAL);
	assert_int_equal(request_check_method("CONNECT", error, sizeof(error)), -EINVAL);
	assert_int_equal(request_check_field("X-A: b", error, sizeof(error)), 0);
	assert_int_equal(request_check_field("X-A:", error, sizeof(error)), 0);
	assert_int_equal(request_check_field("X-A", error, sizeof(error)), -EINVAL);
	assert_int_equal(request_check_field(": b", error, sizeof(error)), -EINVAL);
	assert_int_equal(request_check_field("X A: b", error, sizeof(error)), -EINVAL);
	assert_int_equal(request_check_field("X-A: b\r\nX-B: c", error, sizeof(error)), -EINVAL);
	assert_int_equal(request_check_cookie("a=b", error, sizeof(error)), 0);
	assert_int_equal(request_check_cookie("a", error, sizeof(error)), -EINVAL);
	assert_int_equal(request_check_cookie("a=b\n", error, sizeof(error)), -EINVAL);
}

static void
test_a_body_comes_from_a_file(void **state)
{
	struct request_spec spec = {0};
	char name[] = "/tmp/loadgen-test-XXXXXX";
	int fd = mkstemp(name);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(request_load_body(&spec, name), 0);
	assert_non_null(spec.body);
	assert_int_equal(spec.body_len, 0);
	free(spec.body);
	assert_int_equal(write(fd, "a\0b", 3), 3);
	assert_int_equal(request_load_body(&spec, name), 0);
	assert_int_equal(spec.body_len, 3);
	assert_memory_equal(spec.body, "a\0b", 3);
	free(spec.body);
	assert_int_equal(ftruncate(fd, (1LL << 30) + 1), 0);
	assert_int_equal(request_load_body(&spec, name), -EFBIG);
	close(fd);
	unlink(name);
	assert_int_equal(request_load_body(&spec, name), -ENOENT);
	assert_int_equal(request_load_body(&spec, "/"), -EISDIR);
	assert_int_equal(request_load_body(&spec, "/dev/null"), -EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_plain_one),
	    cmocka_unit_test(test_header_lines_replace_defaults_of_their_name),
	    cmocka_unit_test(test_cookies_and_credentials),
	    cmocka_unit_test(test_base64_of_every_length),
	    cmocka_unit_test(test_bodies),
	    cmocka_unit_test(test_head_is_known_however_it_is_asked_for),
	    cmocka_unit_test(test_what_would_break_the_request_is_refused),
	    cmocka_unit_test(test_a_body_comes_from_a_file),
	};

	return cmocka_run_group_tests_name("loadgen/request", tests, NULL, NULL);
}
