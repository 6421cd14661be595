/* Unit tests of loadgen/interval: ranks against sums of exact fractions, t against printed tables. */
#include "loadgen/interval.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

static void
assert_near(double value, double expected, double most)
{
	if (!(fabs(value - expected) <= most))
		fail_msg("%.9g is not %.9g", value, expected);
}

/* interval_of_ranks is the interval of PERCENT of COUNT values 0, 1, 2, ..., so that a value is its rank less one. */
static struct interval
interval_of_ranks(uint64_t count, double percent)
{
	struct histogram histogram;
	struct interval interval;

	assert_int_equal(histogram_init(&histogram), 0);
	for (uint64_t i = 0; i < count; i++)
		histogram_record(&histogram, i);
	interval = interval_of_percentile(&histogram, percent);
	histogram_deinit(&histogram);
	return interval;
}

static void
test_order_statistics_of_a_percentile(void **state)
{
	/* Computed with Python's fractions from P(B <= k), B binomial. */
	static const struct {
		uint64_t count;
		double percent;
		double low, high; /* ranks */
	} known[] = {
	    {6, 50, 1, 6},
	    {10, 50, 2, 9},
	    {100, 50, 40, 61},
	    {1000, 50, 469, 532},
	    {36, 90, 29, 36},
	    {36, 10, 1, 8},
	    {1000, 90, 881, 919},
	    {368, 99, 360, 368},
	    {500, 99, 490, 500},
	    {1000, 99, 983, 997},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		struct interval interval = interval_of_ranks(known[i].count, known[i].percent);

		assert_true(interval.known);
		assert_near(interval.low + 1, known[i].low, 0.1);
		assert_near(interval.high + 1, known[i].high, 0.1);
	}
}

static void
test_p99_9_of_thousands(void **state)
{
	struct interval interval = interval_of_ranks(3688, 99.9);

	(void)state;
	assert_true(interval.known);
	assert_near(interval.low + 1, 3680, 2); /* the histogram's step there is 2 */
	assert_near(interval.high + 1, 3688, 0.1);
}

static void
test_a_million_values(void **state)
{
	struct histogram histogram;
	struct interval interval;

	(void)state;
	assert_int_equal(histogram_init(&histogram), 0);
	for (uint64_t i = 0; i < 1000000; i++)
		histogram_record(&histogram, i / 500);
	/* The normal approximation: ranks 499020 and 500981. */
	interval = interval_of_percentile(&histogram, 50);
	assert_near(interval.low, 499019 / 500, 0.1);
	assert_near(interval.high, 500980 / 500, 0.1);
	histogram_deinit(&histogram);
}

static void
test_too_few_values_for_a_percentile(void **state)
{
	static const struct {
		double percent;
		uint64_t samples;
	} wanted[] = {{50, 6}, {10, 36}, {90, 36}, {99, 368}, {99.9, 3688}};

	(void)state;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		assert_int_equal(interval_samples(wanted[i].percent), wanted[i].samples);
		assert_false(interval_of_ranks(wanted[i].samples - 1, wanted[i].percent).known);
		assert_true(interval_of_ranks(wanted[i].samples, wanted[i].percent).known);
	}
	assert_false(interval_of_ranks(0, 50).known);
	assert_false(interval_of_ranks(1000, 0).known);
	assert_false(interval_of_ranks(1000, 100).known);
}

static void
test_mean_of_repetitions(void **state)
{
	static const double values[] = {9, 10, 11, 10, 10};
	struct interval interval = interval_of_mean(values, 5);

	/* Mean 10, deviation sqrt(0.5), t(4) 2.7764451: 10 +- 0.8779890. */
	(void)state;
	assert_true(interval.known);
	assert_near(interval.low, 9.1220110, 1e-6);
	assert_near(interval.high, 10.8779890, 1e-6);
	assert_false(interval_of_mean(values, 1).known);
	assert_false(interval_of_mean(NULL, 0).known);
}

static void
test_quantiles_of_student(void **state)
{
	static const struct {
		size_t freedom;
		double t;
	} known[] = {{1, 12.7062}, {2, 4.30265}, {5, 2.57058}, {9, 2.26216}, {10, 2.22814}, {20, 2.08596},
	    {30, 2.04227}, {100, 1.98397}, {999, 1.96234}};
	double values[1000];

	/* Half the values +1 and half -1: mean and deviation are known, so that the width gives t. */
	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		double n = (double)(known[i].freedom + 1), mean = 0, squares = 0;
		struct interval interval;

		for (size_t j = 0; j <= known[i].freedom; j++)
			mean += (values[j] = j % 2 == 0 ? 1 : -1);
		mean /= n;
		for (size_t j = 0; j <= known[i].freedom; j++)
			squares += (values[j] - mean) * (values[j] - mean);
		interval = interval_of_mean(values, known[i].freedom + 1);
		assert_near((interval.low + interval.high) / 2, mean, 1e-12);
		assert_near((interval.high - interval.low) / 2 / sqrt(squares / (n - 1) / n), known[i].t, 1e-5);
	}
}

static void
test_ratio_of_repetitions(void **state)
{
	static const double ratios[] = {2, 2, 2}, spread[] = {1, 4}, zero[] = {2, 0, 2}, unknown[] = {2, (double)NAN};
	struct interval interval = interval_of_ratio(ratios, 3);

	(void)state;
	assert_true(interval.known);
	assert_near(interval.low, 2, 1e-12);
	assert_near(interval.high, 2, 1e-12);
	/* Logs 0 and 1.386294: their mean is ln 2, the half width 12.7062047 * ln 4 / 2. */
	interval = interval_of_ratio(spread, 2);
	assert_near(sqrt(interval.low * interval.high), 2, 1e-9);
	assert_near(log(interval.high / 2), 12.7062047 * log(4) / 2, 1e-6);
	assert_false(interval_of_ratio(ratios, 1).known);
	assert_false(interval_of_ratio(zero, 3).known);
	assert_false(interval_of_ratio(unknown, 2).known);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_order_statistics_of_a_percentile),
	    cmocka_unit_test(test_p99_9_of_thousands),
	    cmocka_unit_test(test_a_million_values),
	    cmocka_unit_test(test_too_few_values_for_a_percentile),
	    cmocka_unit_test(test_mean_of_repetitions),
	    cmocka_unit_test(test_quantiles_of_student),
	    cmocka_unit_test(test_ratio_of_repetitions),
	};

	return cmocka_run_group_tests_name("loadgen/interval", tests, NULL, NULL);
}
