/* Unit tests of common/access_log. */
#include "common/access_log.h"

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

static char folder[] = "/tmp/access-XXXXXX";
static char path[64], moved[64];

static int
set_up(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/log", folder);
	snprintf(moved, sizeof(moved), "%s/log.1", folder);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	unlink(path);
	unlink(moved);
	return rmdir(folder);
}

static size_t
content(const char *of, char *text, size_t size)
{
	FILE *file = fopen(of, "r");
	size_t len;

	assert_non_null(file);
	len = fread(text, 1, size - 1, file);
	text[len] = '\0';
	fclose(file);
	return len;
}

static const struct http_request request = {
    .method = "GET",
    .minor = 1,
    .target = {.at = "/a\"b\r\n", .len = 6},
    .user_agent = {.at = "curl", .len = 4},
};

static struct access_log_entry
entry(void)
{
	return (struct access_log_entry){
	    .peer = "127.0.0.1", .request = &request, .status = 200, .sent_bytes = 155, .body_bytes = 16};
}

static void
test_a_line_in_each_style(void **state)
{
	struct access_log_entry one = entry();
	char text[512], rest[128];

	(void)state;
	for (int style = ACCESS_LOG_AIOHTTP; style <= ACCESS_LOG_GUNICORN; style++) {
		struct access_log *log;
		char *stamp;

		unlink(path);
		assert_int_equal(access_log_new(&log, path, (enum access_log_style)style, NULL), 0);
		access_log_add(log, &one);
		assert_int_equal(content(path, text, sizeof(text)), 0); /* nothing before the flush */
		access_log_flush(log);
		content(path, text, sizeof(text));
		stamp = strchr(text, '[');
		assert_non_null(stamp);
		snprintf(rest, sizeof(rest), "] \"GET /a\\\"b\\x0d\\x0a HTTP/1.1\" 200 %d \"-\" \"curl\"\n",
		    style == ACCESS_LOG_GUNICORN ? 16 : 155);
		assert_string_equal(strchr(stamp, ']'), rest);
		*stamp = '\0';
		assert_string_equal(text, style == ACCESS_LOG_GUNICORN ? "127.0.0.1 - - " : "127.0.0.1 ");
		access_log_free(log);
	}
}

static void
test_a_request_that_did_not_parse(void **state)
{
	struct http_request none = {0};
	struct access_log_entry one = {.peer = "", .request = &none, .status = 400};
	struct access_log *log;
	char text[512];

	(void)state;
	unlink(path);
	assert_int_equal(access_log_new(&log, path, ACCESS_LOG_AIOHTTP, NULL), 0);
	access_log_add(log, &one);
	access_log_free(log);
	content(path, text, sizeof(text));
	assert_memory_equal(text, "- [", 3);
	assert_string_equal(strchr(text, ']'), "] \"- - -\" 400 0 \"-\" \"-\"\n");
}

static void
test_an_access_log_that_is_off_does_nothing(void **state)
{
	struct access_log *log = (struct access_log *)&state;
	struct access_log_entry one = entry();

	assert_int_equal(access_log_new(&log, NULL, ACCESS_LOG_AIOHTTP, NULL), 0);
	assert_null(log);
	access_log_add(log, &one);
	access_log_flush(log);
	assert_int_equal(access_log_reopen(log), 0);
	access_log_free(log);
}

static void
test_many_long_lines_lose_nothing(void **state)
{
	enum { LINES = 500, LONG = 3000 };
	static char target[LONG], text[LINES * 2400];
	struct http_request asked = {.method = "GET", .minor = 1, .target = {.at = target, .len = LONG}};
	struct access_log_entry one = {.peer = "127.0.0.1", .request = &asked, .status = 200};
	struct access_log *log;
	int lines = 0;

	(void)state;
	memset(target, 'x', LONG);
	unlink(path);
	assert_int_equal(access_log_new(&log, path, ACCESS_LOG_GUNICORN, NULL), 0);
	for (int i = 0; i < LINES; i++)
		access_log_add(log, &one);
	access_log_free(log);
	content(path, text, sizeof(text));
	for (const char *c = text; *c != '\0'; c++)
		lines += *c == '\n';
	assert_int_equal(lines, LINES);
}

static void
test_reopening_follows_a_rotation(void **state)
{
	struct access_log_entry one = entry();
	struct access_log *log;
	char text[512];

	(void)state;
	unlink(path);
	assert_int_equal(access_log_new(&log, path, ACCESS_LOG_AIOHTTP, NULL), 0);
	access_log_add(log, &one);
	assert_int_equal(rename(path, moved), 0);
	assert_int_equal(access_log_reopen(log), 0);
	assert_int_not_equal(content(moved, text, sizeof(text)), 0);
	assert_int_equal(content(path, text, sizeof(text)), 0);
	access_log_add(log, &one);
	access_log_free(log);
	assert_int_not_equal(content(path, text, sizeof(text)), 0);
}

static void
test_failures(void **state)
{
	struct access_log_entry one = entry();
	struct access_log *log;

	(void)state;
	assert_int_equal(access_log_new(&log, "/no/such/folder/log", ACCESS_LOG_AIOHTTP, NULL), -ENOENT);
	assert_null(log);
	if (access("/dev/full", W_OK) != 0)
		skip();
	assert_int_equal(access_log_new(&log, "/dev/full", ACCESS_LOG_AIOHTTP, NULL), 0);
	access_log_add(log, &one);
	access_log_free(log);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_line_in_each_style),
	    cmocka_unit_test(test_a_request_that_did_not_parse),
	    cmocka_unit_test(test_an_access_log_that_is_off_does_nothing),
	    cmocka_unit_test(test_many_long_lines_lose_nothing),
	    cmocka_unit_test(test_reopening_follows_a_rotation),
	    cmocka_unit_test(test_failures),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
