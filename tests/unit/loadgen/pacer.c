/* Unit tests of loadgen/pacer: what was due and never started, however much that is. */
#include "loadgen/pacer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "common/clock.h"
#include "loadgen/worker.h"

#define ORIGIN_NS (5 * NS_PER_SEC)
#define DAY_S ((uint64_t)86400)
#define RATE_MAX ((uint64_t)1000000)

static struct config config;
static struct cell cell;
static struct shared shared;
static struct worker worker;

static bool out_of_memory;

void *__real_reallocarray(void *memory, size_t count, size_t size);
void *__wrap_reallocarray(void *memory, size_t count, size_t size);

void *
__wrap_reallocarray(void *memory, size_t count, size_t size)
{
	return out_of_memory ? NULL : __real_reallocarray(memory, count, size);
}

/* set_up makes thread INDEX of COUNT, which has not begun a request, along RAMP. */
static void
set_up(enum arrivals arrivals, struct ramp ramp, uint32_t index, uint32_t count)
{
	config = (struct config){.arrivals = (int)arrivals};
	cell = (struct cell){.config = &config, .open_loop = true, .ramp = ramp};
	shared.origin_ns = ORIGIN_NS;
	worker.cell = &cell;
	worker.shared = &shared;
	worker.left = CONFIG_UNLIMITED;
	TAILQ_INIT(&worker.idle);
	schedule_init(&worker.schedule, arrivals, &ramp, index, count, 7);
	assert_int_equal(stats_init(&worker.stats), 0);
	worker.stats.begin_ns = ORIGIN_NS;
}

static void
end_after(uint64_t seconds, uint64_t slowest_s)
{
	pacer_end(&worker, ORIGIN_NS + seconds * NS_PER_SEC, slowest_s * NS_PER_SEC);
}

static struct ramp
steady(uint64_t rate)
{
	return (struct ramp){.from = (double)rate, .to = (double)rate};
}

static void
test_each_has_its_age(void **state)
{
	const struct stats *stats = &worker.stats;

	(void)state;
	set_up(ARRIVALS_CONSTANT, steady(1000), 0, 1);
	end_after(10, 2);
	assert_int_equal(stats->missed, 10000);
	assert_int_equal(stats->queued, 10000);
	assert_int_equal(stats->overdue, 8000);
	assert_int_equal(stats->total.count, 8000);
	assert_int_equal(stats->total.max, 10 * NS_PER_SEC);
	assert_int_equal(stats->total.min, 2 * NS_PER_SEC + NS_PER_MS);
	assert_int_equal(stats->delay.count, 8000); /* they have waited at least so long for a connection */
	assert_int_equal(stats->delay.max, stats->total.max);
	assert_int_equal(stats->delay.min, stats->total.min);
	assert_int_equal(stats->due.count, 10000);
	assert_int_equal(stats->due.first_ns, ORIGIN_NS);
	assert_int_equal(stats->due.last_ns, ORIGIN_NS + 10 * NS_PER_SEC - NS_PER_MS);
	stats_deinit(&worker.stats);
}

/* with_samples has WORKER remember its requests, as -g does. */
static void
with_samples(enum cell_end end)
{
	set_up(ARRIVALS_CONSTANT, steady(1000), 0, 1);
	worker.base = event_base_new();
	worker.end = end;
	worker.samples = calloc(1, sizeof(*worker.samples));
	worker.samples_room = 1;
	worker.samples_len = 0;
	assert_true(worker.base != NULL && worker.samples != NULL);
}

static void
without_samples(void)
{
	event_base_free(worker.base);
	free(worker.samples);
	worker.base = NULL;
	worker.samples = NULL;
	worker.end = CELL_DONE;
	stats_deinit(&worker.stats);
}

static void
test_each_has_a_row_with_its_age(void **state)
{
	(void)state;
	with_samples(CELL_DONE);
	end_after(10, 2);
	assert_int_equal(worker.samples_len, 8000);
	for (uint64_t i = 0; i < worker.samples_len; i++) {
		const struct sample *sample = &worker.samples[i];

		assert_int_equal(sample->start_ns, ORIGIN_NS + i * NS_PER_MS);
		assert_int_equal(sample->connect_ns, 0);
		assert_int_equal(sample->total_ns, 10 * NS_PER_SEC - i * NS_PER_MS);
		assert_int_equal(sample->waiting_ns, sample->total_ns);
	}
	without_samples();
}

