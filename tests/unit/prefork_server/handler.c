/* Unit tests of prefork_server/handler. */
#include "prefork_server/handler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <sys/time.h>

#include "common/clock.h"
#include "common/cpu_work.h"

#define SHORT_NS (30 * NS_PER_MS)
#define LONG_NS (60 * NS_PER_SEC)
#define ENDLESS_NS (3600 * NS_PER_SEC)

static struct config config;
static struct metrics metrics;
static struct worker worker = {.config = &config, .metrics = &metrics};

/* work has the handler work with a --handler-timeout; returns what it says, and how long it TOOK. */
static bool
work(uint64_t cpu_ns, uint64_t sleep_ns, uint64_t timeout_ns, uint64_t *took_ns)
{
	const struct settings_values wait = {.cpu_ns = cpu_ns, .sleep_ns = sleep_ns};
	uint64_t begun_ns = clock_now_ns();
	bool done;

	metrics = (struct metrics){0};
	config.handler_timeout_ns = timeout_ns;
	done = handler_work(&worker, &wait);
	*took_ns = clock_now_ns() - begun_ns;
	assert_int_equal(metrics.sleeps_begun, metrics.sleeps_ended);
	assert_int_equal(metrics.computes_begun, metrics.computes_ended);
	assert_int_equal(metrics.handler_timeouts, done ? 0 : 1);
	return done;
}

static void
test_all_is_done_where_there_is_no_limit(void **state)
{
	uint64_t took_ns;

	(void)state;
	assert_true(work(SHORT_NS, SHORT_NS, 0, &took_ns));
	assert_true(took_ns >= SHORT_NS);
	assert_int_equal(metrics.computed_ns, SHORT_NS);
	assert_int_equal(metrics.computes_ended, 1);
	assert_int_equal(metrics.sleeps_ended, 1);
}

static void
test_nothing_to_do_takes_no_time_to_be_counted(void **state)
{
	uint64_t took_ns;

	(void)state;
	assert_true(work(0, 0, 1, &took_ns));
	assert_int_equal(metrics.computes_begun, 0);
	assert_int_equal(metrics.sleeps_begun, 0);
}

static void
test_what_fits_is_never_short(void **state)
{
	uint64_t took_ns;

	(void)state;
	for (uint64_t sleep_ns = 1; sleep_ns <= SHORT_NS; sleep_ns = sleep_ns * 7 + 1) {
		assert_true(work(0, sleep_ns, LONG_NS, &took_ns));
		assert_true(took_ns >= sleep_ns);
	}
	for (uint64_t cpu_ns = 1; cpu_ns <= SHORT_NS; cpu_ns = cpu_ns * 7 + 1) {
		assert_true(work(cpu_ns, 0, LONG_NS, &took_ns));
		assert_int_equal(metrics.computed_ns, cpu_ns);
	}
}

static void
test_a_sleep_that_does_not_fit_ends_at_the_limit_and_not_before(void **state)
{
	uint64_t took_ns;

	(void)state;
	assert_false(work(0, ENDLESS_NS, SHORT_NS, &took_ns));
	assert_true(took_ns >= SHORT_NS && took_ns < LONG_NS);
	assert_int_equal(metrics.sleeps_ended, 1);
}

static void
test_a_computation_that_does_not_fit_ends_at_the_limit_and_not_before(void **state)
{
	uint64_t took_ns;

	(void)state;
	assert_false(work(ENDLESS_NS, 0, SHORT_NS, &took_ns));
	assert_true(took_ns >= SHORT_NS && took_ns < LONG_NS);
	assert_true(metrics.computed_ns > 0 && metrics.computed_ns < LONG_NS);
}

static void
test_a_computation_that_used_up_the_time_leaves_none_to_sleep(void **state)
{
	uint64_t took_ns;

	(void)state;
	assert_false(work(ENDLESS_NS, ENDLESS_NS, SHORT_NS, &took_ns));
	assert_int_equal(metrics.sleeps_begun, 0);
	assert_false(work(SHORT_NS, ENDLESS_NS, SHORT_NS * 2, &took_ns));
	assert_true(took_ns >= SHORT_NS * 2 && took_ns < LONG_NS);
}

static void
on_alarm(int number)
{
	(void)number;
}

static void
test_signals_shorten_neither(void **state)
{
	struct sigaction action = {.sa_handler = on_alarm};
	struct itimerval timer = {.it_interval = {0, 1000}, .it_value = {0, 1000}};
	uint64_t took_ns;

	(void)state;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	assert_true(work(0, SHORT_NS, LONG_NS, &took_ns));
	assert_true(took_ns >= SHORT_NS);
	assert_false(work(0, ENDLESS_NS, SHORT_NS, &took_ns));
	assert_true(took_ns >= SHORT_NS);
	timer = (struct itimerval){0};
	setitimer(ITIMER_REAL, &timer, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_all_is_done_where_there_is_no_limit),
	    cmocka_unit_test(test_nothing_to_do_takes_no_time_to_be_counted),
	    cmocka_unit_test(test_what_fits_is_never_short),
	    cmocka_unit_test(test_a_sleep_that_does_not_fit_ends_at_the_limit_and_not_before),
	    cmocka_unit_test(test_a_computation_that_does_not_fit_ends_at_the_limit_and_not_before),
	    cmocka_unit_test(test_a_computation_that_used_up_the_time_leaves_none_to_sleep),
	    cmocka_unit_test(test_signals_shorten_neither),
	};

	(void)cpu_work_calibrate();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
