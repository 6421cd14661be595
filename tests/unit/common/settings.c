/* Unit tests of common/settings. */
#include "common/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"

#define ALL_MODES (1U << WAIT_ASYNC | 1U << WAIT_BLOCKING | 1U << WAIT_THREADPOOL)

static const struct settings_limits limits = {
    .max_sleep_ns = 2 * NS_PER_SEC,
    .max_cpu_ns = 500 * NS_PER_MS,
    .modes = ALL_MODES,
};
static const struct settings_limits only_blocking = {
    .max_sleep_ns = NS_PER_SEC,
    .max_cpu_ns = NS_PER_SEC,
    .modes = 1U << WAIT_BLOCKING,
};

static int
parse(struct settings_values *values, const char *form, bool strict, char *error)
{
	return settings_parse(values, limits, form, strlen(form), strict, error, 128);
}

static void
assert_values(struct settings_values values, uint64_t sleep_ns, uint64_t cpu_ns, enum wait_mode mode, uint32_t share)
{
	assert_int_equal(values.sleep_ns, sleep_ns);
	assert_int_equal(values.cpu_ns, cpu_ns);
	assert_int_equal(values.mode, mode);
	assert_int_equal(values.blocking_share, share);
}

static void
test_a_form_is_read(void **state)
{
	struct settings_values values = {.sleep_ns = 1, .mode = WAIT_ASYNC};
	char error[128];

	(void)state;
	assert_int_equal(parse(&values, "sleep=0.2&mode=blocking", true, error), 0);
	assert_values(values, 200 * NS_PER_MS, 0, WAIT_BLOCKING, 0);
	assert_int_equal(parse(&values, "mode=thread%70ool", true, error), 0);
	assert_values(values, 200 * NS_PER_MS, 0, WAIT_THREADPOOL, 0);
	assert_int_equal(parse(&values, "", true, error), 0);
	assert_int_equal(parse(&values, "&sleep=2&", true, error), 0);
	assert_int_equal(values.sleep_ns, 2 * NS_PER_SEC);
	assert_int_equal(parse(&values, "x=1&sleep=0&y", false, error), 0);
	assert_values(values, 0, 0, WAIT_THREADPOOL, 0);
	assert_int_equal(parse(&values, "cpu=0.25&sleep=1&mode=async&blocking-share=2.5", true, error), 0);
	assert_values(values, NS_PER_SEC, 250 * NS_PER_US, WAIT_ASYNC, 25000);
	assert_int_equal(parse(&values, "blocking-share=100", true, error), 0);
	assert_values(values, NS_PER_SEC, 250 * NS_PER_US, WAIT_ASYNC, SETTINGS_SHARE_WHOLE);
	assert_int_equal(parse(&values, "blocking-share=0.0001", true, error), 0);
	assert_int_equal(values.blocking_share, 1);
	assert_int_equal(parse(&values, "blocking-share=1&blocking-share=%32&cpu=1&sleep=1&cpu=2", true, error), 0);
	assert_values(values, NS_PER_SEC, 2 * NS_PER_MS, WAIT_ASYNC, 20000);
}

static void
test_what_a_form_names_is_what_a_handler_does(void **state)
{
	const struct settings_values start = {.sleep_ns = 5, .cpu_ns = 7, .mode = WAIT_THREADPOOL, .blocking_share = 9};
	static const struct {
		const char *form;
		struct settings_values values;
	} forms[] = {
	    {"sleep=1", {NS_PER_SEC, 0, WAIT_THREADPOOL, 9}},
	    {"cpu=20", {0, 20 * NS_PER_MS, WAIT_THREADPOOL, 9}},
	    {"cpu=20&sleep=1", {NS_PER_SEC, 20 * NS_PER_MS, WAIT_THREADPOOL, 9}},
	    {"sleep=1&cpu=20", {NS_PER_SEC, 20 * NS_PER_MS, WAIT_THREADPOOL, 9}},
	    {"sleep=0", {0, 0, WAIT_THREADPOOL, 9}},
	    {"mode=async", {5, 7, WAIT_ASYNC, 0}},
	    {"blocking-share=50", {5, 7, WAIT_THREADPOOL, 500000}},
	    {"blocking-share=50&mode=async", {5, 7, WAIT_ASYNC, 500000}},
	    {"mode=blocking&cpu=1", {0, NS_PER_MS, WAIT_BLOCKING, 0}},
	};
	char error[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		struct settings_values values = start;

		assert_int_equal(parse(&values, forms[i].form, true, error), 0);
		assert_values(values, forms[i].values.sleep_ns, forms[i].values.cpu_ns, forms[i].values.mode,
		    forms[i].values.blocking_share);
	}
}