/* Not those of an interrupted run either: its figures count. */
static void
test_rows_without_memory_are_not_left_out_in_silence(void **state)
{
	(void)state;
	for (enum cell_end end = CELL_DONE; end <= CELL_INTERRUPTED; end++) {
		with_samples(end);
		out_of_memory = true;
		end_after(10, 2);
		out_of_memory = false;
		assert_int_equal(worker.end, CELL_RESOURCES);
		assert_int_equal(worker.error, ENOMEM);
		assert_int_equal(worker.samples_len, 1);
		without_samples();
	}
}

/* within tells whether MEASURED is EXPECTED to within 1 part in 1000. */
static bool
within(uint64_t measured, uint64_t expected)
{
	return fabs((double)measured - (double)expected) < (double)expected / 1000;
}

/* One by one they would take an hour. */
static void
test_a_day_of_them_is_counted_exactly_and_soon(void **state)
{
	const struct stats *stats = &worker.stats;
	const uint64_t threads = 3, missed = DAY_S * RATE_MAX / threads;

	(void)state;
	for (uint32_t index = 0; index < threads; index++) {
		set_up(ARRIVALS_CONSTANT, steady(RATE_MAX), index, (uint32_t)threads);
		end_after(DAY_S, DAY_S / 4);
		assert_int_equal(stats->missed, missed);
		assert_int_equal(stats->due.count, missed);
		assert_int_equal(stats->queued, missed);
		assert_int_equal(stats->overdue, missed / 4 * 3);
		assert_int_equal(stats->total.count, missed / 4 * 3);
		assert_true(within(stats->due.last_ns, ORIGIN_NS + DAY_S * NS_PER_SEC));
		assert_true(within(histogram_percentile(&stats->total, 50), DAY_S * NS_PER_SEC / 8 * 5));
		assert_true(within((uint64_t)histogram_mean(&stats->total), DAY_S * NS_PER_SEC / 8 * 5));
		stats_deinit(&worker.stats);
	}
}

static void
test_what_was_due_in_the_warm_up_is_not_counted(void **state)
{
	const struct stats *stats = &worker.stats;

	(void)state;
	set_up(ARRIVALS_CONSTANT, steady(RATE_MAX), 0, 1);
	worker.stats.begin_ns = ORIGIN_NS + DAY_S / 2 * NS_PER_SEC;
	end_after(DAY_S, 2 * DAY_S);
	assert_int_equal(stats->missed, DAY_S / 2 * RATE_MAX);
	assert_int_equal(stats->overdue, 0);
	assert_int_equal(stats->total.count, 0);
	assert_int_equal(stats->due.first_ns, worker.stats.begin_ns);
	stats_deinit(&worker.stats);
}

static void
test_no_more_are_missed_than_were_asked_for(void **state)
{
	const uint64_t asked = 1234567890;

	(void)state;
	set_up(ARRIVALS_CONSTANT, steady(RATE_MAX), 0, 1);
	worker.left = asked;
	end_after(DAY_S, 0);
	assert_int_equal(worker.left, 0);
	assert_int_equal(worker.stats.missed, asked);
	assert_int_equal(worker.stats.total.count, asked);
	assert_int_equal(worker.stats.due.last_ns, ORIGIN_NS + (asked - 1) * (NS_PER_SEC / RATE_MAX));
	stats_deinit(&worker.stats);
}

static void
test_along_a_ramp(void **state)
{
	const struct ramp up = {.to = (double)RATE_MAX, .duration_ns = DAY_S * NS_PER_SEC};

	(void)state;
	set_up(ARRIVALS_CONSTANT, up, 0, 1);
	end_after(DAY_S, 0);
	assert_int_equal(worker.stats.missed, DAY_S * RATE_MAX / 2);
	stats_deinit(&worker.stats);
}

static void
test_random_arrivals_by_what_they_come_to_on_average(void **state)
{
	(void)state;
	set_up(ARRIVALS_POISSON, steady(RATE_MAX), 0, 1);
	end_after(DAY_S, 0);
	assert_true(within(worker.stats.missed, DAY_S * RATE_MAX));
	assert_int_equal(worker.stats.total.count, worker.stats.missed);
	stats_deinit(&worker.stats);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_has_its_age),
	    cmocka_unit_test(test_each_has_a_row_with_its_age),
	    cmocka_unit_test(test_rows_without_memory_are_not_left_out_in_silence),
	    cmocka_unit_test(test_a_day_of_them_is_counted_exactly_and_soon),
	    cmocka_unit_test(test_what_was_due_in_the_warm_up_is_not_counted),
	    cmocka_unit_test(test_no_more_are_missed_than_were_asked_for),
	    cmocka_unit_test(test_along_a_ramp),
	    cmocka_unit_test(test_random_arrivals_by_what_they_come_to_on_average),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
