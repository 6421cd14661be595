/* Unit tests of common/http_request: events and fields in order, pipelining, how long spans live, memory. */
#include "common/http_request.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

#define HTTP_HEAD LLHTTP_METHOD_HEAD
#include <llhttp.h>
#undef HTTP_HEAD

#include "tests/fuzz/http_request.c"
#include "tests/unit/common/http_cuts.h"

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

/* The linker puts these in front of malloc, calloc and llhttp_execute (the Makefile's --wrap). */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
llhttp_errno_t __real_llhttp_execute(llhttp_t *llhttp, const char *data, size_t len);
llhttp_errno_t __wrap_llhttp_execute(llhttp_t *llhttp, const char *data, size_t len);

static bool memory_is_out;
static size_t allocations;

void *
__wrap_malloc(size_t size)
{
	allocations++;
	if (memory_is_out)
		errno = ENOMEM;
	return memory_is_out ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t count, size_t size)
{
	allocations++;
	if (memory_is_out)
		errno = ENOMEM;
	return memory_is_out ? NULL : __real_calloc(count, size);
}

/* Where llhttp is to see other bytes than the guard does: for each of the first text the one of the second; NULL: nowhere. */
static const char *seen_by_guard, *seen_by_llhttp;

llhttp_errno_t
__wrap_llhttp_execute(llhttp_t *llhttp, const char *data, size_t len)
{
	char other[512];
	llhttp_errno_t error;

	if (seen_by_guard == NULL)
		return __real_llhttp_execute(llhttp, data, len);
	assert_in_range(len, 0, sizeof(other));
	for (size_t i = 0; i < len; i++) {
		const char *at = strchr(seen_by_guard, data[i]);

		other[i] = at != NULL ? seen_by_llhttp[at - seen_by_guard] : data[i];
	}
	error = __real_llhttp_execute(llhttp, other, len);
	if (error != HPE_OK)
		llhttp->error_pos = data + (llhttp->error_pos - other);
	return error;
}

/* A connection for each test. */
static int
set_up(void **state)
{
	static struct http_request request;

	*state = &request;
	return http_request_init(&request, &usual_limits);
}

static int
tear_down(void **state)
{
	memory_is_out = false;
	seen_by_guard = NULL;
	http_request_deinit(*state);
	return 0;
}

/* assert_event reads TEXT, which has to be taken whole and come to EVENT. */
static void
assert_event(struct http_request *request, const char *text, enum http_event event)
{
	size_t taken;

	assert_int_equal(http_request_read(request, text, strlen(text), &taken), event);
	assert_int_equal(taken, strlen(text));
}

static void
assert_span(struct http_span span, const char *text)
{
	assert_non_null(span.at);
	assert_int_equal(span.len, strlen(text));
	assert_memory_equal(span.at, text, span.len);
}

static void
test_the_fields_of_a_request_are_told(void **state)
{
	struct http_request *request = *state;

	assert_event(request,
	    "PUT /a/b?c=d HTTP/1.1\r\nhost: a\r\nUSER-AGENT: me/1 (x)\r\nReferer: http://r/\r\nContent-type:text/plain "
	    "\r\n"
	    "Accept: */*\r\nContent-Length: 5\r\n\r\n",
	    HTTP_HEAD);
	assert_string_equal(request->method, "PUT");
	assert_false(request->get);
	assert_false(request->head);
	assert_int_equal(request->minor, 1);
	assert_true(request->keep_alive);
	assert_int_equal(request->content_length, 5);
	assert_int_equal(request->expect, HTTP_EXPECT_NONE);
	assert_span(request->target, "/a/b?c=d");
	assert_span(request->user_agent, "me/1 (x)");
	assert_span(request->referer, "http://r/");
	assert_span(request->content_type, "text/plain");
	assert_event(request, "he", HTTP_BODY);
	assert_span(request->body, "he");
	assert_event(request, "llo", HTTP_BODY);
	assert_span(request->body, "llo");
	assert_event(request, "", HTTP_COMPLETE);
	assert_event(request, "", HTTP_COMPLETE);
}

