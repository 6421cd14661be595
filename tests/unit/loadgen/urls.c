/* Unit tests of loadgen/urls: what a line of a --urls file comes to, and what is wrong with it. */
#include "loadgen/urls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/version.h"

#define AGENT "User-Agent: loadgen/" LOOPFORK_VERSION "\r\nAccept: */*\r\n"

/* A directory of its own for each test. */
static char dir[64];

static int
setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/loadgen-urls-XXXXXX");
	return mkdtemp(dir) != NULL && chdir(dir) == 0 ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	unlink("list");
	unlink("small");
	unlink("large");
	return chdir("/") == 0 ? rmdir(dir) : -1;
}

static void
write_file(const char *name, const char *bytes, size_t len)
{
	FILE *out = fopen(name, "w");

	assert_non_null(out);
	assert_int_equal(fwrite(bytes, 1, len, out), len);
	assert_int_equal(fclose(out), 0);
}

/* load reads a file that holds TEXT; it must be good. */
static void
load(struct urls *urls, const char *text)
{
	char error[512];

	write_file("list", text, strlen(text));
	if (urls_load(urls, "list", error, sizeof(error)) != 0)
		fail_msg("%s", error);
	assert_string_equal(error, "");
}

/* assert_request: entry INDEX leaves as EXPECTED for localhost. */
static void
assert_request(const struct urls *urls, size_t index, const struct request_spec *common, const char *expected)
{
	struct target target = {.field = (char[]){"localhost"}};
	struct request_spec spec;
	struct request request;

	urls_spec(&spec, urls, index, common);
	assert_int_equal(request_build(&request, &spec, &target, urls->entries[index].path), 0);
	assert_string_equal(request.bytes, expected);
	request_deinit(&request);
}

static void
test_text_lines(void **state)
{
	static const struct request_spec common = {.keep_alive = true};
	struct urls urls;

	(void)state;
	write_file("small", "from a file", 11);
	load(&urls, "# made by hand\n"
		    "/plain\n"
		    "\n"
		    "  \t \r\n"
		    "  DELETE   /a?b=c#fragment  \r\n"
		    "GET\t/tabs\tX-A: 1\tX-B: two words\t\n"
		    "/fields\tAccept: text/html\tbody= a=b&c=d \n"
		    "PUT /file \t@small\tContent-Type: text/csv\n"
		    "PATCH /empty\tbody=");
	assert_int_equal(urls.len, 6);
	assert_null(urls.server);
	assert_request(
	    &urls, 0, &common, "GET /plain HTTP/1.1\r\nConnection: Keep-Alive\r\nHost: localhost\r\n" AGENT "\r\n");
	assert_request(
	    &urls, 1, &common, "DELETE /a?b=c HTTP/1.1\r\nConnection: Keep-Alive\r\nHost: localhost\r\n" AGENT "\r\n");
	assert_request(&urls, 2, &common,
	    "GET /tabs HTTP/1.1\r\nConnection: Keep-Alive\r\nHost: localhost\r\n" AGENT
	    "X-A: 1\r\nX-B: two words\r\n\r\n");
	assert_request(&urls, 3, &common,
	    "POST /fields HTTP/1.1\r\nConnection: Keep-Alive\r\nContent-Length: 9\r\nContent-Type: text/plain\r\n"
	    "Host: localhost\r\nUser-Agent: loadgen/" LOOPFORK_VERSION "\r\nAccept: text/html\r\n\r\n a=b&c=d ");
	assert_request(&urls, 4, &common,
	    "PUT /file HTTP/1.1\r\nConnection: Keep-Alive\r\nContent-Length: 11\r\nHost: localhost\r\n" AGENT
	    "Content-Type: text/csv\r\n\r\nfrom a file");
	assert_request(&urls, 5, &common,
	    "PATCH /empty HTTP/1.1\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\nContent-Type: text/plain\r\n"
	    "Host: localhost\r\n" AGENT "\r\n");
	urls_deinit(&urls);
}

