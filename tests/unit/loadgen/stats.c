/* Unit tests of loadgen/stats and loadgen/summary: what is counted, merged, and made of it. */
#include "loadgen/stats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "common/clock.h"
#include "loadgen/summary.h"

static struct timing
timing(uint64_t start, uint64_t connected, uint64_t sent, uint64_t first, uint64_t end)
{
	return (struct timing){start, start, connected, connected, sent, first, end};
}

static void
test_times_are_the_differences_of_instants(void **state)
{
	struct stats stats;
	struct timing one = timing(1000, 1100, 1110, 1500, 1600);
	struct timing early = timing(2000, 2000, 2900, 2500, 3000); /* answered before the last bytes had left */

	(void)state;
	assert_int_equal(stats_init(&stats), 0);
	stats_record(&stats, &one, FAILURE_NONE);
	assert_int_equal(stats.connect.max, 100);
	assert_int_equal(stats.processing.max, 500);
	assert_int_equal(stats.waiting.max, 390);
	assert_int_equal(stats.total.max, 600);
	stats_record(&stats, &early, FAILURE_NONE);
	assert_int_equal(stats.connect.min, 0);
	assert_int_equal(stats.waiting.min, 0);
	assert_int_equal(stats.total.max, 1000);
	assert_int_equal(stats.complete, 2);
	assert_int_equal(stats_failed(&stats), 0);
	stats_deinit(&stats);
}

static void
test_a_failed_request_is_complete_and_has_its_age(void **state)
{
	struct stats stats;
	struct timing late = timing(0, 10, 20, 30 * NS_PER_SEC, 30 * NS_PER_SEC);

	(void)state;
	assert_int_equal(stats_init(&stats), 0);
	for (unsigned i = 0; i < FAILURE_CLASSES; i++) {
		stats_record(&stats, &late, (enum failure)i);
		assert_int_equal(stats.failures[i], 1);
	}
	assert_int_equal(stats.complete, FAILURE_CLASSES);
	assert_int_equal(stats_failed(&stats), FAILURE_CLASSES);
	assert_int_equal(stats.total.min, 30 * NS_PER_SEC);
	stats_deinit(&stats);
}

static void
test_the_time_under_way_counts_from_the_end_of_the_warm_up(void **state)
{
	struct stats stats;
	struct timing across = timing(900, 910, 920, 1500, 1600), behind = timing(2000, 2000, 2000, 2500, 3000);

	(void)state;
	assert_int_equal(stats_init(&stats), 0);
	stats.begin_ns = 1000;
	stats_record(&stats, &across, FAILURE_NONE);
	assert_int_equal(stats.under_way_ns, 600);
	stats_record(&stats, &behind, FAILURE_NONE);
	stats_record_under_way(&stats, 950, 1050);
	assert_int_equal(stats.under_way_ns, 600 + 1000 + 50);
	assert_int_equal(stats.total.max, 1000);
	stats_deinit(&stats);
}

static void
test_merging_adds_up(void **state)
{
	struct stats a, b, whole;
	struct timing one = timing(0, 1, 2, 3, 4), two = timing(5, 6, 7, 8, 105);

	(void)state;
	assert_int_equal(stats_init(&a), 0);
	assert_int_equal(stats_init(&b), 0);
	assert_int_equal(stats_init(&whole), 0);
	stats_record(&a, &one, FAILURE_LENGTH);
	stats_record(&b, &two, FAILURE_NONE);
	a.begin_ns = 20;
	b.begin_ns = 10;
	a.end_ns = 30;
	b.end_ns = 25;
	a.bytes_received = 3;
	b.bytes_received = 4;
	b.unfinished = 2;
	a.errors = 2;
	b.errors = 3;
	a.paused_ns = 9;
	b.paused_ns = 8;
	b.server[0] = 'b';
	assert_int_equal(stats_merge(&whole, &a), 0);
	assert_int_equal(stats_merge(&whole, &b), 0);
	assert_int_equal(whole.complete, 2);
	assert_int_equal(whole.failures[FAILURE_LENGTH], 1);
	assert_int_equal(whole.begin_ns, 10);
	assert_int_equal(whole.errors, 5);
	assert_int_equal(whole.paused_ns, 9);
	assert_int_equal(whole.end_ns, 30);
	assert_int_equal(whole.bytes_received, 7);
	assert_int_equal(whole.unfinished, 2);
	assert_string_equal(whole.server, "b");
	assert_int_equal(whole.total.count, 2);
	assert_int_equal(whole.total.max, 100);
	stats_deinit(&a);
	stats_deinit(&b);
	stats_deinit(&whole);
}

static void
test_departures_of_threads_lie_side_by_side(void **state)
{
	struct stats into, threads[3];

	(void)state;
	assert_int_equal(stats_init(&into), 0);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(stats_init(&threads[i]), 0);
	stats_depart(&threads[0].left, 100); /* the second has none */
	stats_depart(&threads[0].left, 300);
	stats_depart(&threads[2].left, 50);
	stats_depart(&threads[2].due, 40);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(stats_merge(&into, &threads[i]), 0);
	assert_int_equal(into.left.count, 3);
	assert_int_equal(into.left.first_ns, 50);
	assert_int_equal(into.left.last_ns, 300);
	assert_int_equal(into.due.count, 1);
	assert_int_equal(into.due.first_ns, 40);
	assert_int_equal(into.due.last_ns, 40);
	stats_reset(&threads[0]);
	assert_int_equal(threads[0].left.count, 0);
	stats_deinit(&into);
	for (size_t i = 0; i < 3; i++)
		stats_deinit(&threads[i]);
}

