/* Unit tests of loadgen/saturate: searches against servers that are formulas. */
#include "loadgen/saturate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* A server is what it gives under LOAD. */
typedef struct step server_fn(uint64_t load);

static struct saturate search;
static size_t steps;

/* run_search searches to the end, which must come, and without asking anything twice. */
static const struct step *
run_search(server_fn *server, uint64_t first, uint64_t highest)
{
	uint64_t load;

	saturate_init(&search, first, 1, highest);
	for (steps = 0; (load = saturate_next(&search)) != 0; steps++) {
		struct step step = server(load);

		assert_true(steps < SATURATE_STEPS_MAX);
		assert_true(load >= 1 && load <= highest);
		for (size_t i = 0; i < search.len; i++)
			assert_true(search.steps[i].load != load);
		step.load = load;
		saturate_record(&search, &step);
	}
	for (size_t i = 1; i < search.len; i++)
		assert_true(search.steps[i - 1].load < search.steps[i].load);
	return saturate_knee(&search);
}

/* Each of WORKERS serves 50 a second. */
static struct step
workers(uint64_t load, uint64_t workers)
{
	return (struct step){.throughput = 50.0 * (double)(load < workers ? load : workers), .holds = true};
}

static struct step
four_workers(uint64_t load)
{
	return workers(load, 4);
}

static struct step
thirteen_workers(uint64_t load)
{
	return workers(load, 13);
}

static struct step
thousand_workers(uint64_t load)
{
	return workers(load, 1000);
}

static struct step
endless(uint64_t load)
{
	return workers(load, UINT64_MAX);
}

/* Throughput falls where more is asked for. */
static struct step
collapsing(uint64_t load)
{
	struct step step = workers(load, 8);

	step.throughput /= load > 8 ? (double)load / 8 : 1;
	return step;
}

/* Grows with the load for ever, but only up to 21 is it fast enough. */
static struct step
slow_above_21(uint64_t load)
{
	struct step step = endless(load);

	step.holds = load <= 21;
	return step;
}

/* Saturated at 4, too slow above 40. */
static struct step
four_workers_slow_above_40(uint64_t load)
{
	struct step step = four_workers(load);

	step.holds = load <= 40;
	return step;
}

static struct step
never_holding(uint64_t load)
{
	struct step step = endless(load);

	step.holds = false;
	return step;
}

static struct step
nothing(uint64_t load)
{
	(void)load;
	return (struct step){.holds = true};
}

/* Off by up to 2% either way, the same way each time. */
static struct step
noisy(uint64_t load)
{
	struct step step = workers(load, 100);

	step.throughput *= 1 + 0.02 * (double)(int)(load * 2654435761U % 7 - 3) / 3;
	return step;
}

static void
test_the_knee_of_a_few_workers_is_their_number(void **state)
{
	(void)state;
	assert_int_equal(run_search(four_workers, 1, 20000)->load, 4);
	assert_int_equal(search.end, SATURATE_FLAT);
	assert_int_equal(steps, 6); /* 1 2 4 8 16, and 3 */
	assert_int_equal(saturate_best(&search)->load, 4);
	assert_int_equal(run_search(thirteen_workers, 1, 20000)->load, 13);
	assert_int_equal(run_search(collapsing, 1, 20000)->load, 8);
}

static void
test_the_knee_of_many_workers_is_within_a_twentieth(void **state)
{
	uint64_t knee = run_search(thousand_workers, 1, 20000)->load;

	(void)state;
	assert_in_range(knee, 950, 1000);
	assert_true(steps < 20);
}

static void
test_a_search_that_begins_too_high_comes_down(void **state)
{
	(void)state;
	assert_int_equal(run_search(four_workers, 100, 20000)->load, 4);
	assert_int_equal(run_search(four_workers, 100, 100)->load, 4);
	assert_int_equal(search.end, SATURATE_LIMIT); /* one step says nothing about growth */
	assert_int_equal(run_search(slow_above_21, 300, 20000)->load, 20);
	assert_int_equal(search.end, SATURATE_BROKEN);
}

static void
test_an_expectation_ends_the_climb(void **state)
{
	(void)state;
	/* 95% of the throughput at 21. */
	assert_int_equal(run_search(slow_above_21, 1, 20000)->load, 20);
	assert_int_equal(search.end, SATURATE_BROKEN);
	assert_int_equal(saturate_best(&search)->load, 21);
	assert_int_equal(run_search(four_workers_slow_above_40, 1, 20000)->load, 4);
	assert_int_equal(search.end, SATURATE_FLAT);
	assert_int_equal(run_search(four_workers_slow_above_40, 32, 20000)->load, 4);
	assert_int_equal(search.end, SATURATE_BROKEN);
}

static void
test_there_need_not_be_a_knee(void **state)
{
	(void)state;
	assert_null(run_search(never_holding, 1, 20000));
	assert_int_equal(steps, 1);
	assert_null(saturate_best(&search));
	assert_null(run_search(never_holding, 64, 20000));
	assert_int_equal(steps, 7); /* 64 32 16 8 4 2 1 */
	assert_null(run_search(nothing, 1, 20000));
	assert_int_equal(steps, 2);
}

static void
test_the_highest_load_ends_the_climb(void **state)
{
	(void)state;
	assert_in_range(run_search(endless, 1, 1000)->load, 950, 1000);
	assert_int_equal(search.end, SATURATE_LIMIT);
	assert_int_equal(saturate_best(&search)->load, 1000);
	/* From 8 to the highest, 9, throughput cannot double. */
	assert_int_equal(run_search(four_workers, 1, 9)->load, 4);
	assert_int_equal(search.end, SATURATE_FLAT);
	assert_int_equal(run_search(endless, 1, 1)->load, 1);
	assert_int_equal(search.end, SATURATE_LIMIT);
}

static void
test_noise_does_not_lead_far_astray(void **state)
{
	(void)state;
	assert_in_range(run_search(noisy, 1, 20000)->load, 88, 105);
	assert_in_range(run_search(noisy, 3, 20000)->load, 88, 105);
	assert_true(steps < 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_knee_of_a_few_workers_is_their_number),
	    cmocka_unit_test(test_the_knee_of_many_workers_is_within_a_twentieth),
	    cmocka_unit_test(test_a_search_that_begins_too_high_comes_down),
	    cmocka_unit_test(test_an_expectation_ends_the_climb),
	    cmocka_unit_test(test_there_need_not_be_a_knee),
	    cmocka_unit_test(test_the_highest_load_ends_the_climb),
	    cmocka_unit_test(test_noise_does_not_lead_far_astray),
	};

	return cmocka_run_group_tests_name("loadgen/saturate", tests, NULL, NULL);
}