static void
test_json_lines(void **state)
{
	static const struct request_spec common = {.chunked = true};
	struct urls urls;

	(void)state;
	write_file("small", "", 0);
	load(&urls,
	    "{\"target\": \"/x\"}\n"
	    " {\"method\": \"PUT\", \"target\": \"/y\", \"headers\": {\"X-B\": \"\\u00e4\", \"X-A\": [\"1\", \"2\"]}, "
	    "\"body\": \"a\\tb\\nc\"}\n"
	    "{\"body_file\": \"small\", \"target\": \"/z\"}\n"
	    "{\"body\": \"a\\u0000b\", \"target\": \"/zero\"}\n");
	assert_int_equal(urls.len, 4);
	assert_request(&urls, 0, &common, "GET /x HTTP/1.1\r\nConnection: close\r\nHost: localhost\r\n" AGENT "\r\n");
	assert_request(&urls, 1, &common,
	    "PUT /y HTTP/1.1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\n"
	    "Host: localhost\r\n" AGENT "X-B: \xc3\xa4\r\nX-A: 1\r\nX-A: 2\r\n\r\n5\r\na\tb\nc\r\n0\r\n\r\n");
	assert_request(&urls, 2, &common,
	    "POST /z HTTP/1.1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\n"
	    "Host: localhost\r\n" AGENT "\r\n0\r\n\r\n");
	assert_int_equal(urls.entries[3].body_len, 3);
	assert_memory_equal(urls.entries[3].body, "a\0b", 3);
	urls_deinit(&urls);
}

static void
test_the_line_counts_above_the_options(void **state)
{
	static const struct request_spec common = {
	    .method = "PURGE",
	    .credentials = "a:b",
	    .cookies = {"c=d"},
	    .cookies_len = 1,
	    .content_type = "text/csv",
	    .fields = {"X-A: option", "X-Ab: option", "X-B: option"},
	    .fields_len = 3,
	};
	struct urls urls;

	(void)state;
	load(&urls, "GET /\tx-a: line\tCookie: e=f\n/\n/\tAuthorization: Bearer x\tX-B: 1\tX-B: 2\tbody=x\n");
	assert_request(&urls, 0, &common,
	    "GET / HTTP/1.1\r\nConnection: close\r\nAuthorization: Basic YTpi\r\nHost: localhost\r\n" AGENT
	    "X-Ab: option\r\nX-B: option\r\nx-a: line\r\nCookie: e=f\r\n\r\n");
	assert_request(&urls, 1, &common,
	    "PURGE / HTTP/1.1\r\nConnection: close\r\nCookie: c=d\r\nAuthorization: Basic YTpi\r\nHost: "
	    "localhost\r\n" AGENT "X-A: option\r\nX-Ab: option\r\nX-B: option\r\n\r\n");
	assert_request(&urls, 2, &common,
	    "PURGE / HTTP/1.1\r\nConnection: close\r\nCookie: c=d\r\nContent-Length: 1\r\nContent-Type: text/csv\r\n"
	    "Host: localhost\r\n" AGENT
	    "X-A: option\r\nX-Ab: option\r\nAuthorization: Bearer x\r\nX-B: 1\r\nX-B: 2\r\n\r\nx");
	urls_deinit(&urls);
}

static void
test_urls_of_one_server(void **state)
{
	struct urls urls;

	(void)state;
	load(&urls, "/first\nhttp://localhost:8088/x?y\nGET HTTP://localhost:8088\n");
	assert_string_equal(urls.server, "http://localhost:8088/");
	assert_string_equal(urls.entries[0].path, "/first");
	assert_string_equal(urls.entries[1].path, "/x?y");
	assert_string_equal(urls.entries[2].path, "/");
	urls_deinit(&urls);
	load(&urls, "http://[::1]:80/\n");
	assert_string_equal(urls.server, "http://[::1]:80/");
	urls_deinit(&urls);
}

static void
test_large_bodies_stay_in_their_file(void **state)
{
	char *large = calloc(1, REQUEST_SMALL_MAX + 1);
	struct target target = {.field = (char[]){"localhost"}};
	struct request_spec spec;
	struct request request;
	struct urls urls;

	(void)state;
	assert_non_null(large);
	write_file("large", large, REQUEST_SMALL_MAX + 1);
	write_file("small", large, REQUEST_SMALL_MAX);
	load(&urls, "PUT /1\t@large\n/2\t@small\n/3\t@large\n{\"target\": \"/4\", \"body_file\": \"large\"}");
	assert_int_equal(urls.files.len, 1); /* opened once */
	assert_int_equal(urls.files.items[0].len, REQUEST_SMALL_MAX + 1);
	assert_null(urls.entries[1].body_file);
	assert_memory_equal(urls.entries[1].body, large, REQUEST_SMALL_MAX);
	for (size_t i = 0; i < 4; i++) {
		urls_spec(&spec, &urls, i, &(struct request_spec){0});
		assert_int_equal(request_build(&request, &spec, &target, urls.entries[i].path), 0);
		assert_int_equal(request.body_fd, i == 1 ? -1 : urls.files.items[0].fd);
		assert_int_equal(request.body_len, REQUEST_SMALL_MAX + (i != 1));
		assert_string_equal(request.method, i == 0 ? "PUT" : "POST");
		request_deinit(&request);
	}
	urls_deinit(&urls);
	free(large);
}

