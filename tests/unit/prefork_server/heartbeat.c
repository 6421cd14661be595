/* Unit tests of prefork_server/heartbeat. */
#include "prefork_server/heartbeat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define SECOND 1000000000ULL

static void
test_a_beat_ends_the_silence(void **state)
{
	struct heartbeat heartbeat = {0};
	struct heartbeat_watch watch;

	(void)state;
	heartbeat_watch_begin(&watch, &heartbeat);
	assert_int_equal(heartbeat_watch_look(&watch, &heartbeat, SECOND), SECOND);
	assert_int_equal(heartbeat_watch_look(&watch, &heartbeat, SECOND), 2 * SECOND);
	heartbeat_beat(&heartbeat);
	assert_int_equal(heartbeat_watch_look(&watch, &heartbeat, SECOND), 0);
	assert_int_equal(heartbeat_watch_look(&watch, &heartbeat, SECOND / 2), SECOND / 2);
}

static void
test_a_slot_taken_over_starts_without_silence(void **state)
{
	struct heartbeat heartbeat = {0};
	struct heartbeat_watch watch;

	(void)state;
	heartbeat_beat(&heartbeat);
	heartbeat_watch_begin(&watch, &heartbeat);
	assert_int_equal(heartbeat_watch_look(&watch, &heartbeat, SECOND), SECOND);
	heartbeat_watch_begin(&watch, &heartbeat);
	assert_int_equal(heartbeat_watch_look(&watch, &heartbeat, SECOND), SECOND);
}

/* What a worker writes there, backwards or past the end, is only ever "it moved". */
static void
test_any_change_is_a_beat(void **state)
{
	const uint64_t values[] = {UINT64_MAX, 0, 1, 5, 4, UINT64_MAX - 1};
	struct heartbeat heartbeat = {.beats = 7};
	struct heartbeat_watch watch;

	(void)state;
	heartbeat_watch_begin(&watch, &heartbeat);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		atomic_store(&heartbeat.beats, values[i]);
		assert_int_equal(heartbeat_watch_look(&watch, &heartbeat, SECOND), 0);
	}
	assert_int_equal(heartbeat_watch_look(&watch, &heartbeat, SECOND), SECOND);
	atomic_store(&heartbeat.beats, UINT64_MAX);
	heartbeat_watch_begin(&watch, &heartbeat);
	heartbeat_beat(&heartbeat);
	assert_int_equal(heartbeat_watch_look(&watch, &heartbeat, SECOND), 0);
}

/* The arbiter itself may have been stopped for an hour: the workers have not been silent for that long. */
static void
test_a_late_look_adds_little(void **state)
{
	struct heartbeat heartbeat = {0};
	struct heartbeat_watch watch;

	(void)state;
	heartbeat_watch_begin(&watch, &heartbeat);
	assert_int_equal(heartbeat_watch_look(&watch, &heartbeat, 3600 * SECOND), HEARTBEAT_LOOK_MAX_NS);
	assert_int_equal(heartbeat_watch_look(&watch, &heartbeat, 3600 * SECOND), 2 * HEARTBEAT_LOOK_MAX_NS);
}

static void
test_heartbeats_do_not_share_a_cache_line(void **state)
{
	struct heartbeat pair[2];

	(void)state;
	assert_true((char *)&pair[1] - (char *)&pair[0] >= 64);
	assert_int_equal((uintptr_t)&pair[0] % 64, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_beat_ends_the_silence),
	    cmocka_unit_test(test_a_slot_taken_over_starts_without_silence),
	    cmocka_unit_test(test_any_change_is_a_beat),
	    cmocka_unit_test(test_a_late_look_adds_little),
	    cmocka_unit_test(test_heartbeats_do_not_share_a_cache_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
