/* Unit tests of loadgen/fit: it lets exponential gaps pass, and no others. */
#include "loadgen/fit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

/* An even number between 0 and 1, of a generator of our own: every run of the test sees the same. */
static double
even(uint64_t *random)
{
	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return ((double)(*random >> 11) + 0.5) * 0x1p-53;
}

static double
exponential(uint64_t *random)
{
	return -log(even(random));
}

static void
test_true_gaps_pass_but_once_in_a_thousand(void **state)
{
	static const size_t lens[] = {1, 2, 10, 100, 1000};
	uint64_t random = 88172645463325252ULL;

	(void)state;
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		unsigned exceeded = 0;

		for (int run = 0; run < 2000; run++) {
			struct fit fit = {0};

			for (size_t k = 0; k < lens[i]; k++)
				fit_record(&fit, exponential(&random));
			assert_int_equal(fit.count, lens[i]);
			exceeded += fit_distance(&fit) > fit_limit(fit.count);
		}
		assert_in_range(exceeded, 0, 8); /* 2 are expected */
	}
}

static bool
passes(double (*gap)(uint64_t *random), size_t len)
{
	struct fit fit = {0};
	uint64_t random = 12345;

	for (size_t i = 0; i < len; i++)
		fit_record(&fit, gap(&random));
	return fit_distance(&fit) <= fit_limit(fit.count);
}

static double
constant(uint64_t *random)
{
	(void)random;
	return 1;
}

static double
two_even(uint64_t *random)
{
	return 2 * even(random);
}

static double
five_percent_long(uint64_t *random)
{
	return 1.05 * exponential(random);
}

/* Timers of a whole tick: gaps are multiples of a fifth of the mean. */
static double
ticking(uint64_t *random)
{
	return floor(exponential(random) * 5) / 5;
}

/* A generator that sends in pairs, at the right rate. */
static double
in_pairs(uint64_t *random)
{
	double gap = exponential(random);

	return even(random) < 0.5 ? 0 : 2 * gap;
}

static void
test_other_gaps_do_not(void **state)
{
	(void)state;
	assert_true(passes(exponential, 5000));
	assert_false(passes(constant, 20));
	assert_false(passes(two_even, 500));
	assert_false(passes(five_percent_long, 20000));
	assert_false(passes(ticking, 1000));
	assert_false(passes(in_pairs, 100));
}

static void
test_the_distance_is_that_of_the_worst_edge(void **state)
{
	struct fit fit = {0};

	(void)state;
	assert_true(fit_distance(&fit) == 0);
	assert_true(fit_limit(0) == 1);
	fit_record(&fit, 0);
	assert_int_equal(fit.bins[0], 1);
	assert_true(fabs(fit_distance(&fit) - 63.0 / 64) < 1e-12);
	fit_record(&fit, 1e9);
	fit_record(&fit, INFINITY);
	assert_int_equal(fit.bins[FIT_BINS - 1], 2);
	/* 1/3 against 1/64 at the first edge, and against 63/64 at the last. */
	assert_true(fabs(fit_distance(&fit) - (63.0 / 64 - 1.0 / 3)) < 1e-12);
}

static void
test_the_limit_shrinks_with_the_root_of_the_count(void **state)
{
	(void)state;
	/* 1.9495 / sqrt(n): Kolmogorov's 99.9% quantile. */
	assert_true(fabs(fit_limit(1000000) * 1000 - 1.9495) < 0.001);
	assert_true(fit_limit(10) < 0.65 && fit_limit(10) > 0.55); /* tables: 0.580 for one in 1000 */
	for (uint64_t count = 1; count < 100000; count = count * 3 / 2 + 1)
		assert_true(fit_limit(count + 1) <= fit_limit(count) && fit_limit(count) <= 1);
}

static void
test_merging_equals_recording_into_one(void **state)
{
	struct fit parts[2] = {{0}, {0}}, whole = {0}, merged = {0};
	uint64_t random = 42;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		double gap = exponential(&random);

		fit_record(&whole, gap);
		fit_record(&parts[i % 3 == 0], gap);
	}
	fit_merge(&merged, &parts[0]);
	fit_merge(&merged, &parts[1]);
	assert_memory_equal(&merged, &whole, sizeof(whole));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_true_gaps_pass_but_once_in_a_thousand),
	    cmocka_unit_test(test_other_gaps_do_not),
	    cmocka_unit_test(test_the_distance_is_that_of_the_worst_edge),
	    cmocka_unit_test(test_the_limit_shrinks_with_the_root_of_the_count),
	    cmocka_unit_test(test_merging_equals_recording_into_one),
	};

	return cmocka_run_group_tests_name("loadgen/fit", tests, NULL, NULL);
}
