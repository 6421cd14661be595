/* Unit tests of common/settings. */
#include "common/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"

#define ALL_MODES (1U << WAIT_ASYNC | 1U << WAIT_BLOCKING | 1U << WAIT_THREADPOOL)

static const struct settings_limits limits = {.max_sleep_ns = 2 * NS_PER_SEC, .modes = ALL_MODES};

static int
parse(struct settings_values *values, const char *form, bool strict, char *error)
{
	return settings_parse(values, limits, form, strlen(form), strict, error, 128);
}

static void
test_a_form_is_read(void **state)
{
	struct settings_values values = {.sleep_ns = 1, .mode = WAIT_ASYNC};
	char error[128];

	(void)state;
	assert_int_equal(parse(&values, "sleep=0.2&mode=blocking", true, error), 0);
	assert_int_equal(values.sleep_ns, 200000000);
	assert_int_equal(values.mode, WAIT_BLOCKING);
	assert_int_equal(parse(&values, "mode=thread%70ool", true, error), 0);
	assert_int_equal(values.mode, WAIT_THREADPOOL);
	assert_int_equal(values.sleep_ns, 200000000);
	assert_int_equal(parse(&values, "", true, error), 0);
	assert_int_equal(parse(&values, "&sleep=2&", true, error), 0);
	assert_int_equal(values.sleep_ns, 2 * NS_PER_SEC);
	assert_int_equal(parse(&values, "x=1&sleep=0&y", false, error), 0);
	assert_int_equal(values.sleep_ns, 0);
}

static void
test_a_bad_form_changes_nothing_and_says_what_is_allowed(void **state)
{
	static const struct {
		const char *form, *error;
	} bad[] = {
	    {"sleep=-1", "sleep must be a number of seconds from 0 to 2 (--max-sleep)"},
	    {"sleep=2.1", "sleep must be a number of seconds from 0 to 2 (--max-sleep)"},
	    {"sleep=", "sleep must be a number of seconds from 0 to 2 (--max-sleep)"},
	    {"sleep", "sleep must be a number of seconds from 0 to 2 (--max-sleep)"},
	    {"sleep=0.1%00", "sleep must be a number of seconds from 0 to 2 (--max-sleep)"},
	    {"sleep=0.1%", "sleep must be a number of seconds from 0 to 2 (--max-sleep)"},
	    {"sleep=0.1%zz", "sleep must be a number of seconds from 0 to 2 (--max-sleep)"},
	    {"sleep=1111111111111111111111111111111111111111",
		"sleep must be a number of seconds from 0 to 2 (--max-sleep)"},
	    {"sleep=0.1&mode=fast", "this server's modes are: async blocking threadpool"},
	    {"mode=ASYNC", "this server's modes are: async blocking threadpool"},
	    {"sleep=1&colour=red", "unknown setting; this server has: sleep mode, as in sleep=0.2&mode=blocking"},
	    {"{\"sleep\":1}", "unknown setting; this server has: sleep mode, as in sleep=0.2&mode=blocking"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct settings_values values = {.sleep_ns = 5, .mode = WAIT_THREADPOOL};
		char error[128] = "";

		assert_int_equal(parse(&values, bad[i].form, true, error), -EINVAL);
		assert_string_equal(error, bad[i].error);
		assert_int_equal(values.sleep_ns, 5);
		assert_int_equal(values.mode, WAIT_THREADPOOL);
	}
}

static void
test_a_mode_that_the_server_has_not_is_refused(void **state)
{
	const struct settings_limits only_blocking = {.max_sleep_ns = NS_PER_SEC, .modes = 1U << WAIT_BLOCKING};
	struct settings_values values = {.mode = WAIT_BLOCKING};
	char error[128];

	(void)state;
	assert_int_equal(
	    settings_parse(&values, only_blocking, "mode=async", 10, false, error, sizeof(error)), -EINVAL);
	assert_string_equal(error, "this server's modes are: blocking");
}

static void
test_blocking_toggles_back_to_the_mode_before(void **state)
{
	struct settings *settings =
	    settings_new((struct settings_values){.sleep_ns = 7, .mode = WAIT_THREADPOOL}, limits);
	char error[128];

	(void)state;
	assert_int_equal(settings_toggle_blocking(settings), WAIT_BLOCKING);
	assert_int_equal(settings_get(settings).sleep_ns, 7);
	assert_int_equal(settings_toggle_blocking(settings), WAIT_THREADPOOL);
	assert_int_equal(settings_apply(settings, "mode=async", 10, error, sizeof(error)), 0);
	assert_int_equal(settings_apply(settings, "mode=blocking", 13, error, sizeof(error)), 0);
	assert_int_equal(settings_toggle_blocking(settings), WAIT_ASYNC);
	settings_free(settings);
}

static void
test_a_server_that_starts_blocking_toggles_to_async(void **state)
{
	struct settings *settings = settings_new((struct settings_values){.mode = WAIT_BLOCKING}, limits);

	(void)state;
	assert_int_equal(settings_toggle_blocking(settings), WAIT_ASYNC);
	assert_int_equal(settings_toggle_blocking(settings), WAIT_BLOCKING);
	settings_free(settings);
}

static void
test_a_forked_child_sees_and_makes_changes(void **state)
{
	struct settings *settings = settings_new((struct settings_values){.sleep_ns = 1}, limits);
	char error[128];
	pid_t pid;

	(void)state;
	pid = fork();
	if (pid == 0)
		_exit(settings_apply(settings, "sleep=2&mode=blocking", 21, error, sizeof(error)) == 0 ? 0 : 1);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(settings_get(settings).sleep_ns, 2 * NS_PER_SEC);
	assert_int_equal(settings_get(settings).mode, WAIT_BLOCKING);
	settings_free(settings);
}

/* Two writers keep sleep and mode in step; a reader must never see one of each. */
static void *
write_pairs(void *settings)
{
	char error[128];

	for (int i = 0; i < 20000; i++) {
		(void)!settings_apply(settings, "sleep=1&mode=blocking", 21, error, sizeof(error));
		(void)!settings_apply(settings, "sleep=2&mode=async", 18, error, sizeof(error));
	}
	return NULL;
}

static void
test_a_reading_is_consistent(void **state)
{
	struct settings *settings =
	    settings_new((struct settings_values){.sleep_ns = NS_PER_SEC, .mode = WAIT_BLOCKING}, limits);
	pthread_t writers[2];

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&writers[i], NULL, write_pairs, settings), 0);
	for (int i = 0; i < 200000; i++) {
		struct settings_values values = settings_get(settings);

		assert_true((values.sleep_ns == NS_PER_SEC) == (values.mode == WAIT_BLOCKING));
	}
	for (int i = 0; i < 2; i++)
		pthread_join(writers[i], NULL);
	settings_free(settings);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_form_is_read),
	    cmocka_unit_test(test_a_bad_form_changes_nothing_and_says_what_is_allowed),
	    cmocka_unit_test(test_a_mode_that_the_server_has_not_is_refused),
	    cmocka_unit_test(test_blocking_toggles_back_to_the_mode_before),
	    cmocka_unit_test(test_a_server_that_starts_blocking_toggles_to_async),
	    cmocka_unit_test(test_a_forked_child_sees_and_makes_changes),
	    cmocka_unit_test(test_a_reading_is_consistent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