static void
test_a_command_line_follows_the_same_rule(void **state)
{
	static const struct {
		uint64_t sleep_ns, cpu_ns, then_sleep_ns, then_cpu_ns;
	} lines[] = {
	    {SETTINGS_UNNAMED, SETTINGS_UNNAMED, 100, 0},
	    {3, SETTINGS_UNNAMED, 3, 0},
	    {SETTINGS_UNNAMED, 4, 0, 4},
	    {3, 4, 3, 4},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		uint64_t sleep_ns = lines[i].sleep_ns, cpu_ns = lines[i].cpu_ns;

		settings_name_rest(&sleep_ns, &cpu_ns, 100);
		assert_int_equal(sleep_ns, lines[i].then_sleep_ns);
		assert_int_equal(cpu_ns, lines[i].then_cpu_ns);
	}
}

#define BAD_SLEEP "sleep must be a number of seconds from 0 to 2 (--max-sleep)"
#define BAD_CPU "cpu must be a number of milliseconds from 0 to 500 (--max-cpu)"
#define BAD_MODE "this server's modes are: async blocking threadpool"
#define BAD_SHARE "blocking-share must be a percentage from 0 to 100"
#define BAD_NAME "unknown setting; this server has: sleep cpu mode blocking-share, as in sleep=0.2&mode=blocking"

static void
test_a_bad_form_changes_nothing_and_says_what_is_allowed(void **state)
{
	static const struct {
		const char *form, *error;
	} bad[] = {
	    {"sleep=-1", BAD_SLEEP},
	    {"sleep=2.1", BAD_SLEEP},
	    {"sleep=", BAD_SLEEP},
	    {"sleep", BAD_SLEEP},
	    {"sleep=0.1%00", BAD_SLEEP},
	    {"sleep=0.1%", BAD_SLEEP},
	    {"sleep=0.1%zz", BAD_SLEEP},
	    {"sleep=1111111111111111111111111111111111111111", BAD_SLEEP},
	    {"sleep=-1&sleep=1", BAD_SLEEP},
	    {"cpu=-1", BAD_CPU},
	    {"cpu=500.1", BAD_CPU},
	    {"cpu=20ms", BAD_CPU},
	    {"cpu", BAD_CPU},
	    {"sleep=1&cpu=1e9", BAD_CPU},
	    {"sleep=0.1&mode=fast", BAD_MODE},
	    {"mode=ASYNC", BAD_MODE},
	    {"mode=", BAD_MODE},
	    {"blocking-share=100.1", BAD_SHARE},
	    {"blocking-share=5%25", BAD_SHARE},
	    {"blocking-share=-0.1", BAD_SHARE},
	    {"mode=async&blocking-share", BAD_SHARE},
	    {"sleep=1&colour=red", BAD_NAME},
	    {"blocking_share=1", BAD_NAME},
	    {"{\"sleep\":1}", BAD_NAME},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct settings_values values = {
		    .sleep_ns = 5, .cpu_ns = 6, .mode = WAIT_THREADPOOL, .blocking_share = 7};
		char error[128] = "";

		assert_int_equal(parse(&values, bad[i].form, true, error), -EINVAL);
		assert_string_equal(error, bad[i].error);
		assert_values(values, 5, 6, WAIT_THREADPOOL, 7);
	}
}

