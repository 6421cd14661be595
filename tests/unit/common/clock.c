/* Unit tests of common/clock. */
#include "common/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>

static void
test_a_sleep_is_never_short(void **state)
{
	(void)state;
	for (uint64_t ns = 1; ns < 20 * NS_PER_MS; ns = ns * 3 + 7) {
		uint64_t start = clock_now_ns();

		clock_sleep_until_ns(start + ns);
		assert_true(clock_now_ns() - start >= ns);
	}
}

static void
on_alarm(int number)
{
	(void)number;
}

static void
test_signals_do_not_shorten_a_sleep(void **state)
{
	struct sigaction action = {.sa_handler = on_alarm};
	struct itimerval timer = {.it_interval = {0, 1000}, .it_value = {0, 1000}};
	uint64_t start = clock_now_ns();

	(void)state;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	clock_sleep_until_ns(start + 30 * NS_PER_MS);
	assert_true(clock_now_ns() - start >= 30 * NS_PER_MS);
	timer.it_value.tv_usec = 0;
	setitimer(ITIMER_REAL, &timer, NULL);
}

static void
test_milliseconds_are_rounded_up(void **state)
{
	int ms;

	(void)state;
	assert_int_equal(clock_ms_until(0), 0);
	assert_int_equal(clock_ms_until(clock_now_ns() + NS_PER_SEC * 86400 * 365), INT_MAX);
	ms = clock_ms_until(clock_now_ns() + 50 * NS_PER_SEC + 1);
	assert_in_range(ms, 40000, 50001);
	assert_int_equal(clock_ms_until(clock_now_ns() + 900 * NS_PER_US) <= 1, 1);
}

static void
test_seconds_are_read(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} good[] = {
	    {"0", 0},
	    {"0.1", 100000000},
	    {"2", 2000000000},
	    {"1e-3", 1000000},
	    {".5", 500000000},
	    {"0.000000001", 1},
	    {"10", 10000000000},
	};
	uint64_t ns;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(clock_parse_seconds(good[i].text, 10 * NS_PER_SEC, &ns), 0);
		assert_int_equal(ns, good[i].ns);
	}
}

static void
test_what_is_no_time_is_refused(void **state)
{
	static const char *const bad[] = {
	    "", "x", "1s", " 1", "1 ", "-1", "-0", "0x10", "inf", "nan", "1,5", "--1", "e", ".", "1e", "1e999"};
	uint64_t ns = 7;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (clock_parse_seconds(bad[i], 10 * NS_PER_SEC, &ns) != -EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
	}
	assert_int_equal(clock_parse_seconds("10.1", 10 * NS_PER_SEC, &ns), -ERANGE);
	assert_int_equal(clock_parse_seconds("1e18", 10 * NS_PER_SEC, &ns), -ERANGE);
	assert_int_equal(ns, 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_sleep_is_never_short),
	    cmocka_unit_test(test_signals_do_not_shorten_a_sleep),
	    cmocka_unit_test(test_milliseconds_are_rounded_up),
	    cmocka_unit_test(test_seconds_are_read),
	    cmocka_unit_test(test_what_is_no_time_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
