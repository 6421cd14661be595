/* Unit tests of common/access_log_line: what each item prints, and that no line is longer than it may be. */
#include "common/access_log_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"

#define SPAN(literal) \
	{ \
		.at = (literal), .len = sizeof(literal) - 1 \
	}

static const char head[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/\"x\r\nContent-Length: 16\r\nServer:  a b\r\nEmpty:\r\n\r\n";

static struct http_request request;
static struct access_log_entry entry;

static int
fill(void **state)
{
	(void)state;
	request = (struct http_request){
	    .method = "POST",
	    .minor = 1,
	    .target = SPAN("/a%22%2fb?q=%20&\x7f"),
	    .referer = SPAN("http://r/"),
	    .user_agent = SPAN(""),
	    .wanted = {SPAN("one\x1b[31m"), SPAN("two")},
	};
	entry = (struct access_log_entry){
	    .peer = "127.0.0.1",
	    .request = &request,
	    .status = 200,
	    .sent_bytes = 171,
	    .body_bytes = 16,
	    .took_ns = 1500000000,
	    .head = SPAN(head),
	};
	return 0;
}

/* line_in writes the entry's line against a page that must not be touched, and returns it without its newline. */
static const char *
line_in(size_t size, enum access_log_style style, const char *text)
{
	static char *page, line[16384];
	static struct access_log_format format;
	struct access_log_stamp stamp = {0};
	char why[256];
	size_t len;

	if (page == NULL) {
		page = mmap(NULL, 4 * 4096 + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_ptr_not_equal(page, MAP_FAILED);
		assert_int_equal(mprotect(page + 4 * 4096, 4096, PROT_NONE), 0);
	}
	assert_int_equal(access_log_format_parse(&format, style, text, why, sizeof(why)), 0);
	len = access_log_line(page + 4 * 4096 - size, size, &format, &entry, &stamp);
	assert_in_range(len, 1, size);
	memcpy(line, page + 4 * 4096 - size, len);
	assert_int_equal(line[len - 1], '\n');
	line[len - 1] = '\0';
	assert_null(strchr(line, '\n'));
	return line;
}

static const char *
aiohttp(const char *text)
{
	return line_in(ACCESS_LOG_LINE_MIN, ACCESS_LOG_AIOHTTP, text);
}

static const char *
gunicorn(const char *text)
{
	return line_in(ACCESS_LOG_LINE_MIN, ACCESS_LOG_GUNICORN, text);
}

static void
test_aiohttps_atoms(void **state)
{
	char pid[32];

	(void)state;
	assert_string_equal(aiohttp("%a|%r|%s|%b|%T|%Tf|%D|%%"),
	    "127.0.0.1|POST /a%22%2fb?q=%20&\\x7f HTTP/1.1|200|171|2|1.500000|1500000|%");
	assert_string_equal(aiohttp("%{Referer}i|%{User-Agent}i|%{Content-Type}i|%{X}i|%{Y}i|%{Z}i|%{x}i"),
	    "http://r/||-|one\\x1b[31m|two|-|one\\x1b[31m");
	assert_string_equal(aiohttp("%{content-TYPE}o|%{Server}o|%{Empty}o|%{Content}o|%{Content-Length}o|%{HTTP}o"),
	    "text/\\\"x|a b||-|16|-");
	snprintf(pid, sizeof(pid), "<%d>", (int)getpid());
	assert_string_equal(aiohttp("%P"), pid);
}

static void
test_gunicorns_atoms(void **state)
{
	(void)state;
	assert_string_equal(gunicorn("%(h)s|%(l)s|%(m)s|%(U)s|%(q)s|%(H)s|%(s)s|%(b)s|%(B)s|%(f)s|%(a)s"),
	    "127.0.0.1|-|POST|/a\\\"/b|q=%20&\\x7f|HTTP/1.1|200|16|16|http://r/|");
	assert_string_equal(
	    gunicorn("%(T)s|%(M)s|%(D)s|%(L)s|%({X}i)s|%({server}o)s"), "1|1500|1500000|1.500000|one\\x1b[31m|a b");
	assert_string_equal(gunicorn("%(p)s"), aiohttp("%P"));
}

static void
test_a_request_that_did_not_parse(void **state)
{
	static const char all[] = "%(r)s|%(u)s|%(m)s|%(U)s|%(q)s|%(H)s|%(f)s|%(a)s|%({X}i)s|%({Content-Type}i)s";

	(void)state;
	request.method = NULL; /* whatever else there is was not understood */
	assert_string_equal(gunicorn(all), "- - -|-|-|-|-|-|-|-|-|-");
	assert_string_equal(aiohttp("%r|%{X}i"), "- - -|-");
	entry.peer = "";
	entry.head = (struct http_span){0};
	assert_string_equal(aiohttp("%a|%{Server}o"), "-|-");
}

static void
test_a_path_that_is_not_encoded_well(void **state)
{
	(void)state;
	request.target = (struct http_span)SPAN("/%4a%4%zz%%41%");
	assert_string_equal(gunicorn("%(U)s|%(q)s"), "/J%4%zz%A%|");
	request.target = (struct http_span)SPAN("/%0a%00?");
	assert_string_equal(gunicorn("%(U)s|%(q)s"), "/\\x0a\\x00|");
	request.target = (struct http_span)SPAN("/x?a?b");
	assert_string_equal(gunicorn("%(U)s|%(q)s"), "/x|a?b");
}

static void
test_the_user_of_basic_authentication(void **state)
{
	static const struct {
		const char *field, *user;
	} rows[] = {
	    {"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin"},
	    {"bASIC   YTpi", "a"},
	    {"Basic YTpi", "a"},
	    {"Basic dTo=", "u"},
	    {"Basic dXM6", "us"},
	    {"Basic IgpcOg==", "\\\"\\x0a\\\\"},
	    {"Basic OnB3", "-"}, /* no name before the colon */
	    {"Basic bm9jb2xvbg==", "-"},
	    {"Basic ", "-"},
	    {"Basic", "-"},
	    {"Basic !!!!", "-"},
	    {"Bearer YTpi", "-"},
	    {"", "-"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		/* In memory of its own size, so that a read beyond it is found. */
		size_t len = strlen(rows[i].field);
		char *field = malloc(len + 1);

		assert_non_null(field);
		memcpy(field, rows[i].field, len);
		request.wanted[0] = (struct http_span){.at = field, .len = len};
		assert_string_equal(gunicorn("%(u)s"), rows[i].user);
		free(field);
	}
	request.wanted[0] = (struct http_span){0};
	assert_string_equal(gunicorn("%(u)s"), "-");
}

static void
test_durations(void **state)
{
	static const struct {
		uint64_t took_ns;
		const char *aiohttp, *gunicorn;
	} rows[] = {
	    {0, "0 0.000000 0", "0 0 0 0.000000"},
	    {499, "0 0.000000 0", "0 0 0 0.000000"},
	    {1499, "0 0.000001 1", "0 0 1 0.000001"},
	    {183400, "0 0.000183 183", "0 0 183 0.000183"},
	    {499999000, "0 0.499999 499999", "0 499 499999 0.499999"},
	    {500001000, "1 0.500001 500001", "0 500 500001 0.500001"},
	    {999999600, "1 1.000000 1000000", "1 1000 1000000 1.000000"},
	    {3600 * NS_PER_SEC, "3600 3600.000000 3600000000", "3600 3600000 3600000000 3600.000000"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		entry.took_ns = rows[i].took_ns;
		assert_string_equal(aiohttp("%T %Tf %D"), rows[i].aiohttp);
		assert_string_equal(gunicorn("%(T)s %(M)s %(D)s %(L)s"), rows[i].gunicorn);
	}
}

/* stamp_of prints what strftime makes of the second that is AGO seconds back. */
static const char *
stamp_of(time_t ago, bool utc)
{
	static char text[64];
	struct timespec now;
	struct tm tm;
	time_t second;

	clock_gettime(CLOCK_REALTIME, &now); /* time(2) is some milliseconds behind it */
	second = now.tv_sec - ago;
	if (utc)
		gmtime_r(&second, &tm);
	else
		localtime_r(&second, &tm);
	strftime(text, sizeof(text), utc ? "[%d/%b/%Y:%H:%M:%S +0000]" : "[%d/%b/%Y:%H:%M:%S %z]", &tm);
	return text;
}

/* The line is made between two looks at the clock, and has the second of one of them. */
static void
expect_stamp(bool utc, time_t ago)
{
	char before[64];
	const char *line;

	strcpy(before, stamp_of(ago, utc));
	line = utc ? aiohttp("%t") : gunicorn("%(t)s");
	if (strcmp(line, before) != 0)
		assert_string_equal(line, stamp_of(ago, utc));
}

static void
test_time_stamps(void **state)
{
	(void)state;
	assert_int_equal(setenv("TZ", "XYZ-05:30", 1), 0);
	tzset();
	entry.took_ns = 0;
	expect_stamp(true, 0);
	expect_stamp(false, 0);
	entry.took_ns = 86400 * NS_PER_SEC;
	expect_stamp(true, 86400); /* when it began */
	expect_stamp(false, 0);    /* when it ended */
	assert_non_null(strstr(gunicorn("%(t)s"), " +0530]"));
	assert_int_equal(unsetenv("TZ"), 0);
	tzset();
}

static void
test_a_stamp_is_made_again_when_the_second_changes(void **state)
{
	static struct access_log_format format;
	struct access_log_stamp stamp = {0};
	char why[256], first[ACCESS_LOG_LINE_MIN], second[ACCESS_LOG_LINE_MIN];
	size_t len;

	(void)state;
	assert_int_equal(access_log_format_parse(&format, ACCESS_LOG_AIOHTTP, "%t", why, sizeof(why)), 0);
	entry.took_ns = 100 * NS_PER_SEC;
	len = access_log_line(first, sizeof(first), &format, &entry, &stamp);
	assert_int_equal(len, strlen("[21/Nov/2026:10:00:00 +0000]\n"));
	assert_int_equal(access_log_line(second, sizeof(second), &format, &entry, &stamp), len);
	entry.took_ns = 200 * NS_PER_SEC;
	assert_int_equal(access_log_line(second, sizeof(second), &format, &entry, &stamp), len);
	assert_memory_not_equal(first, second, len);
}

static void
test_fields_are_cut_so_that_the_line_fits(void **state)
{
	enum { LONG = 5000 };
	static char bytes[LONG];
	const struct http_span huge = {.at = bytes, .len = LONG};
	const char *line;
	char format[ACCESS_LOG_FORMAT_MAX] = "";

	(void)state;
	memset(bytes, 0x80, LONG);
	request.target = request.referer = request.user_agent = request.wanted[0] = huge;
	line = aiohttp("%{Referer}i|%s");
	assert_int_equal(strlen(line), 2044 + strlen("|200")); /* whole escapes only */
	line = aiohttp("%{Referer}i|%{User-Agent}i|%s");
	assert_int_equal(strlen(line), 2044 + 2044 + strlen("||200"));
	assert_non_null(strstr(line, "0|200"));
	/* Three do not fit: each gets less, and what follows them is still there. */
	line = aiohttp("%r|%{Referer}i|%{User-Agent}i|%s|%D");
	assert_in_range(strlen(line), 1000, ACCESS_LOG_LINE_MIN - 1);
	assert_memory_equal(line, "POST \\x80\\x80", 13);
	assert_non_null(strstr(line, "\\x80|200|1500000"));
	/* In more room they do. */
	line = line_in(16384, ACCESS_LOG_AIOHTTP, "%r|%{Referer}i|%{User-Agent}i|%s|%D");
	assert_int_equal(strlen(line), 3 * 2044 + strlen("POST  HTTP/1.1|||200|1500000"));
	/* The most that a format can ask for. */
	for (int i = 0; i < ACCESS_LOG_ITEMS_MAX - 1; i++)
		strcat(format, "%{X}i");
	memset(format + strlen(format), 'x', sizeof(format) - 1 - strlen(format));
	line = aiohttp(format);
	assert_memory_equal(line, "\\x80\\x80", 8);
	assert_string_equal(line + strlen(line) - 4, "xxxx");
	format[0] = '\0';
	for (int i = 0; i < ACCESS_LOG_ITEMS_MAX / 2; i++)
		strcat(format, "%r%t");
	entry.took_ns = UINT64_MAX / 2;
	line = aiohttp(format);
	assert_memory_equal(line, "POST \\x80", 9);
	assert_string_equal(line + strlen(line) - 6, "+0000]");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_aiohttps_atoms, fill),
	    cmocka_unit_test_setup(test_gunicorns_atoms, fill),
	    cmocka_unit_test_setup(test_a_request_that_did_not_parse, fill),
	    cmocka_unit_test_setup(test_a_path_that_is_not_encoded_well, fill),
	    cmocka_unit_test_setup(test_the_user_of_basic_authentication, fill),
	    cmocka_unit_test_setup(test_durations, fill),
	    cmocka_unit_test_setup(test_time_stamps, fill),
	    cmocka_unit_test_setup(test_a_stamp_is_made_again_when_the_second_changes, fill),
	    cmocka_unit_test_setup(test_fields_are_cut_so_that_the_line_fits, fill),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