static void
test_one_request_has_no_share(void **state)
{
	struct settings_values values = {.blocking_share = 5};
	char error[128];

	(void)state;
	assert_int_equal(parse(&values, "sleep=1&blocking-share=50", false, error), -EINVAL);
	assert_string_equal(error, "blocking-share is for all requests (PUT /settings); one request has a mode");
	assert_values(values, 0, 0, WAIT_ASYNC, 5);
	assert_int_equal(parse(&values, "mode=async", false, error), 0);
	assert_values(values, 0, 0, WAIT_ASYNC, 0);
}

static void
test_what_the_server_has_not_is_refused(void **state)
{
	struct settings_values values = {.mode = WAIT_BLOCKING};
	char error[128];

	(void)state;
	assert_int_equal(
	    settings_parse(&values, only_blocking, "mode=async", 10, false, error, sizeof(error)), -EINVAL);
	assert_string_equal(error, "this server's modes are: blocking");
	assert_false(settings_has_share(only_blocking));
	assert_true(settings_has_share(limits));
	assert_int_equal(
	    settings_parse(&values, only_blocking, "blocking-share=1", 16, true, error, sizeof(error)), -EINVAL);
	assert_string_equal(error, "unknown setting; this server has: sleep cpu mode, as in sleep=0.2&mode=blocking");
	assert_int_equal(
	    settings_parse(&values, only_blocking, "blocking-share=1", 16, false, error, sizeof(error)), 0);
	assert_values(values, 0, 0, WAIT_BLOCKING, 0);
}

static void
test_blocking_toggles_back_to_the_mode_before(void **state)
{
	struct settings *settings = settings_new((struct settings_values){7, 8, WAIT_THREADPOOL, 9}, limits);
	char error[128];

	(void)state;
	assert_int_equal(settings_toggle_blocking(settings), WAIT_BLOCKING);
	assert_int_equal(settings_get(settings).sleep_ns, 7);
	assert_int_equal(settings_toggle_blocking(settings), WAIT_THREADPOOL);
	assert_values(settings_get(settings), 7, 8, WAIT_THREADPOOL, 9);
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

/*
 * Writers keep all values in step; a reader must never see some of the one and
 * some of the other.  Three forms, so that whatever place a version is kept in gets another one next.
 */
#define ONE "sleep=1&cpu=1&mode=blocking&blocking-share=1"
#define TWO "sleep=2&cpu=2&mode=async&blocking-share=2"
#define HALF "sleep=0.5&cpu=0.5&mode=threadpool&blocking-share=0.5"

static const struct settings_values one = {NS_PER_SEC, NS_PER_MS, WAIT_BLOCKING, 10000};

static bool
is_whole(struct settings_values values)
{
	uint64_t halves = values.mode == WAIT_THREADPOOL ? 1 : values.mode == WAIT_BLOCKING ? 2 : 4;

	return values.sleep_ns == halves * NS_PER_SEC / 2 && values.cpu_ns == halves * NS_PER_MS / 2 &&
	       values.blocking_share == halves * 5000;
}

static int
write_one(struct settings *settings, const char *form)
{
	char error[128];

	return settings_apply(settings, form, strlen(form), error, sizeof(error));
}

static void *
write_in_turns(void *settings)
{
	for (int i = 0; i < 30000; i++) {
		(void)!write_one(settings, ONE);
		(void)!write_one(settings, TWO);
		(void)!write_one(settings, HALF);
	}
	return NULL;
}

static atomic_bool written; /* there will be no more versions */

/*
 * read_often returns NULL if all readings were whole.  It has its best chance of a
 * mixed one where the kernel takes it off its processor in the middle.
 */
static void *
read_often(void *settings)
{
	while (!atomic_load(&written))
		if (!is_whole(settings_get(settings)))
			return settings;
	return NULL;
}

static void
test_a_reading_is_consistent(void **state)
{
	struct settings *settings = settings_new(one, limits);
	pthread_t writers[2], readers[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pthread_create(&readers[i], NULL, read_often, settings), 0);
		assert_int_equal(pthread_create(&writers[i], NULL, write_in_turns, settings), 0);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(writers[i], NULL);
	atomic_store(&written, true);
	for (int i = 0; i < 2; i++) {
		void *mixed;

		pthread_join(readers[i], &mixed);
		assert_null(mixed);
	}
	settings_free(settings);
}

/* Where a writer is killed: the linker puts these two in the place of the real ones (settings_LINK in the Makefile). */
static enum death { NOWHERE, BEFORE_IT_WRITES, BEFORE_IT_UNLOCKS } dies;

int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
int __real_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);