static void
test_a_byte_order_mark_is_skipped(void **state)
{
	static const char *const lists[] = {
	    "\xef\xbb\xbf/x\n", "\xef\xbb\xbf# first\n/x", "\xef\xbb\xbf{\"target\": \"/x\"}"};
	struct urls urls;

	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		load(&urls, lists[i]);
		assert_int_equal(urls.len, 1);
		assert_string_equal(urls.entries[0].path, "/x");
		urls_deinit(&urls);
	}
}

/* assert_begins: the request of entry INDEX has LINE as its first line. */
static void
assert_begins(const struct urls *urls, size_t index, const struct request_spec *common, const char *line)
{
	struct target target = {.field = (char[]){"localhost"}};
	struct request_spec spec;
	struct request request;

	urls_spec(&spec, urls, index, common);
	assert_int_equal(request_build(&request, &spec, &target, urls->entries[index].path), 0);
	assert_memory_equal(request.bytes, line, strlen(line));
	request_deinit(&request);
}

static void
test_options_of_the_whole_server(void **state)
{
	struct urls urls;

	(void)state;
	load(&urls, "OPTIONS *\tA: b\n{\"target\": \"*\", \"method\": \"OPTIONS\"}");
	assert_int_equal(urls.len, 2);
	for (size_t i = 0; i < 2; i++)
		assert_begins(&urls, i, &(struct request_spec){0}, "OPTIONS * HTTP/1.1\r\n");
	assert_begins(&urls, 0, &(struct request_spec){.proxied = true}, "OPTIONS http://localhost HTTP/1.1\r\n");
	urls_deinit(&urls);
}

static void
test_mistakes_are_named_with_their_line(void **state)
{
	static const struct {
		const char *text, *error;
	} mistakes[] = {
	    {"", "list: there is no request in it; a line is one, as in GET /"},
	    {"# only\n\n", "list: there is no request in it; a line is one, as in GET /"},
	    {"/\n\nGET", "list:3: the target is missing, as in GET /x"},
	    {"*", "list:1: \"*\": the whole server is a target of OPTIONS alone, as in OPTIONS *"},
	    {"/\nGET *", "list:2: \"*\": the whole server is a target of OPTIONS alone, as in OPTIONS *"},
	    {"{\"target\": \"*\"}", "list:1: \"*\": the whole server is a target of OPTIONS alone, as in OPTIONS *"},
	    {"OPTIONS *x", "list:1: \"*x\": a target is a path like /x?y=1, or a URL with http:// before it"},
	    {"\xef\xbb\xbf", "list: there is no request in it; a line is one, as in GET /"},
	    {"/\nGET \xef\xbb\xbf/x",
		"list:2: \"\xef\xbb\xbf/x\": a target is a path like /x?y=1, or a URL with http:// before it"},
	    {"GE(T /", "list:1: \"GE(T\": a method is a word like GET or PATCH"},
	    {"CONNECT /", "list:1: \"CONNECT\": CONNECT asks for a tunnel, not for a response; use another method"},
	    {"GET x", "list:1: \"x\": a target is a path like /x?y=1, or a URL with http:// before it"},
	    {"localhost:80/",
		"list:1: \"localhost:80/\": a target is a path like /x?y=1, or a URL with http:// before it"},
	    {"/\xc3\xa4", "list:1: \"/\xc3\xa4\": blanks and other than ASCII characters must be percent-encoded"},
	    {"http:///x", "list:1: \"http:///x\": the URL has no host; use one like http://127.0.0.1:8088/"},
	    {"/ POST a=b", "list:1: \"POST a=b\" after the target: a method stands before it, all else after a tab"},
	    {"/\ta=b", "list:1: \"a=b\": a header line is a name, a colon and a value, as in \"Accept: text/html\""},
	    {"/\tbody=a\tbody=b", "list:1: two bodies; a request has one"},
	    {"/\t@small\tbody=b", "list:1: two bodies; a request has one"},
	    {"/\tbody=b\t@small", "list:1: two bodies; a request has one"},
	    {"/\t@/", "list:1: cannot read the body from /: Is a directory"},
	    {"/\t@/dev/null", "list:1: cannot read the body from /dev/null: it must be a regular file, for each "
			      "request reads it anew"},
	    {"/\t@missing", "list:1: cannot read the body from missing: No such file or directory"},
	    {"http://a/\nhttp://b/",
		"list:2: http://b/ is not http://a/; a file has one server, the command line several"},
	    {"http://a/\n/\nhttp://a:8080/",
		"list:3: http://a:8080/ is not http://a/; a file has one server, the command line several"},
	    {"{", "list:1: this is not JSON: string or '}' expected near end of file"},
	    {"{\"target\": \"/\"} x", "list:1: this is not JSON: end of file expected near 'x'"},
	    {"{\"target\": \"/\", \"target\": \"/\"}",
		"list:1: this is not JSON: duplicate object key near '\"target\"'"},
	    {"{}", "list:1: \"target\" is missing, as in {\"target\": \"/x\"}"},
	    {"{\"target\": 1}", "list:1: \"target\" must be a string"},
	    {"{\"target\": \"/\\u0000\"}", "list:1: \"target\" holds a zero byte"},
	    {"{\"target\": \"/\", \"method\": \"a b\"}", "list:1: \"a b\": a method is a word like GET or PATCH"},
	    {"{\"target\": \"/\", \"url\": \"/\"}",
		"list:1: there is no \"url\"; use method, target, headers, body or body_file"},
	    {"{\"target\": \"/\", \"headers\": []}",
		"list:1: \"headers\" must be an object, as in {\"Accept\": \"text/html\"}"},
	    {"{\"target\": \"/\", \"headers\": {\"A\": 1}}", "list:1: \"A\" must be a string"},
	    {"{\"target\": \"/\", \"headers\": {\"A\": [\"b\", null]}}", "list:1: \"A\" must be a string"},
	    {"{\"target\": \"/\", \"headers\": {\"A\": \"b\\r\\nC: d\"}}",
		"list:1: \"A: b\r\nC: d\": a header line cannot hold line ends or control characters"},
	    {"{\"target\": \"/\", \"body\": 1}", "list:1: \"body\" must be a string"},
	    {"{\"target\": \"/\", \"body\": \"\", \"body_file\": \"small\"}", "list:1: two bodies; a request has one"},
	};
	struct urls urls;
	char error[512];

	(void)state;
	write_file("small", "x", 1);
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		int result, expected = strstr(mistakes[i].error, "such file") != NULL   ? -ENOENT
				       : strstr(mistakes[i].error, "directory") != NULL ? -EISDIR
				       : strstr(mistakes[i].error, "regular") != NULL   ? -EIO
											: -EINVAL;

		write_file("list", mistakes[i].text, strlen(mistakes[i].text));
		result = urls_load(&urls, "list", error, sizeof(error));
		assert_string_equal(error, mistakes[i].error);
		assert_int_equal(result, expected);
		urls_deinit(&urls);
	}
	write_file("list", "/\n/a\0b\n", 7);
	assert_int_equal(urls_load(&urls, "list", error, sizeof(error)), -EINVAL);
	assert_string_equal(error, "list:2: a zero byte; lines are text");
	urls_deinit(&urls);
}