static void
test_fields_that_are_absent_or_empty_are_told_apart(void **state)
{
	struct http_request *request = *state;

	assert_event(request, "GET / HTTP/1.1\r\nHost: a\r\nReferer: \t \r\n\r\n", HTTP_HEAD);
	assert_span(request->referer, "");
	assert_null(request->user_agent.at);
	assert_int_equal(request->content_length, 0);
	assert_int_equal(http_request_keep(request), 0);
	assert_span(request->referer, "");
	assert_null(request->user_agent.at);
}

static void
test_methods_are_told(void **state)
{
	static const char *const methods[] = {
	    "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "M-SEARCH"};
	struct http_request *request = *state;
	char text[80];

	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		snprintf(text, sizeof(text), "%s / HTTP/1.1\r\nHost: a\r\n\r\n", methods[i]);
		assert_event(request, text, HTTP_HEAD);
		assert_string_equal(request->method, methods[i]);
		assert_int_equal(request->get, i == 0);
		assert_int_equal(request->head, i == 1);
		assert_event(request, "", HTTP_COMPLETE);
		http_request_reset(request);
	}
}

static void
test_keep_alive_follows_version_and_connection(void **state)
{
	static const struct {
		int minor;
		const char *field;
		bool keep_alive;
	} cases[] = {
	    {1, "", true},
	    {0, "", false},
	    {1, "Connection: close\r\n", false},
	    {1, "CONNECTION: Close\r\n", false},
	    {0, "Connection: keep-alive\r\n", true},
	    {0, "Connection: Keep-Alive\r\n", true},
	    {1, "Connection: x, close\r\n", false},
	    {1, "Connection: close, x\r\n", false},
	    {1, "Connection: x\r\nConnection: close\r\n", false},
	    {1, "Connection: closed\r\n", true},
	    {0, "Connection: keep-alive, close\r\n", false},
	    {0, "Connection: close, keep-alive\r\n", false},
	};
	struct http_request *request = *state;
	char text[120];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		snprintf(text, sizeof(text), "GET / HTTP/1.%d\r\nHost: a\r\n%s\r\n", cases[i].minor, cases[i].field);
		assert_event(request, text, HTTP_HEAD);
		if (request->keep_alive != cases[i].keep_alive)
			print_error("%s", text);
		assert_int_equal(request->keep_alive, cases[i].keep_alive);
		http_request_reset(request);
	}
}

static void
test_ten_pipelined_requests_in_one_buffer_are_ten_requests(void **state)
{
	char text[2000];
	int len = 0;
	const struct outcome *outcome;
	const char *at;

	(void)state;
	for (int i = 0; i < 10; i++) {
		const char *rest = i % 3 == 0   ? "\r\n"
				   : i % 3 == 1 ? "Content-Length: 4\r\n\r\nbody"
						: "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n";

		len += snprintf(text + len, sizeof(text) - (size_t)len, "POST /%d HTTP/1.1\r\nHost: a\r\n%s", i, rest);
	}
	outcome = assert_cuts(&usual_limits, text, (size_t)len);
	assert_int_equal(outcome->requests, 10);
	assert_int_equal(outcome->status, 0);
	at = outcome->text;
	for (int i = 0; i < 10; i++) {
		char target[32];

		snprintf(target, sizeof(target), " target=[/%d] ", i);
		at = strstr(at, target);
		assert_non_null(at);
	}
}

static void
test_a_body_behind_a_get_is_its_body_and_not_a_request(void **state)
{
	static const char text[] =
	    "GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 27\r\n\r\n" GET "GET /b HTTP/1.1\r\nHost: a\r\n\r\n";
	const struct outcome *outcome = assert_cuts(&usual_limits, text, sizeof(text) - 1);

	(void)state;
	assert_int_equal(outcome->requests, 2);
	assert_null(strstr(outcome->text, " target=[/] "));
}

static void
test_what_follows_a_request_that_closes_can_still_be_read(void **state)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" GET;

	(void)state;
	assert_int_equal(assert_cuts(&usual_limits, text, sizeof(text) - 1)->requests, 2);
}

static void
test_nothing_is_read_behind_an_invalid_request(void **state)
{
	struct http_request *request = *state;
	size_t taken = 99;

	assert_int_equal(http_request_read(request, "GET\r\n", 5, &taken), HTTP_INVALID);
	assert_int_equal(request->status, 400);
	assert_int_equal(http_request_read(request, GET, strlen(GET), &taken), HTTP_INVALID);
	assert_int_equal(taken, 0);
	assert_int_equal(request->status, 400);
}

