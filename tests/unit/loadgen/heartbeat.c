/* Unit tests of loadgen/heartbeat: sleeping until the next beat and working are no pause, anything else is. */
#include "loadgen/heartbeat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define MS 1000000ULL

static struct heartbeat heartbeat;

static void
test_a_thread_that_sleeps_or_works_has_no_pause(void **state)
{
	(void)state;
	heartbeat_begin(&heartbeat, 5000 * MS, 70 * MS);
	heartbeat_note(&heartbeat, 5020 * MS, 70 * MS);   /* asleep all the time */
	heartbeat_note(&heartbeat, 5040 * MS, 90 * MS);   /* at work all the time */
	heartbeat_note(&heartbeat, 5041 * MS, 90 * MS);   /* early */
	heartbeat_note(&heartbeat, 6041 * MS, 1085 * MS); /* a second of work, with a little sleep before */
	assert_int_equal(heartbeat.longest_ns, 0);
}

static void
test_the_longest_pause_is_kept(void **state)
{
	(void)state;
	heartbeat_begin(&heartbeat, 5000 * MS, 70 * MS);
	heartbeat_note(&heartbeat, 5320 * MS, 70 * MS); /* stopped in its sleep */
	assert_int_equal(heartbeat.longest_ns, 300 * MS);
	heartbeat_note(&heartbeat, 6320 * MS, 170 * MS); /* stopped at its work */
	assert_int_equal(heartbeat.longest_ns, 880 * MS);
	heartbeat_note(&heartbeat, 6420 * MS, 170 * MS);
	assert_int_equal(heartbeat.longest_ns, 880 * MS);
	heartbeat_begin(&heartbeat, 7000 * MS, 200 * MS); /* the warm-up is over */
	assert_int_equal(heartbeat.longest_ns, 0);
	heartbeat_note(&heartbeat, 7020 * MS, 200 * MS);
	assert_int_equal(heartbeat.longest_ns, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_thread_that_sleeps_or_works_has_no_pause),
	    cmocka_unit_test(test_the_longest_pause_is_kept),
	};

	return cmocka_run_group_tests_name("loadgen/heartbeat", tests, NULL, NULL);
}