static void
test_files_that_cannot_be_read(void **state)
{
	struct urls urls;
	char error[512];

	(void)state;
	assert_int_equal(urls_load(&urls, "missing", error, sizeof(error)), -ENOENT);
	assert_string_equal(error, "cannot read missing: No such file or directory");
	urls_deinit(&urls);
	assert_int_equal(urls_load(&urls, "/", error, sizeof(error)), -EISDIR);
	assert_string_equal(error, "cannot read /: Is a directory");
	urls_deinit(&urls);
}

/* write_lines makes a list of COUNT lines; "%zu" of FORMAT is their number. */
static void
write_lines(const char *format, size_t count)
{
	FILE *out = fopen("list", "w");

	assert_non_null(out);
	for (size_t i = 0; i < count; i++)
		fprintf(out, "%s%zu\n", format, i);
	assert_int_equal(fclose(out), 0);
}

static void
test_a_line_has_an_end(void **state)
{
	static char text[URLS_LINE_MAX + 2];
	struct urls urls;
	char error[512];

	(void)state;
	memset(text, '#', sizeof(text));
	text[URLS_LINE_MAX - 1] = '\n';
	memcpy(text + URLS_LINE_MAX, "/x", 2);
	write_file("list", text, sizeof(text));
	assert_int_equal(urls_load(&urls, "list", error, sizeof(error)), 0);
	assert_int_equal(urls.len, 1);
	urls_deinit(&urls);
	text[URLS_LINE_MAX - 1] = '#';
	write_file("list", text, URLS_LINE_MAX + 1);
	assert_int_equal(urls_load(&urls, "list", error, sizeof(error)), -EINVAL);
	assert_string_equal(error, "list:1: a line of more than 1048576 bytes");
	urls_deinit(&urls);
	assert_int_equal(urls_load(&urls, "/dev/zero", error, sizeof(error)), -EINVAL);
	assert_string_equal(error, "/dev/zero:1: a line of more than 1048576 bytes");
	urls_deinit(&urls);
}

