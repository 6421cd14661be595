/* Unit tests of prefork_server/pace. */
#include "prefork_server/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/clock.h"

#define S NS_PER_SEC

static void
test_waiting_uses_it_up(void **state)
{
	struct pace pace;

	(void)state;
	pace_begin(&pace, 10 * S, 240);
	assert_int_equal(pace.left_ns, 10 * S);
	pace_spend(&pace, 3 * S, 0);
	assert_int_equal(pace.left_ns, 7 * S);
	pace_spend(&pace, 7 * S, 0);
	assert_int_equal(pace.left_ns, 0);
	pace_spend(&pace, 7 * S, 0);
	assert_int_equal(pace.left_ns, 0);
}

static void
test_bytes_give_back_the_time_that_they_take_at_the_rate(void **state)
{
	struct pace pace;

	(void)state;
	pace_begin(&pace, 10 * S, 100);
	pace_spend(&pace, 5 * S, 100);
	assert_int_equal(pace.left_ns, 6 * S);
	/* A wait that took longer than there was left has used that up, and no more. */
	pace_spend(&pace, 60 * S, 50);
	assert_int_equal(pace.left_ns, S / 2);
}

static void
test_it_never_grows_beyond_what_it_was(void **state)
{
	static const uint64_t bytes[] = {1000, 1U << 30, UINT64_MAX / NS_PER_SEC, UINT64_MAX};
	struct pace pace;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
		pace_begin(&pace, 10 * S, 100);
		pace_spend(&pace, 9 * S, bytes[i]);
		assert_int_equal(pace.left_ns, 10 * S);
		pace_spend(&pace, 0, bytes[i]);
		assert_int_equal(pace.left_ns, 10 * S);
	}
}

static void
test_a_peer_at_the_rate_goes_on_for_ever_and_one_below_does_not(void **state)
{
	struct pace pace;
	int seconds = 0;

	(void)state;
	pace_begin(&pace, 10 * S, 240);
	for (int i = 0; i < 100000; i++)
		pace_spend(&pace, S, 240);
	assert_int_equal(pace.left_ns, 10 * S);
	/* At half the rate, half of the time is given back, until a wait is longer than what is left. */
	for (; pace.left_ns >= S && seconds < 1000; seconds++)
		pace_spend(&pace, S, 120);
	assert_in_range(seconds, 18, 20);
}

static void
test_where_any_rate_will_do_a_byte_gives_back_all(void **state)
{
	struct pace pace;

	(void)state;
	pace_begin(&pace, 10 * S, 0);
	for (int i = 0; i < 1000; i++) {
		pace_spend(&pace, 9 * S, 1);
		assert_int_equal(pace.left_ns, 10 * S);
	}
	pace_spend(&pace, 9 * S, 0);
	assert_int_equal(pace.left_ns, S);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_waiting_uses_it_up),
	    cmocka_unit_test(test_bytes_give_back_the_time_that_they_take_at_the_rate),
	    cmocka_unit_test(test_it_never_grows_beyond_what_it_was),
	    cmocka_unit_test(test_a_peer_at_the_rate_goes_on_for_ever_and_one_below_does_not),
	    cmocka_unit_test(test_where_any_rate_will_do_a_byte_gives_back_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
