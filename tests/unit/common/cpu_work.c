/* Unit tests of common/cpu_work. */
#include "common/cpu_work.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <time.h>

#include "common/clock.h"
#include "common/compiler.h"

/* The figures come from an implementation of the generator in Python. */
static void
test_the_work_is_done_to_the_last_unit(void **state)
{
	static const struct {
		uint64_t units, result;
	} known[] = {
	    {0, 0x9e3779b97f4a7c15},
	    {1, 0xdc1b77ae0bf34dad},
	    {2, 0x64f0eeb9026e6076},
	    {1000, 0x56b663219f6e38f5},
	    {65536, 0xd63028b03dfd593c},
	    {65537, 0x142370bf50eb6c8e},
	    {200000, 0xe69cd07a6f2d17be},
	};
	atomic_bool cancelled = false;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		assert_true(cpu_work_run(known[i].units, NULL) == known[i].result);
		assert_true(cpu_work_run(known[i].units, &cancelled) == known[i].result);
	}
}

static void
test_units_are_proportional_to_the_time(void **state)
{
	uint64_t rate = cpu_work_calibrate();

	(void)state;
	assert_true(rate > 0);
	assert_true(cpu_work_units(0) == 0);
	assert_in_range(cpu_work_units(1), 1, rate / NS_PER_SEC + 1);
	assert_true(cpu_work_units(NS_PER_SEC) == rate);
	assert_true(cpu_work_units(3600 * NS_PER_SEC) == 3600 * rate);
	assert_in_range(cpu_work_units(10 * NS_PER_MS), rate / 100, rate / 100 + 1);
	assert_in_range(cpu_work_units(2500 * NS_PER_MS), rate / 2 * 5, rate / 2 * 5 + 5);
}

static uint64_t
cpu_ns(void)
{
	struct timespec used;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	return (uint64_t)used.tv_sec * NS_PER_SEC + (uint64_t)used.tv_nsec;
}

/* Not how fast: only that it is work, and that its size has to do with what was asked. */
static void
test_work_takes_cpu_time(void **state)
{
	uint64_t begun;

	(void)state;
	(void)cpu_work_calibrate();
	begun = cpu_ns();
	(void)cpu_work_run(cpu_work_units(50 * NS_PER_MS), NULL);
	assert_true(cpu_ns() - begun > 5 * NS_PER_MS);
}

static void *
run_for_a_year(void *cancelled)
{
	(void)cpu_work_run(cpu_work_units(365 * 86400 * NS_PER_SEC), cancelled);
	return NULL;
}

static void
test_cancelled_work_ends(void **state)
{
	atomic_bool cancelled = true;
	pthread_t thread;

	(void)state;
	(void)cpu_work_calibrate();
	assert_true(cpu_work_run(1000, &cancelled) == cpu_work_run(0, NULL));
	atomic_store(&cancelled, false);
	assert_int_equal(pthread_create(&thread, NULL, run_for_a_year, &cancelled), 0);
	clock_sleep_until_ns(clock_now_ns() + 5 * NS_PER_MS);
	atomic_store(&cancelled, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_work_is_done_to_the_last_unit),
	    cmocka_unit_test(test_units_are_proportional_to_the_time),
	    cmocka_unit_test(test_work_takes_cpu_time),
	    cmocka_unit_test(test_cancelled_work_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
