/* Unit tests of common/access_log_json: what jansson reads back from each line. */
#include "common/access_log_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/compiler.h"

#define SPAN(literal) \
	{ \
		.at = (literal), .len = sizeof(literal) - 1 \
	}

static struct http_request request;
static struct access_log_entry entry;
static struct access_log_stamp stamp;

static int
fill(void **state)
{
	(void)state;
	stamp = (struct access_log_stamp){0};
	request = (struct http_request){
	    .method = "POST",
	    .minor = 1,
	    .target = SPAN("/a%22%2fb?q=%20&\"\x7f"),
	    .referer = SPAN("http://r/\\"),
	    .user_agent = SPAN("caf\xc3\xa9 \xe9"),
	    .wanted = {SPAN("Basic Ym9iOnNlY3JldA==")},
	};
	entry = (struct access_log_entry){
	    .peer = "127.0.0.1",
	    .request = &request,
	    .status = 200,
	    .sent_bytes = 171,
	    .body_bytes = 16,
	    .took_ns = 1500000400,
	};
	return 0;
}

/* line_in has the entry's line made in SIZE bytes, by way of the format, and returns it as jansson reads it. */
static json_t *
line_in(size_t size)
{
	static struct access_log_format format;
	char *line = malloc(size), why[64]; /* of its own size, so that a write beyond it is found */
	json_error_t error;
	json_t *object;
	size_t len;

	assert_non_null(line);
	assert_int_equal(access_log_format_parse(&format, ACCESS_LOG_JSON, NULL, why, sizeof(why)), 0);
	len = access_log_line(line, size, &format, &entry, &stamp);
	assert_in_range(len, 3, size);
	assert_ptr_equal(memchr(line, '\n', len), line + len - 1);
	object = json_loadb(line, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
	assert_non_null(object);
	free(line);
	return object;
}

static void
expect_text(const json_t *object, const char *key, const char *text)
{
	const json_t *value = json_object_get(object, key);

	assert_non_null(value);
	if (text == NULL)
		assert_true(json_is_null(value));
	else
		assert_string_equal(json_string_value(value), text);
}

static void
expect_number(const json_t *object, const char *key, json_int_t number)
{
	const json_t *value = json_object_get(object, key);

	assert_true(json_is_integer(value));
	assert_int_equal(json_integer_value(value), number);
}

static void
test_each_key_has_its_value(void **state)
{
	static const char *const keys[] = {"time", "pid", "peer", "user", "method", "path", "query", "protocol",
	    "status", "body_bytes", "sent_bytes", "duration_s", "referer", "user_agent"};
	json_t *line = line_in(ACCESS_LOG_LINE_MIN);
	size_t i = 0;
	const char *key;
	json_t *value;

	(void)state;
	json_object_foreach(line, key, value) assert_string_equal(key, keys[i++]);
	assert_int_equal(i, ARRAY_LEN(keys));
	expect_number(line, "pid", getpid());
	expect_text(line, "peer", "127.0.0.1");
	expect_text(line, "user", "bob");
	expect_text(line, "method", "POST");
	expect_text(line, "path", "/a%22%2fb");
	expect_text(line, "query", "q=%20&\"\x7f");
	expect_text(line, "protocol", "HTTP/1.1");
	expect_number(line, "status", 200);
	expect_number(line, "body_bytes", 16);
	expect_number(line, "sent_bytes", 171);
	assert_true(json_real_value(json_object_get(line, "duration_s")) == 1.5);
	expect_text(line, "referer", "http://r/\\");
	expect_text(line, "user_agent", "caf\xc3\xa9 \xc3\xa9");
	json_decref(line);
}

static void
test_what_is_not_there_is_null(void **state)
{
	static const struct http_span none;
	json_t *line;

	(void)state;
	request.minor = 0;
	request.target = (struct http_span)SPAN("/");
	request.referer = request.user_agent = request.wanted[0] = none;
	entry.peer = "";
	line = line_in(ACCESS_LOG_LINE_MIN);
	expect_text(line, "peer", NULL);
	expect_text(line, "user", NULL);
	expect_text(line, "path", "/");
	expect_text(line, "query", NULL);
	expect_text(line, "protocol", "HTTP/1.0");
	expect_text(line, "referer", NULL);
	expect_text(line, "user_agent", NULL);
	json_decref(line);
	/* Empty is not the same as not there. */
	request.target = (struct http_span)SPAN("/?");
	request.user_agent = (struct http_span)SPAN("");
	line = line_in(ACCESS_LOG_LINE_MIN);
	expect_text(line, "query", "");
	expect_text(line, "user_agent", "");
	json_decref(line);
}

static void
test_a_request_that_did_not_parse_tells_nothing(void **state)
{
	static const char *const unknown[] = {
	    "user", "method", "path", "query", "protocol", "duration_s", "referer", "user_agent"};
	json_t *line;

	(void)state;
	request.method = NULL; /* whatever else there is was not understood */
	entry.status = 400;
	line = line_in(ACCESS_LOG_LINE_MIN);
	for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
		expect_text(line, unknown[i], NULL);
	expect_number(line, "status", 400);
	expect_text(line, "peer", "127.0.0.1");
	assert_int_equal(json_object_size(line), 14);
	json_decref(line);
}

static void
test_durations(void **state)
{
	static const struct {
		uint64_t took_ns;
		double duration_s;
	} rows[] = {{0, 0}, {499, 0}, {500, 0.000001}, {183400, 0.000183}, {999999500, 1}, {61002003000, 61.002003}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_t *line;

		entry.took_ns = rows[i].took_ns;
		line = line_in(ACCESS_LOG_LINE_MIN);
		assert_true(json_real_value(json_object_get(line, "duration_s")) == rows[i].duration_s);
		json_decref(line);
	}
}

/* seconds_of reads "2026-11-21T10:00:00.123456+00:00". */
static double
seconds_of(const char *text)
{
	struct tm tm = {0};
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);

	assert_int_equal(strlen(text), 32);
	assert_non_null(rest);
	assert_string_equal(rest + 7, "+00:00");
	return (double)timegm(&tm) + strtod(rest, NULL);
}

