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
#include <sys/stat.h>
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
	assert_string_equal(request.bytes, expected);
	assert_int_equal(request.bytes_len, strlen(expected));
	assert_int_equal(request.len, request.bytes_len);
	assert_string_equal(request.path, "/x?sleep=0.1");
	assert_string_equal(request.method, request_method_name(spec));
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
	struct request_spec spec = {.body = "a=b", .body_len = 3};

	(void)state;
	assert_built(&spec,
	    "POST /x?sleep=0.1 HTTP/1.1\r\nConnection: close\r\nContent-Length: 3\r\nContent-Type: text/plain\r\n"
	    "Host: localhost:8088\r\n" AGENT "Accept: */*\r\n\r\na=b");
	spec.put = true;
	spec.content_type = "application/json";
	assert_built(&spec,
	    "PUT /x?sleep=0.1 HTTP/1.1\r\nConnection: close\r\nContent-Length: 3\r\nContent-Type: application/json\r\n"
	    "Host: localhost:8088\r\n" AGENT "Accept: */*\r\n\r\na=b");
	spec = (struct request_spec){.method = "PATCH", .body = ""};
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
test_a_proxy_is_told_the_whole_url(void **state)
{
	struct request_spec spec = {.proxied = true, .proxy_credentials = "a:b", .credentials = "c:d"};
	struct target target;
	struct request request;
	char error[256];

	(void)state;
	assert_built(&(struct request_spec){.proxied = true},
	    "GET http://localhost:8088/x?sleep=0.1 HTTP/1.1\r\nConnection: close\r\nHost: localhost:8088\r\n" AGENT
	    "Accept: */*\r\n\r\n");
	assert_built(&spec,
	    "GET http://localhost:8088/x?sleep=0.1 HTTP/1.1\r\nConnection: close\r\nAuthorization: Basic Yzpk\r\n"
	    "Proxy-Authorization: Basic YTpi\r\nHost: localhost:8088\r\n" AGENT "Accept: */*\r\n\r\n");
	spec.fields[spec.fields_len++] = "Proxy-authorization: mine";
	spec.credentials = NULL;
	assert_built(&spec,
	    "GET http://localhost:8088/x?sleep=0.1 HTTP/1.1\r\nConnection: close\r\nHost: localhost:8088\r\n" AGENT
	    "Accept: */*\r\nProxy-authorization: mine\r\n\r\n");
	/* Inside a tunnel nothing is the proxy's. */
	spec.fields_len = 0;
	assert_int_equal(target_parse(&target, "localhost:8088/x", error, sizeof(error)), 0);
	target.tls = true;
	assert_int_equal(request_build(&request, &spec, &target, "/y"), 0);
	assert_string_equal(request.bytes,
	    "GET /y HTTP/1.1\r\nConnection: close\r\nHost: localhost:8088\r\n" AGENT "Accept: */*\r\n\r\n");
	request_deinit(&request);
	target_deinit(&target);
}

static void
test_a_body_in_chunks(void **state)
{
	struct request_spec spec = {.chunked = true, .body = "a=b", .body_len = 3};

	(void)state;
	assert_built(&spec,
	    "POST /x?sleep=0.1 HTTP/1.1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nContent-Type: "
	    "text/plain\r\nHost: localhost:8088\r\n" AGENT "Accept: */*\r\n\r\n3\r\na=b\r\n0\r\n\r\n");
	spec.body_len = 0;
	assert_built(&spec,
	    "POST /x?sleep=0.1 HTTP/1.1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nContent-Type: "
	    "text/plain\r\nHost: localhost:8088\r\n" AGENT "Accept: */*\r\n\r\n0\r\n\r\n");
}

/* A file of its own for a test: its bytes are those of their places. */
struct body_file {
	char name[32];
	char *bytes;
	int fd;
};

static void
body_file_init(struct body_file *file, size_t len)
{
	strcpy(file->name, "/tmp/loadgen-test-XXXXXX");
	file->fd = mkstemp(file->name);
	file->bytes = malloc(len + 1);
	assert_true(file->fd >= 0);
	assert_non_null(file->bytes);
	for (size_t i = 0; i < len; i++)
		file->bytes[i] = (char)(i * 31 + i / 251);
	assert_int_equal(write(file->fd, file->bytes, len), len);
}

static void
body_file_deinit(struct body_file *file)
{
	close(file->fd);
	unlink(file->name);
	free(file->bytes);
}

/* whole reads all of REQUEST in pieces of at most SIZE bytes. The caller frees it. */
static char *
whole(const struct request *request, size_t size)
{
	char *all = malloc((size_t)request->len + 1), *piece = malloc(size);
	uint64_t at = request->bytes_len;

	assert_non_null(all);
	assert_non_null(piece);
	memcpy(all, request->bytes, request->bytes_len);
	while (at < request->len) {
		ssize_t got = request_read(request, at, piece, size);

		assert_in_range(got, 1, size);
		memcpy(all + at, piece, (size_t)got);
		at += (uint64_t)got;
	}
	assert_int_equal(at, request->len);
	all[at] = '\0';
	free(piece);
	return all;
}