static void
test_rates_are_those_of_the_gaps(void **state)
{
	struct config config = {.requests = 100, .pipeline = 1, .threads = 1};
	struct cell cell = {.config = &config, .concurrency = 5, .open_loop = true};
	struct result result = {
	    .duration_ns = 9 * NS_PER_SEC, /* the last answer took long */
	    .due = {.gaps = 99, .span_ns = 99 * NS_PER_SEC / 100},
	    .left = {.gaps = 99, .span_ns = 99 * NS_PER_SEC / 50},
	    .document_len = 16,
	};
	struct summary summary;

	(void)state;
	assert_int_equal(stats_init(&result.stats), 0);
	result.stats.complete = 100;
	summary_make(&summary, &cell, &result);
	assert_true(fabs(summary.rps_due - 100) < 1e-9);
	assert_true(fabs(summary.rps_started - 50) < 1e-9);
	stats_deinit(&result.stats);
}

/* However fast a few went at first: they are set against the time in which all were due. */
static void
test_what_was_never_sent_lowers_the_rate_that_was(void **state)
{
	struct config config = {.requests = CONFIG_UNLIMITED, .pipeline = 1, .threads = 1};
	struct cell cell = {.config = &config, .concurrency = 5, .open_loop = true, .ramp = {.from = 500, .to = 500}};
	struct result result = {
	    .duration_ns = 4 * NS_PER_SEC,
	    .due = {.gaps = 1999, .span_ns = 1999 * NS_PER_SEC / 500},
	    .left = {.gaps = 99, .span_ns = 99 * NS_PER_SEC / 500},
	};
	struct summary summary;

	(void)state;
	assert_int_equal(stats_init(&result.stats), 0);
	result.stats.unfinished = 100;
	result.stats.missed = 1900;
	summary_make(&summary, &cell, &result);
	assert_true(fabs(summary.rps_due - 500) < 1e-9);
	assert_true(fabs(summary.rps_started - 25) < 1e-9);
	assert_true(fabs(summary.checks[CHECK_RATE].measured - summary.rps_started / summary.rps_due) < 1e-9);
	result.stats.unfinished = 0;
	result.stats.missed = 2000;
	summary_make(&summary, &cell, &result);
	assert_true(summary.rps_started == 0);
	result.stats.complete = 2000; /* all left, the last a millisecond early: nothing left faster than it was due */
	result.stats.missed = 0;
	result.left = (struct pace){.gaps = 1999, .span_ns = result.due.span_ns - NS_PER_MS};
	summary_make(&summary, &cell, &result);
	assert_true(summary.rps_started == summary.rps_due);
	stats_deinit(&result.stats);
}

static void
test_a_summary_has_abs_formulas(void **state)
{
	struct config config = {.requests = 100, .pipeline = 1};
	struct cell cell = {.config = &config, .concurrency = 5};
	struct result result = {.duration_ns = 2 * NS_PER_SEC, .document_len = 16};
	struct summary summary;

	(void)state;
	assert_int_equal(stats_init(&result.stats), 0);
	for (uint64_t i = 1; i <= 100; i++) {
		struct timing each = timing(0, 0, 0, i * NS_PER_MS, i * NS_PER_MS);

		stats_record(&result.stats, &each, FAILURE_NONE);
	}
	summary_make(&summary, &cell, &result);
	assert_true(summary.rps == 50);
	assert_true(summary.time_per_request_ms == 100);
	assert_true(summary.time_per_request_all_ms == 20);
	assert_true(summary.rps_due == 0 && summary.rps_started == 0);
	assert_int_equal(summary.percentiles[0], NS_PER_MS);
	assert_int_equal(summary.percentiles[100], 100 * NS_PER_MS);
	for (unsigned i = 1; i < 100; i++)
		assert_true(fabs((double)summary.percentiles[i] - i * 1e6) <= i * 1e6 / 1000);
	assert_true(fabs((double)summary.total.median - 50.5e6) < 50.5e3);
	assert_true(fabs(summary.total.mean - 50.5e6) < 1);
	assert_true(fabs(summary.total.sd - 29.011491975882e6) < 1);
	stats_deinit(&result.stats);
}

static void
test_a_summary_of_nothing_has_no_times(void **state)
{
	const struct config config = {.requests = 100};
	struct cell cell = {.config = &config, .concurrency = 5};
	struct result result = {.document_len = -1};
	struct summary summary;

	(void)state;
	assert_int_equal(stats_init(&result.stats), 0);
	summary_make(&summary, &cell, &result);
	assert_true(summary.rps == 0);
	assert_true(isnan(summary.time_per_request_ms) && isnan(summary.time_per_request_all_ms));
	assert_int_equal(summary.total.count, 0);
	assert_true(isnan(summary_known(&summary.total, summary.total.mean)));
	stats_deinit(&result.stats);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_times_are_the_differences_of_instants),
	    cmocka_unit_test(test_a_failed_request_is_complete_and_has_its_age),
	    cmocka_unit_test(test_the_time_under_way_counts_from_the_end_of_the_warm_up),
	    cmocka_unit_test(test_merging_adds_up),
	    cmocka_unit_test(test_departures_of_threads_lie_side_by_side),
	    cmocka_unit_test(test_rates_are_those_of_the_gaps),
	    cmocka_unit_test(test_what_was_never_sent_lowers_the_rate_that_was),
	    cmocka_unit_test(test_a_summary_has_abs_formulas),
	    cmocka_unit_test(test_a_summary_of_nothing_has_no_times),
	};

	return cmocka_run_group_tests_name("loadgen/stats", tests, NULL, NULL);
}