static void
test_the_time_is_now_in_utc(void **state)
{
	double before = 0;

	(void)state;
	assert_int_equal(setenv("TZ", "XYZ-05:30", 1), 0);
	tzset();
	/* The second line has the first one's second, the third may have another. */
	for (int i = 0; i < 3; i++) {
		double earliest = (double)clock_wall_ns() / 1e9, at;
		json_t *line = line_in(ACCESS_LOG_LINE_MIN);

		at = seconds_of(json_string_value(json_object_get(line, "time")));
		assert_true(at >= before && at > earliest - 0.001 && at < (double)clock_wall_ns() / 1e9 + 0.001);
		before = at;
		json_decref(line);
		if (i == 1)
			usleep(1000000 - (useconds_t)(clock_wall_ns() / NS_PER_US % 1000000));
	}
	assert_int_equal(unsetenv("TZ"), 0);
	tzset();
}

static size_t
length_of(const json_t *line, const char *key)
{
	return json_string_length(json_object_get(line, key));
}

static void
test_fields_are_cut_so_that_the_line_fits(void **state)
{
	enum { LONG = 5000 };
	static char bytes[LONG], target[LONG] = "/";
	const struct http_span huge = {.at = bytes, .len = LONG};
	json_t *line;

	(void)state;
	memset(bytes, 0x80, LONG);
	memset(target + 1, 'p', LONG - 1);
	/* One fits, and is cut at 2047 bytes, between two escapes; each is two bytes of UTF-8. */
	request.referer = huge;
	line = line_in(ACCESS_LOG_LINE_MIN);
	assert_int_equal(length_of(line, "referer"), 2047 / 6 * 2);
	expect_text(line, "path", "/a%22%2fb");
	json_decref(line);
	/* Together they do not: each gets the same share, and what follows them is still there. */
	request.user_agent = huge;
	target[LONG / 2] = '?';
	request.target = (struct http_span){.at = target, .len = LONG};
	line = line_in(ACCESS_LOG_LINE_MIN);
	assert_in_range(length_of(line, "path"), 513, 1000);
	assert_int_equal(length_of(line, "query"), length_of(line, "path"));
	assert_in_range(length_of(line, "user_agent"), 2 * 85, 500);
	expect_number(line, "sent_bytes", 171);
	json_decref(line);
	/* In the room of a file they do, the largest numbers too. */
	entry.status = 2147483647;
	entry.body_bytes = entry.sent_bytes = UINT64_MAX >> 1;
	entry.took_ns = UINT64_MAX >> 1;
	line = line_in(16384);
	assert_int_equal(length_of(line, "path"), 2047);
	assert_int_equal(length_of(line, "query"), 2047);
	assert_int_equal(length_of(line, "user_agent"), 2047 / 6 * 2);
	expect_number(line, "body_bytes", INT64_MAX);
	json_decref(line);
}

static void
test_there_is_no_format(void **state)
{
	static struct access_log_format format;
	char why[128];

	(void)state;
	assert_int_equal(access_log_format_parse(&format, ACCESS_LOG_JSON, "%(h)s", why, sizeof(why)), -EINVAL);
	assert_string_equal(why, "JSON lines have fixed keys and no format");
	assert_int_equal(access_log_format_parse(&format, ACCESS_LOG_JSON, NULL, why, sizeof(why)), 0);
	assert_true(format.needs_time && !format.needs_head);
	assert_string_equal(format.wanted[0], "authorization");
	assert_null(format.wanted[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_each_key_has_its_value, fill),
	    cmocka_unit_test_setup(test_what_is_not_there_is_null, fill),
	    cmocka_unit_test_setup(test_a_request_that_did_not_parse_tells_nothing, fill),
	    cmocka_unit_test_setup(test_durations, fill),
	    cmocka_unit_test_setup(test_the_time_is_now_in_utc, fill),
	    cmocka_unit_test_setup(test_fields_are_cut_so_that_the_line_fits, fill),
	    cmocka_unit_test(test_there_is_no_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