/* assert_chunks takes chunked TEXT apart: its data is BYTES[0..LEN), and nothing follows. */
static void
assert_chunks(const char *text, const char *end, const char *bytes, size_t len)
{
	size_t at = 0, size;
	char *rest;

	do {
		size = strtoul(text, &rest, 16);
		assert_memory_equal(rest, "\r\n", 2);
		assert_true(size <= len - at && rest + 2 + size + 2 <= end);
		assert_memory_equal(rest + 2, bytes + at, size);
		assert_memory_equal(rest + 2 + size, "\r\n", 2);
		at += size;
		text = rest + 2 + size + 2;
	} while (size > 0);
	assert_ptr_equal(text, end);
	assert_int_equal(at, len);
}

static void
test_a_body_of_any_length_leaves_whole(void **state)
{
	static const size_t lengths[] = {0, 1, 15, 16, 65535, 65536, 65537, 65545, 131071, 131072, 131073, 200000};
	static const size_t sizes[] = {1, 7, 32, 4096, 65536, 1000000};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(lengths) / sizeof(lengths[0]); i++)
		for (size_t j = 0; j < sizeof(sizes) / sizeof(sizes[0]); j++) {
			struct target target = {.field = (char[]){"x"}};
			struct request_spec spec = {.chunked = i % 2 != 0};
			size_t len = lengths[i / 2];
			struct body_file file;
			struct request request;
			char *all, *body;

			body_file_init(&file, len);
			assert_int_equal(request_open_body(&spec, file.name), 0);
			assert_int_equal(spec.body_len, len);
			assert_int_equal(request_build(&request, &spec, &target, "/"), 0);
			assert_int_equal(request.body_len, len);
			if (len <= REQUEST_SMALL_MAX)
				assert_int_equal(request.bytes_len, request.len);
			else
				assert_true(request.bytes_len < 300);
			all = whole(&request, sizes[j]);
			body = strstr(all, "\r\n\r\n") + 4;
			if (spec.chunked) {
				assert_chunks(body, all + request.len, file.bytes, len);
			} else {
				assert_int_equal(all + request.len - body, len);
				assert_memory_equal(body, file.bytes, len);
			}
			free(all);
			request_deinit(&request);
			request_close_body(&spec);
			assert_false(request_has_body(&spec));
			body_file_deinit(&file);
		}
}

static void
test_a_part_may_be_read_at_any_place(void **state)
{
	struct target target = {.field = (char[]){"x"}};
	struct request_spec spec = {.chunked = true};
	struct body_file file;
	struct request request;
	char *all, piece[40];

	(void)state;
	body_file_init(&file, 131071);
	assert_int_equal(request_open_body(&spec, file.name), 0);
	assert_int_equal(request_build(&request, &spec, &target, "/"), 0);
	all = whole(&request, 65536);
	for (uint64_t at = request.bytes_len; at < request.len;
	     at += at % 65545 < 200 || request.len - at < 100 ? 1 : 97) {
		ssize_t got = request_read(&request, at, piece, sizeof(piece));

		assert_in_range(got, 1, sizeof(piece));
		assert_memory_equal(piece, all + at, (size_t)got);
	}
	free(all);
	request_deinit(&request);
	request_close_body(&spec);
	body_file_deinit(&file);
}

static void
test_a_file_that_got_shorter_is_an_error(void **state)
{
	struct target target = {.field = (char[]){"x"}};
	char piece[65536];

	(void)state;
	for (int chunked = 0; chunked < 2; chunked++) {
		struct request_spec spec = {.chunked = chunked != 0};
		struct body_file file;
		struct request request;

		body_file_init(&file, 100000);
		assert_int_equal(request_open_body(&spec, file.name), 0);
		assert_int_equal(request_build(&request, &spec, &target, "/"), 0);
		assert_int_equal(ftruncate(file.fd, 1000), 0);
		assert_int_equal(request_read(&request, request.bytes_len + 5000, piece, sizeof(piece)), -EIO);
		request_deinit(&request);
		spec.body_len = 2000; /* and where it is small */
		assert_int_equal(request_build(&request, &spec, &target, "/"), -EIO);
		assert_null(request.bytes);
		request_close_body(&spec);
		body_file_deinit(&file);
	}
}

static void
test_only_a_regular_file_is_a_body(void **state)
{
	struct request_spec spec = {0};
	char name[] = "/tmp/loadgen-test-XXXXXX";
	int fd = mkstemp(name);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(request_open_body(&spec, name), 0);
	assert_string_equal(request_method_name(&spec), "POST"); /* an empty one is a body, too */
	request_close_body(&spec);
	assert_string_equal(request_method_name(&spec), "GET");
	unlink(name);
	assert_int_equal(request_open_body(&spec, name), -ENOENT);
	assert_int_equal(request_open_body(&spec, "/"), -EISDIR);
	assert_int_equal(request_open_body(&spec, "/dev/null"), -EINVAL);
	assert_int_equal(mkfifo(name, 0600), 0); /* nobody writes: it must not wait */
	assert_int_equal(request_open_body(&spec, name), -EINVAL);
	unlink(name);
	assert_false(request_has_body(&spec));
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
	    cmocka_unit_test(test_a_proxy_is_told_the_whole_url),
	    cmocka_unit_test(test_a_body_in_chunks),
	    cmocka_unit_test(test_a_body_of_any_length_leaves_whole),
	    cmocka_unit_test(test_a_part_may_be_read_at_any_place),
	    cmocka_unit_test(test_a_file_that_got_shorter_is_an_error),
	    cmocka_unit_test(test_only_a_regular_file_is_a_body),
	};

	return cmocka_run_group_tests_name("loadgen/request", tests, NULL, NULL);
}