static void
test_spans_stay_valid_while_the_data_are_reused(void **state)
{
	static const char head[] =
	    "POST /target HTTP/1.1\r\nHost: a\r\nContent-Type: text/x\r\nReferer:\r\nContent-Length: 9\r\n\r\n";
	struct http_request *request = *state;
	char data[sizeof(head)];

	/* Kept on purpose. */
	memcpy(data, head, sizeof(head));
	assert_event(request, data, HTTP_HEAD);
	assert_int_equal(http_request_keep(request), 0);
	assert_int_equal(http_request_keep(request), 0);
	memset(data, 'X', sizeof(data));
	assert_span(request->target, "/target");
	assert_span(request->content_type, "text/x");
	assert_span(request->referer, "");
	http_request_reset(request);

	/* Kept because the request goes on in other data. */
	memcpy(data, head, sizeof(head));
	assert_event(request, data, HTTP_HEAD);
	assert_event(request, "", HTTP_MORE);
	memset(data, 'X', sizeof(data));
	assert_span(request->target, "/target");
	assert_span(request->content_type, "text/x");
}

static const char *const wanted_names[] = {
    "x-forwarded-for", "host", "user-agent", "accept", "a", "b", "a_c", "d", NULL};
static const struct http_limits wanting = {
    .request_line = 4094,
    .field_size = 8190,
    .fields = 100,
    .header_size = 65536,
    .wanted = wanted_names,
};

#define WANTED \
	"GET / HTTP/1.1\r\nX-Forwarded-For:  1.2.3.4 \r\nhOST: a\r\nD:\r\nx-forwarded-for: 5.6.7.8\r\n" \
	"User-Agent: me\r\nX-Forwarded-Fo: 7\r\nAccepts: 8\r\nd: 9\r\nA_C: 10\r\n\r\n"

static void
assert_wanted(const struct http_request *request)
{
	assert_span(request->wanted[0], "1.2.3.4");
	assert_span(request->wanted[1], "a");
	assert_span(request->wanted[2], "me");
	for (size_t i = 3; i < 6; i++)
		assert_null(request->wanted[i].at);
	assert_span(request->wanted[6], "10");
	assert_span(request->wanted[7], "");
	assert_span(request->user_agent, "me");
}

static void
test_the_first_of_each_wanted_field_is_told_and_kept(void **state)
{
	struct http_request *request = *state;
	char data[sizeof(WANTED)] = WANTED;

	http_request_deinit(request);
	assert_int_equal(http_request_init(request, &wanting), 0);
	assert_event(request, data, HTTP_HEAD);
	assert_wanted(request);
	assert_int_equal(http_request_keep(request), 0);
	memset(data, 'X', sizeof(data));
	assert_wanted(request);
	assert_event(request, "", HTTP_COMPLETE);

	/* The next request has none of them. */
	http_request_reset(request);
	assert_event(request, "GET / HTTP/1.0\r\n\r\n", HTTP_HEAD);
	for (size_t i = 0; i < HTTP_WANTED_MAX; i++)
		assert_null(request->wanted[i].at);

	/* Nor is there anything left of them where there was no memory to keep them. */
	http_request_reset(request);
	assert_event(request, WANTED, HTTP_HEAD);
	memory_is_out = true;
	assert_int_equal(http_request_keep(request), -ENOMEM);
	for (size_t i = 0; i < HTTP_WANTED_MAX; i++)
		assert_null(request->wanted[i].at);
}

static void
test_wanted_fields_are_the_same_however_the_request_is_cut(void **state)
{
	static const char text[] =
	    WANTED "POST / HTTP/1.1\r\nHost: a\r\nB: 1\r\nB: 2\r\nContent-Length: 1\r\n\r\nx" GET;
	const struct outcome *outcome = assert_cuts(&wanting, text, sizeof(text) - 1);

	(void)state;
	assert_int_equal(outcome->requests, 3);
	assert_non_null(strstr(outcome->text, " wanted=[1.2.3.4] wanted=[a] wanted=[me] wanted=[10] wanted=[]\n"));
	assert_non_null(strstr(outcome->text, " content_type=none wanted=[a] wanted=[1]\n"));
	assert_non_null(strstr(outcome->text, " content_type=none wanted=[a]\n"));
}