static void
test_a_file_has_an_end(void **state)
{
	static char lines[65536];
	char name[64], error[512];
	struct urls urls;
	int pipe_fds[2];
	pid_t child;

	(void)state;
	memset(lines, '#', sizeof(lines));
	lines[sizeof(lines) - 1] = '\n';
	assert_int_equal(pipe(pipe_fds), 0);
	child = fork();
	if (child == 0) {
		close(pipe_fds[0]);
		signal(SIGPIPE, SIG_DFL);
		while (write(pipe_fds[1], lines, sizeof(lines)) > 0)
			;
		_exit(0);
	}
	close(pipe_fds[1]);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", pipe_fds[0]);
	assert_int_equal(urls_load(&urls, name, error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, ":4097: more than 268435456 bytes up to this line"));
	urls_deinit(&urls);
	close(pipe_fds[0]);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void
test_limits(void **state)
{
	char text[REQUEST_SMALL_MAX + 64], error[512];
	struct urls urls;
	int len;

	(void)state;
	write_lines("/", URLS_MAX);
	assert_int_equal(urls_load(&urls, "list", error, sizeof(error)), 0);
	assert_int_equal(urls.len, URLS_MAX);
	assert_string_equal(urls.entries[URLS_MAX - 1].path, "/99999");
	urls_deinit(&urls);
	write_lines("/", URLS_MAX + 1);
	assert_int_equal(urls_load(&urls, "list", error, sizeof(error)), -EINVAL);
	assert_string_equal(error, "list:100001: more than 100000 requests");
	urls_deinit(&urls);

	len = snprintf(text, sizeof(text), "/\tbody=%0*d", REQUEST_SMALL_MAX, 1);
	load(&urls, text);
	assert_int_equal(urls.entries[0].body_len, REQUEST_SMALL_MAX);
	urls_deinit(&urls);
	strcpy(text + len, "0");
	write_file("list", text, (size_t)len + 1);
	assert_int_equal(urls_load(&urls, "list", error, sizeof(error)), -EINVAL);
	assert_string_equal(error, "list:1: a body of 65537 bytes; put one of more than 65536 into a file");
	urls_deinit(&urls);

	len = snprintf(text, sizeof(text), "/");
	for (int i = 0; i <= REQUEST_FIELDS_MAX; i++)
		len += snprintf(text + len, sizeof(text) - (size_t)len, "\tX: %d", i);
	write_file("list", text, (size_t)len);
	assert_int_equal(urls_load(&urls, "list", error, sizeof(error)), -EINVAL);
	assert_string_equal(error, "list:1: more than 100 header lines");
	urls_deinit(&urls);
}

static void
test_the_number_of_open_files_has_a_limit(void **state)
{
	char name[32], error[512];
	struct urls urls;

	(void)state;
	for (int i = 0; i <= URLS_FILES_MAX; i++) {
		snprintf(name, sizeof(name), "body%d", i);
		write_file(name, "", 0);
		assert_int_equal(truncate(name, REQUEST_SMALL_MAX + 1), 0);
	}
	write_lines("/\t@body", URLS_FILES_MAX);
	assert_int_equal(urls_load(&urls, "list", error, sizeof(error)), 0);
	urls_deinit(&urls);
	write_lines("/\t@body", URLS_FILES_MAX + 1);
	assert_int_equal(urls_load(&urls, "list", error, sizeof(error)), -EINVAL);
	assert_string_equal(error, "list:257: more than 256 different body files of over 65536 bytes");
	urls_deinit(&urls);
	for (int i = 0; i <= URLS_FILES_MAX; i++) {
		snprintf(name, sizeof(name), "body%d", i);
		unlink(name);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_text_lines),
	    TEST(test_json_lines),
	    TEST(test_the_line_counts_above_the_options),
	    TEST(test_urls_of_one_server),
	    TEST(test_large_bodies_stay_in_their_file),
	    TEST(test_a_byte_order_mark_is_skipped),
	    TEST(test_options_of_the_whole_server),
	    TEST(test_mistakes_are_named_with_their_line),
	    TEST(test_files_that_cannot_be_read),
	    TEST(test_limits),
	    TEST(test_a_line_has_an_end),
	    TEST(test_a_file_has_an_end),
	    TEST(test_the_number_of_open_files_has_a_limit),
	};

	return cmocka_run_group_tests_name("loadgen/urls", tests, NULL, NULL);
}
