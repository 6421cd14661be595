/* Unit tests of common/log. */
#include "common/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/log-XXXXXX";
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

static const char *
content(const char *of)
{
	static char text[8192];
	FILE *file = fopen(of, "r");
	size_t len;

	assert_non_null(file);
	len = fread(text, 1, sizeof(text) - 1, file);
	text[len] = '\0';
	fclose(file);
	return text;
}

static void
test_lines_have_gunicorns_form(void **state)
{
	regex_t form;

	(void)state;
	assert_int_equal(log_open(path, LOG_LEVEL_INFO), 0);
	log_debug("not shown");
	log_warning("Number %d", 7);
	assert_int_equal(regcomp(&form,
			     "^\\[[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} [+-][0-9]{4}\\] \\[[0-9]+\\] "
			     "\\[WARNING\\] Number 7\n$",
			     REG_EXTENDED | REG_NOSUB),
	    0);
	assert_int_equal(regexec(&form, content(path), 0, NULL, 0), 0);
	regfree(&form);
}

static void
test_reopening_follows_a_rotation(void **state)
{
	(void)state;
	assert_int_equal(rename(path, moved), 0);
	log_info("to the old one");
	assert_int_equal(log_reopen(), 0);
	log_info("to the new one");
	assert_non_null(strstr(content(moved), "to the old one"));
	assert_null(strstr(content(moved), "to the new one"));
	assert_non_null(strstr(content(path), "to the new one"));
}

static void
test_a_long_line_is_cut_and_ended(void **state)
{
	static char text[5000];
	const char *got;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	unlink(path);
	assert_int_equal(log_reopen(), 0);
	log_info("%s", text);
	got = content(path);
	assert_int_equal(strlen(got), 2048);
	assert_int_equal(got[2047], '\n');
}

static void
test_a_path_that_cannot_be_opened(void **state)
{
	(void)state;
	assert_int_equal(log_open("/no/such/folder/log", LOG_LEVEL_INFO), -ENOENT);
	assert_int_equal(log_open(path, LOG_LEVEL_INFO), 0);
}

static void
test_a_full_disk_loses_lines_and_nothing_else(void **state)
{
	(void)state;
	if (access("/dev/full", W_OK) != 0)
		skip();
	assert_int_equal(log_open("/dev/full", LOG_LEVEL_INFO), 0);
	log_info("lost");
	assert_int_equal(log_open(path, LOG_LEVEL_INFO), 0);
	log_info("after the full disk");
	assert_non_null(strstr(content(path), "after the full disk"));
}

/* json_message expects one JSON line of LEVEL in the log, and returns its message with the end of the object. */
static const char *
json_message(const char *level)
{
	const char *got = content(path);
	char form[256], *message;
	regmatch_t match;
	regex_t regex;

	snprintf(form, sizeof(form),
	    "^\\{\"time\":\"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{6}\\+00:00\","
	    "\"pid\":%d,\"level\":\"%s\",\"message\":",
	    (int)getpid(), level);
	assert_int_equal(regcomp(&regex, form, REG_EXTENDED), 0);
	assert_int_equal(regexec(&regex, got, 1, &match, 0), 0);
	regfree(&regex);
	message = strdup(got + match.rm_eo);
	assert_non_null(message);
	return message;
}

static void
expect_json(const char *level, const char *rest)
{
	const char *message = json_message(level);

	assert_string_equal(message, rest);
	free((char *)(uintptr_t)message);
	unlink(path);
	assert_int_equal(log_reopen(), 0);
}

static void
test_json_lines(void **state)
{
	static char text[5000];
	const char *message;

	(void)state;
	unlink(path);
	assert_int_equal(log_open(path, LOG_LEVEL_INFO), 0);
	log_set_json(true);
	log_debug("not shown");
	log_info("Number %d", 7);
	expect_json("INFO", "\"Number 7\"}\n");
	log_critical("%s", "a\"b\\c\nd\x1b[31m \xc3\xa9 \xff");
	expect_json("CRITICAL", "\"a\\\"b\\\\c\\u000ad\\u001b[31m \\u00e9 \\u00ff\"}\n");
	log_warning("%s", "");
	expect_json("WARNING", "\"\"}\n");
	/* One that is cut is whole JSON all the same, and as long as a plain one. */
	for (size_t len = 1950; len < 2100; len++) {
		memset(text, 'x', len);
		strcpy(text + len, "\x1b\xf0\x9f\x98\x80\"\\tail");
		log_error("%s", text);
		message = json_message("ERROR");
		assert_string_equal(message + strlen(message) - 3, "\"}\n");
		assert_in_range(strlen(content(path)), 2030, 2048);
		assert_memory_equal(message + 1, text, 1940);
		free((char *)(uintptr_t)message);
		unlink(path);
		assert_int_equal(log_reopen(), 0);
	}
	log_set_json(false);
	log_info("plain again");
	assert_int_equal(content(path)[0], '[');
}

static void
test_what_a_client_sent_is_escaped(void **state)
{
	char out[64], small[8];

	(void)state;
	assert_string_equal(
	    log_escape(out, sizeof(out), "a\"b\\c\r\n\x1b[\xff\0!", 12), "a\\\"b\\\\c\\x0d\\x0a\\x1b[\\xff\\x00!");
	assert_string_equal(log_escape(small, sizeof(small), "abcdefghijk", 11), "abcd");
	assert_string_equal(log_escape(small, sizeof(small), "", 0), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lines_have_gunicorns_form),
	    cmocka_unit_test(test_reopening_follows_a_rotation),
	    cmocka_unit_test(test_a_long_line_is_cut_and_ended),
	    cmocka_unit_test(test_a_path_that_cannot_be_opened),
	    cmocka_unit_test(test_a_full_disk_loses_lines_and_nothing_else),
	    cmocka_unit_test(test_json_lines),
	    cmocka_unit_test(test_what_a_client_sent_is_escaped),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
