/* Tests of the timing wheel: nothing early, nothing lost, and the same as a sorted list would do. */
#include "async_server/deadline_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define TICK ((uint64_t)1 << DEADLINE_TICK_BITS)
#define START 1234567890123456ULL /* a clock that has run for two weeks */
#define COUNT 1000

static struct deadline_queue queue;
static struct deadline deadlines[COUNT];

static int
setup(void **state)
{
	(void)state;
	memset(deadlines, 0, sizeof(deadlines));
	deadline_queue_init(&queue, START);
	return 0;
}

/* random_next is a small generator with a fixed seed: the same test each time. */
static uint64_t
random_next(void)
{
	static uint64_t x = 88172645463325252ULL;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static void
an_empty_queue_waits_for_nothing(void **state)
{
	(void)state;
	assert_true(deadline_queue_next(&queue) == DEADLINE_NONE);
	assert_null(deadline_queue_pop(&queue, START + ((uint64_t)1 << 50)));
	assert_true(deadline_queue_next(&queue) == DEADLINE_NONE);
}

/* Every distance from a nanosecond to years, so every level and every rounding. */
static void
no_deadline_is_early_and_none_more_than_a_tick_late(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < 58; bit++) {
		for (uint64_t extra = 0; extra < 3; extra++) {
			struct deadline deadline = {0};
			uint64_t due = START + ((uint64_t)1 << bit) + extra - 1;
			uint64_t next;

			deadline_queue_init(&queue, START);
			deadline_set(&queue, &deadline, due);
			for (int rounds = 0; (next = deadline_queue_next(&queue)) < due; rounds++) {
				assert_true(rounds < DEADLINE_LEVELS);
				assert_null(deadline_queue_pop(&queue, next));
			}
			assert_true(next < due + TICK);
			if (due > 0)
				assert_null(deadline_queue_pop(&queue, due - 1));
			assert_ptr_equal(deadline_queue_pop(&queue, next), &deadline);
			assert_false(deadline_is_queued(&deadline));
			assert_true(deadline_queue_next(&queue) == DEADLINE_NONE);
		}
	}
}

static void
a_deadline_of_the_past_is_due_at_once(void **state)
{
	(void)state;
	deadline_set(&queue, &deadlines[0], START - 5 * TICK);
	assert_int_equal(deadline_queue_next(&queue), 1);
	assert_ptr_equal(deadline_queue_pop(&queue, START), &deadlines[0]);
}

static void
a_removed_deadline_never_comes(void **state)
{
	(void)state;
	for (size_t i = 0; i < 10; i++)
		deadline_set(&queue, &deadlines[i], START + i * 100 * TICK);
	for (size_t i = 0; i < 10; i += 2)
		deadline_remove(&deadlines[i]);
	deadline_remove(&deadlines[0]); /* once more does nothing */
	for (size_t i = 1; i < 10; i += 2)
		assert_ptr_equal(deadline_queue_pop(&queue, START + 10000 * TICK), &deadlines[i]);
	assert_null(deadline_queue_pop(&queue, START + 10000 * TICK));
	assert_true(deadline_queue_next(&queue) == DEADLINE_NONE);
}

static void
a_deadline_moves_later_and_sooner(void **state)
{
	uint64_t second = 1000000000;

	(void)state;
	deadline_set(&queue, &deadlines[0], START + second);
	deadline_set(&queue, &deadlines[0], START + 5 * second);
	assert_null(deadline_queue_pop(&queue, START + 4 * second));
	assert_true(deadline_is_queued(&deadlines[0]));
	deadline_set(&queue, &deadlines[0], START + 4 * second + 10);
	assert_ptr_equal(deadline_queue_pop(&queue, START + 4 * second + TICK), &deadlines[0]);
	assert_null(deadline_queue_pop(&queue, START + 10 * second));
}

/* As one callback does that runs while others of the same moment have not been handed out yet. */
static void
one_that_is_due_can_still_be_moved_or_removed(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++)
		deadline_set(&queue, &deadlines[i], START + 10);
	for (size_t i = 0; i < 3; i++) {
		struct deadline *due = deadline_queue_pop(&queue, START + 2 * TICK);

		if (i > 0) {
			assert_null(due);
			break;
		}
		for (size_t other = 0; other < 3; other++) {
			if (due == &deadlines[other])
				continue;
			if (deadline_is_queued(&deadlines[(other + 1) % 3]) && deadline_is_queued(&deadlines[other]))
				deadline_remove(&deadlines[other]);
			else
				deadline_set(&queue, &deadlines[other], START + 100 * TICK);
		}
	}
	assert_non_null(deadline_queue_pop(&queue, START + 101 * TICK));
	assert_null(deadline_queue_pop(&queue, START + 1000 * TICK));
}

/* Random sets, moves, removals and jumps of the clock, beside an array that is searched from end to end. */
static void
it_does_what_a_plain_list_does(void **state)
{
	static uint64_t due[COUNT]; /* 0: not set */
	uint64_t now = START;
	struct deadline *popped;

	(void)state;
	memset(due, 0, sizeof(due));
	for (int step = 0; step < 100000; step++) {
		size_t i = random_next() % COUNT;

		switch (random_next() % 4) {
		case 0:
		case 1:
			due[i] = now + (random_next() >> (14 + random_next() % 50));
			deadline_set(&queue, &deadlines[i], due[i]);
			break;
		case 2:
			due[i] = 0;
			deadline_remove(&deadlines[i]);
			break;
		default:
			now += random_next() >> (24 + random_next() % 40);
			while ((popped = deadline_queue_pop(&queue, now)) != NULL) {
				assert_true(due[popped - deadlines] != 0);
				assert_true(due[popped - deadlines] <= now);
				due[popped - deadlines] = 0;
			}
			for (size_t j = 0; j < COUNT; j++)
				assert_true(due[j] == 0 || due[j] + TICK > now);
			assert_true(deadline_queue_next(&queue) > now - TICK);
			break;
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(an_empty_queue_waits_for_nothing, setup),
	    cmocka_unit_test_setup(no_deadline_is_early_and_none_more_than_a_tick_late, setup),
	    cmocka_unit_test_setup(a_deadline_of_the_past_is_due_at_once, setup),
	    cmocka_unit_test_setup(a_removed_deadline_never_comes, setup),
	    cmocka_unit_test_setup(a_deadline_moves_later_and_sooner, setup),
	    cmocka_unit_test_setup(one_that_is_due_can_still_be_moved_or_removed, setup),
	    cmocka_unit_test_setup(it_does_what_a_plain_list_does, setup),
	};

	return cmocka_run_group_tests_name("async_server/deadline_queue", tests, NULL, NULL);
}