int
__wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
	int error = __real_pthread_mutex_lock(mutex);

	if (dies == BEFORE_IT_WRITES)
		raise(SIGKILL);
	return error;
}

int
__wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	if (dies == BEFORE_IT_UNLOCKS)
		raise(SIGKILL);
	return __real_pthread_mutex_unlock(mutex);
}

/* let_writer_die has a child killed while it writes TWO, with the lock in its hand. */
static void
let_writer_die(struct settings *settings, enum death where)
{
	int status;
	pid_t pid;

	pid = fork();
	if (pid == 0) {
		dies = where;
		_exit(write_one(settings, TWO));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void
test_a_writer_that_dies_hinders_nobody(void **state)
{
	struct settings *settings = settings_new(one, limits);

	(void)state;
	let_writer_die(settings, BEFORE_IT_WRITES);
	assert_int_equal(settings_get(settings).mode, WAIT_BLOCKING);
	assert_int_equal(settings_toggle_blocking(settings), WAIT_ASYNC);
	assert_int_equal(write_one(settings, ONE), 0);
	let_writer_die(settings, BEFORE_IT_UNLOCKS);
	assert_int_equal(settings_get(settings).mode, WAIT_ASYNC);
	assert_true(is_whole(settings_get(settings)));
	/* The next one may die as well. */
	let_writer_die(settings, BEFORE_IT_WRITES);
	assert_int_equal(write_one(settings, ONE), 0);
	assert_int_equal(settings_get(settings).mode, WAIT_BLOCKING);
	assert_true(is_whole(settings_get(settings)));
	settings_free(settings);
}

static void
test_a_writer_killed_at_any_moment_leaves_a_whole_version(void **state)
{
	struct settings *settings = settings_new(one, limits);

	(void)state;
	for (uint64_t i = 0; i < 100; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			(void)write_in_turns(settings);
			_exit(0);
		}
		clock_sleep_until_ns(clock_now_ns() + i * 7 * NS_PER_US);
		for (int n = 0; n < 100; n++)
			assert_true(is_whole(settings_get(settings)));
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		assert_true(is_whole(settings_get(settings)));
		if (i % 2 == 0)
			assert_int_equal(write_one(settings, i % 4 == 0 ? ONE : TWO), 0);
		assert_true(is_whole(settings_get(settings)));
	}
	settings_free(settings);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_form_is_read),
	    cmocka_unit_test(test_what_a_form_names_is_what_a_handler_does),
	    cmocka_unit_test(test_a_command_line_follows_the_same_rule),
	    cmocka_unit_test(test_a_bad_form_changes_nothing_and_says_what_is_allowed),
	    cmocka_unit_test(test_one_request_has_no_share),
	    cmocka_unit_test(test_what_the_server_has_not_is_refused),
	    cmocka_unit_test(test_blocking_toggles_back_to_the_mode_before),
	    cmocka_unit_test(test_a_server_that_starts_blocking_toggles_to_async),
	    cmocka_unit_test(test_a_forked_child_sees_and_makes_changes),
	    cmocka_unit_test(test_a_reading_is_consistent),
	    cmocka_unit_test(test_a_writer_that_dies_hinders_nobody),
	    cmocka_unit_test(test_a_writer_killed_at_any_moment_leaves_a_whole_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