static void
test_started_tells_an_idle_connection_from_a_slow_one(void **state)
{
	struct http_request *request = *state;

	assert_false(http_request_started(request));
	assert_event(request, "\r\n\r", HTTP_MORE);
	assert_false(http_request_started(request));
	assert_event(request, "\nG", HTTP_MORE);
	assert_true(http_request_started(request));
	assert_event(request, "ET / HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_HEAD);
	assert_true(http_request_started(request));
	assert_event(request, "", HTTP_COMPLETE);
	http_request_reset(request);
	assert_false(http_request_started(request));
}

static void
test_a_request_that_was_reset_is_as_new(void **state)
{
	struct http_request *request = *state;
	struct http_request other = {0};
	size_t taken;

	http_request_deinit(request);
	assert_int_equal(http_request_init(request, &wanting), 0);
	for (int i = 0; i < 2; i++) {
		static const char *const texts[] = {
		    "POST /a HTTP/1.1\r\nA: b\r\nD: c\r\nHost: a\r\nReferer: b\r\nUser-Agent: c\r\nContent-Type: d\r\n"
		    "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nx",
		    "HEAD /a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		};

		assert_int_equal(
		    http_request_read(request, texts[i], strlen(texts[i]), &taken), i == 0 ? HTTP_HEAD : HTTP_INVALID);
		if (i == 0)
			assert_event(request, "x", HTTP_BODY);
		http_request_reset(request);
		other.parser = request->parser;
		assert_memory_equal(request, &other, sizeof(other));
	}
}

static void
test_a_request_that_arrives_whole_allocates_nothing(void **state)
{
	struct http_request *request = *state;
	size_t before = allocations;

	for (int i = 0; i < 3; i++) {
		assert_event(request, GET, HTTP_HEAD);
		assert_event(request, "", HTTP_COMPLETE);
		http_request_reset(request);
		assert_event(request, "", HTTP_MORE);
	}
	assert_int_equal(allocations, before);
	/* Neither does a body that comes with its header. */
	assert_event(request, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", HTTP_HEAD);
	assert_event(request, "hello", HTTP_BODY);
	assert_event(request, "", HTTP_COMPLETE);
	assert_int_equal(allocations, before);
}

static void
test_without_memory_a_connection_does_not_begin(void **state)
{
	struct http_request other;

	(void)state;
	memory_is_out = true;
	assert_int_equal(http_request_init(&other, &usual_limits), -ENOMEM);
}

static void
test_without_memory_a_header_in_parts_is_503_and_the_next_connection_is_served(void **state)
{
	struct http_request *request = *state;
	size_t taken;

	memory_is_out = true;
	assert_int_equal(http_request_read(request, "GET / HT", 8, &taken), HTTP_INVALID);
	assert_int_equal(request->status, 503);
	memory_is_out = false;
	http_request_deinit(request);
	assert_int_equal(http_request_init(request, &usual_limits), 0);
	assert_event(request, GET, HTTP_HEAD);
}

static void
test_without_memory_a_header_that_grows_is_503(void **state)
{
	struct http_request *request = *state;
	char text[2000];
	size_t taken;

	assert_event(request, "GET /", HTTP_MORE);
	memset(text, 'a', sizeof(text));
	memory_is_out = true;
	assert_int_equal(http_request_read(request, text, sizeof(text), &taken), HTTP_INVALID);
	assert_int_equal(request->status, 503);
}

static void
test_without_memory_keep_empties_the_spans_and_a_body_in_parts_is_503(void **state)
{
	struct http_request *request = *state;
	size_t taken;

	assert_event(request, "POST / HTTP/1.1\r\nHost: a\r\nReferer: b\r\nContent-Length: 5\r\n\r\n", HTTP_HEAD);
	memory_is_out = true;
	assert_int_equal(http_request_keep(request), -ENOMEM);
	assert_null(request->target.at);
	assert_int_equal(request->target.len, 0);
	assert_null(request->referer.at);
	assert_int_equal(http_request_read(request, "", 0, &taken), HTTP_INVALID);
	assert_int_equal(request->status, 503);
}

static void
test_where_llhttp_reads_something_else_the_request_is_400(void **state)
{
#define LENGTH "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
#define CHUNKED "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
	static const struct {
		const char *text;
		const char *guard, *llhttp;
	} cases[] = {
	    {LENGTH, "3", "0"},  /* no body */
	    {LENGTH, "3", "2"},  /* a shorter body, and a request behind it */
	    {LENGTH, "3", "4"},  /* a longer body */
	    {LENGTH, "L", "M"},  /* no length at all */
	    {LENGTH, ":", " "},  /* no field */
	    {CHUNKED, "3", "2"}, /* a shorter chunk */
	    {CHUNKED, "3", "4"}, /* a longer one */
	    {CHUNKED, "3", "0"}, /* the last one */
	    {CHUNKED, "0", "1"}, /* not the last one */
	    {CHUNKED, "E", "F"}, /* no chunks at all */
	    {"GET / HTTP/1.1\r\nHost: a\r\nKontent-Length: 3\r\n\r\n", "K", "C"},          /* a body */
	    {"GET / HTTP/1.1\r\nHost: a\r\nMransfer-Encoding: chunked\r\n\r\n", "M", "T"}, /* chunks */
	    {"GET / HTTP/1.1\r\nHost: a\r\nxy: b\r\n\r\n", "xy", "\r\n"}, /* an end of the header before its end */
	    {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\n", " "},             /* no end of the header section */
	    {CHUNKED, "\n", "\r"},                                        /* no end anywhere */
	};

	static const size_t cuts[] = {SIZE_MAX, 1};
	static struct outcome outcome;

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
		const char *text = cases[i / 2].text;

		/* Another byte that is the same one: the way there changes nothing. */
		seen_by_guard = seen_by_llhttp = cases[i / 2].guard;
		feed(&outcome, &usual_limits, text, strlen(text), &cuts[i % 2], 1, false);
		assert_int_equal(outcome.status, 0);
		seen_by_guard = cases[i / 2].guard;
		seen_by_llhttp = cases[i / 2].llhttp;
		feed(&outcome, &usual_limits, text, strlen(text), &cuts[i % 2], 1, false);
		if (outcome.status != 400)
			print_error("case %zu: %s\n", i / 2, outcome.text);
		assert_int_equal(outcome.status, 400);
		assert_int_equal(outcome.requests, 0);
	}
}

/* What the fuzzer found worth keeping is tried on every build; a difference aborts and names the promise. */
static void
test_the_corpus_of_the_fuzzer_holds_no_surprise(void **state)
{
	static const char folder[] = "tests/fuzz/corpus/http_request";
	static uint8_t data[1 << 16];
	struct dirent *entry;
	DIR *files = opendir(folder);
	int count = 0;

	(void)state;
	assert_non_null(files);
	while ((entry = readdir(files)) != NULL) {
		char path[512];
		FILE *file;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		file = fopen(path, "rb");
		assert_non_null(file);
		LLVMFuzzerTestOneInput(data, fread(data, 1, sizeof(data), file));
		fclose(file);
		count++;
	}
	closedir(files);
	assert_true(count > 10);
}

int
main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
	    test(the_fields_of_a_request_are_told),
	    test(fields_that_are_absent_or_empty_are_told_apart),
	    test(methods_are_told),
	    test(keep_alive_follows_version_and_connection),
	    test(ten_pipelined_requests_in_one_buffer_are_ten_requests),
	    test(a_body_behind_a_get_is_its_body_and_not_a_request),
	    test(what_follows_a_request_that_closes_can_still_be_read),
	    test(nothing_is_read_behind_an_invalid_request),
	    test(spans_stay_valid_while_the_data_are_reused),
	    test(the_first_of_each_wanted_field_is_told_and_kept),
	    test(wanted_fields_are_the_same_however_the_request_is_cut),
	    test(started_tells_an_idle_connection_from_a_slow_one),
	    test(a_request_that_was_reset_is_as_new),
	    test(a_request_that_arrives_whole_allocates_nothing),
	    test(without_memory_a_connection_does_not_begin),
	    test(without_memory_a_header_in_parts_is_503_and_the_next_connection_is_served),
	    test(without_memory_a_header_that_grows_is_503),
	    test(without_memory_keep_empties_the_spans_and_a_body_in_parts_is_503),
	    test(where_llhttp_reads_something_else_the_request_is_400),
	    test(the_corpus_of_the_fuzzer_holds_no_surprise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
