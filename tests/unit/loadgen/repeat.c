/* Unit tests of loadgen/repeat: the order of cells, and what repetitions come to. */
#include "loadgen/repeat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

static void
assert_near(double value, double expected, double most)
{
	if (!(fabs(value - expected) <= most))
		fail_msg("%.9g is not %.9g", value, expected);
}

static void
test_every_order_comes_about_equally_often(void **state)
{
	unsigned counts[3][3][3] = {0};
	size_t order[3];

	(void)state;
	for (uint64_t i = 0; i < 6000; i++) {
		repeat_shuffle(order, 3, 1, i);
		counts[order[0]][order[1]][order[2]]++;
	}
	for (size_t a = 0; a < 3; a++)
		for (size_t b = 0; b < 3; b++)
			if (a != b)
				assert_in_range(counts[a][b][3 - a - b], 850, 1150); /* 1000, and 5 deviations */
}

static void
test_the_seed_and_the_repetition_decide_about_the_order(void **state)
{
	size_t one[50], same[50], other[50];
	bool seen[50] = {false};

	(void)state;
	repeat_shuffle(one, 50, 7, 0);
	repeat_shuffle(same, 50, 7, 0);
	assert_memory_equal(one, same, sizeof(one));
	repeat_shuffle(other, 50, 7, 1);
	assert_memory_not_equal(one, other, sizeof(one));
	repeat_shuffle(other, 50, 8, 0);
	assert_memory_not_equal(one, other, sizeof(one));
	for (size_t i = 0; i < 50; i++) {
		assert_true(one[i] < 50 && !seen[one[i]]);
		seen[one[i]] = true;
	}
	repeat_shuffle(one, 1, 7, 0);
	assert_int_equal(one[0], 0);
	repeat_shuffle(one, 0, 7, 0);
}

static void
test_figures_of_a_repetition(void **state)
{
	struct summary summary = {.rps = 49.7, .failed = 2, .total = {.count = 3, .mean = 1.5e6}};
	struct repeat repeat;

	(void)state;
	summary.percentiles[50] = 1000000;
	summary.percentiles[99] = 9000000;
	repeat = repeat_figures(&summary);
	assert_near(repeat.rps, 49.7, 1e-9);
	assert_near(repeat.mean_ns, 1.5e6, 1e-9);
	assert_near(repeat.p50_ns, 1e6, 1e-9);
	assert_near(repeat.p99_ns, 9e6, 1e-9);
	assert_int_equal(repeat.failed, 2);
	assert_true(repeat.measured);
	summary.total.count = 0;
	repeat = repeat_figures(&summary);
	assert_true(repeat.measured && isnan(repeat.mean_ns) && isnan(repeat.p50_ns) && isnan(repeat.p99_ns));
}

/* It counts for the rate, which was 0, and has no times that could count. */
static void
test_a_repetition_without_an_answer_has_no_times(void **state)
{
	const double none = (double)NAN;
	struct repeat a[] = {{.rps = 3, .mean_ns = 4, .p50_ns = 4, .p99_ns = 4, .measured = true},
	    {.mean_ns = none, .p50_ns = none, .p99_ns = none, .measured = true},
	    {.rps = 3, .mean_ns = 6, .p50_ns = 6, .p99_ns = 6, .measured = true}};
	struct row row = {.repeats = a, .measured = true};

	(void)state;
	repeat_judge(&row, NULL, 3);
	assert_near((row.rps.low + row.rps.high) / 2, 2, 1e-9);
	assert_near((row.mean.low + row.mean.high) / 2, 5, 1e-9);
	assert_near((row.p50.low + row.p50.high) / 2, 5, 1e-9);
	assert_near((row.p99.low + row.p99.high) / 2, 5, 1e-9);
	a[0] = a[2] = a[1];
	row = (struct row){.repeats = a, .measured = true};
	repeat_judge(&row, NULL, 3);
	assert_true(row.rps.known);
	assert_false(row.mean.known || row.p50.known || row.p99.known);
}

static void
test_ratios_are_taken_within_a_repetition(void **state)
{
	/* The machine got twice as fast, and then as slow as at first: the ratio was 2 all the time. */
	struct repeat a[] = {
	    {.rps = 100, .measured = true}, {.rps = 200, .measured = true}, {.rps = 100, .measured = true}};
	struct repeat b[] = {
	    {.rps = 200, .measured = true}, {.rps = 400, .measured = true}, {.rps = 200, .measured = true}};
	struct row base = {.repeats = a, .measured = true}, row = {.repeats = b, .measured = true};

	(void)state;
	repeat_judge(&base, NULL, 3);
	repeat_judge(&row, &base, 3);
	assert_true(base.rps.known);
	/* Mean 133.333, deviation 57.735, t(2) 4.3026527. */
	assert_near(base.rps.low, 133.3333333 - 143.4217552, 1e-5);
	assert_near(base.rps.high, 133.3333333 + 143.4217552, 1e-5);
	assert_near(base.ratio, 0, 0);
	assert_near(row.ratio, 2, 1e-12);
	assert_true(row.ratio_interval.known);
	assert_near(row.ratio_interval.low, 2, 1e-9);
	assert_near(row.ratio_interval.high, 2, 1e-9);
}

static void
test_a_repetition_that_was_not_measured_counts_nowhere(void **state)
{
	struct repeat a[] = {{.rps = 100, .measured = true}, {.rps = 100, .measured = true}, {.measured = false}};
	struct repeat b[] = {{.rps = 300, .p99_ns = 5, .measured = true}, {.measured = false},
	    {.rps = 300, .p99_ns = 7, .measured = true}};
	struct row base = {.repeats = a, .measured = true}, row = {.repeats = b, .measured = true};

	(void)state;
	repeat_judge(&row, &base, 3);
	assert_near(row.ratio, 3, 1e-12); /* of the first */
	assert_false(row.ratio_interval.known);
	assert_true(row.p99.known);
	assert_near((row.p99.low + row.p99.high) / 2, 6, 1e-9);
	a[0].measured = false;
	row = (struct row){.repeats = b, .measured = true};
	repeat_judge(&row, &base, 3);
	assert_near(row.ratio, 0, 0);
}

static void
test_one_measurement_has_no_interval(void **state)
{
	struct repeat a = {.rps = 100, .measured = true}, b = {.rps = 50, .measured = true}, none = {0};
	struct row base = {.repeats = &a, .measured = true}, row = {.repeats = &b, .measured = true};

	(void)state;
	repeat_judge(&row, &base, 1);
	assert_near(row.ratio, 0.5, 1e-12);
	assert_false(row.ratio_interval.known);
	assert_false(row.rps.known || row.mean.known || row.p50.known || row.p99.known);
	row = (struct row){.repeats = &none};
	repeat_judge(&row, &base, 1);
	assert_near(row.ratio, 0, 0);
	assert_false(row.rps.known);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_order_comes_about_equally_often),
	    cmocka_unit_test(test_the_seed_and_the_repetition_decide_about_the_order),
	    cmocka_unit_test(test_figures_of_a_repetition),
	    cmocka_unit_test(test_a_repetition_without_an_answer_has_no_times),
	    cmocka_unit_test(test_ratios_are_taken_within_a_repetition),
	    cmocka_unit_test(test_a_repetition_that_was_not_measured_counts_nowhere),
	    cmocka_unit_test(test_one_measurement_has_no_interval),
	};

	return cmocka_run_group_tests_name("loadgen/repeat", tests, NULL, NULL);
}
