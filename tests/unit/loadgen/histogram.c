/* Unit tests of loadgen/histogram: against exact sorting of the same values. */
#include "loadgen/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

static int
compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

/* A generator of our own, so that every run of the test sees the same values. */
static uint64_t
next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static bool
close_to(uint64_t value, uint64_t exact)
{
	uint64_t apart = value > exact ? value - exact : exact - value;

	return apart <= exact / 1000 || apart <= 1000; /* 0.1% or a microsecond */
}

static void
assert_like_sorting(uint64_t *values, size_t len)
{
	struct histogram histogram;
	long double sum = 0, squares = 0, mean;

	assert_int_equal(histogram_init(&histogram), 0);
	for (size_t i = 0; i < len; i++) {
		histogram_record(&histogram, values[i]);
		sum += (long double)values[i];
	}
	mean = sum / (long double)len;
	for (size_t i = 0; i < len; i++)
		squares += ((long double)values[i] - mean) * ((long double)values[i] - mean);
	qsort(values, len, sizeof(*values), compare);
	assert_int_equal(histogram.min, values[0]);
	assert_int_equal(histogram.max, values[len - 1]);
	assert_true(fabsl((long double)histogram_mean(&histogram) - mean) <= mean * 1e-12L);
	if (len > 1) {
		long double sd = sqrtl(squares / (long double)(len - 1));

		assert_true(fabsl((long double)histogram_sd(&histogram) - sd) <= sd * 1e-6L + 1e-3L);
	}
	for (unsigned percent = 1; percent <= 100; percent++) {
		size_t rank = (len * percent + 99) / 100; /* the nearest rank */

		assert_true(close_to(histogram_percentile(&histogram, percent), values[rank - 1]));
	}
	for (size_t rank = 1; rank <= len; rank += len / 97 + 1)
		assert_true(close_to(histogram_at(&histogram, rank), values[rank - 1]));
	assert_true(close_to(
	    histogram_median(&histogram), values[(len - 1) / 2] + (values[len / 2] - values[(len - 1) / 2]) / 2));
	histogram_deinit(&histogram);
}

static void
test_percentiles_are_those_of_sorting(void **state)
{
	enum { LEN = 20000 };
	uint64_t *values = calloc(LEN, sizeof(*values));
	uint64_t seed = 88172645463325252ULL;

	(void)state;
	assert_non_null(values);
	for (unsigned bits = 1; bits <= 40; bits += 3) { /* ranges from nanoseconds to a quarter of an hour */
		for (size_t i = 0; i < LEN; i++)
			values[i] = next_random(&seed) >> (64 - bits);
		assert_like_sorting(values, LEN);
	}
	for (size_t i = 0; i < LEN; i++) /* a long tail: each value in an octave drawn by lot */
		values[i] = next_random(&seed) >> (24 + next_random(&seed) % 40);
	assert_like_sorting(values, LEN);
	for (size_t len = 1; len < 40; len++) {
		for (size_t i = 0; i < len; i++)
			values[i] = 100000000 + next_random(&seed) % 2000000;
		assert_like_sorting(values, len);
	}
	free(values);
}

static void
test_every_value_has_a_place(void **state)
{
	(void)state;
	for (unsigned shift = 0; shift < 64; shift++) {
		for (uint64_t around = 0; around <= 2; around++) {
			uint64_t value = ((uint64_t)1 << shift) - 1 + around;
			uint32_t index = histogram_index(value);

			assert_true(index < HISTOGRAM_LEN);
			assert_true(histogram_lowest(index) <= value);
			if (index + 1 < HISTOGRAM_LEN)
				assert_true(histogram_lowest(index + 1) > value);
		}
	}
	assert_int_equal(histogram_index(UINT64_MAX), HISTOGRAM_LEN - 1);
	for (uint32_t index = 0; index < HISTOGRAM_LEN; index++)
		assert_int_equal(histogram_index(histogram_lowest(index)), index);
}

static void
test_an_empty_one_answers_zero(void **state)
{
	struct histogram histogram;

	(void)state;
	assert_int_equal(histogram_init(&histogram), 0);
	assert_int_equal(histogram_percentile(&histogram, 50), 0);
	assert_int_equal(histogram_median(&histogram), 0);
	assert_true(histogram_mean(&histogram) == 0 && histogram_sd(&histogram) == 0);
	histogram_deinit(&histogram);
}

static void
test_the_median_of_an_even_count_lies_between_the_middle_two(void **state)
{
	struct histogram histogram;

	(void)state;
	assert_int_equal(histogram_init(&histogram), 0);
	histogram_record(&histogram, 10);
	assert_int_equal(histogram_median(&histogram), 10);
	histogram_record(&histogram, 20);
	assert_int_equal(histogram_median(&histogram), 15);
	histogram_record(&histogram, 30);
	assert_int_equal(histogram_median(&histogram), 20);
	histogram_record(&histogram, 1000);
	assert_int_equal(histogram_median(&histogram), 25);
	assert_int_equal(histogram_percentile(&histogram, 50), 20);
	assert_int_equal(histogram_percentile(&histogram, 75), 30);
	assert_int_equal(histogram_percentile(&histogram, 75.1), 1000);
	assert_int_equal(histogram_percentile(&histogram, 0), 10);
	histogram_deinit(&histogram);
}

static void
test_recording_many_equals_recording_each(void **state)
{
	struct histogram each, many;

	(void)state;
	assert_int_equal(histogram_init(&each), 0);
	assert_int_equal(histogram_init(&many), 0);
	for (uint64_t value = 3; value < UINT64_MAX / 7; value *= 7) {
		for (uint64_t i = 0; i < value % 5 + 1; i++)
			histogram_record(&each, value);
		histogram_record_many(&many, value, value % 5 + 1);
	}
	assert_int_equal(many.count, each.count);
	assert_int_equal(many.min, each.min);
	assert_int_equal(many.max, each.max);
	assert_true(many.sum == each.sum && many.squares == each.squares);
	assert_memory_equal(many.counts, each.counts, HISTOGRAM_LEN * sizeof(*many.counts));
	histogram_deinit(&each);
	histogram_deinit(&many);
}

static void
test_the_mean_of_more_time_than_64_bits_hold(void **state)
{
	const uint64_t hour = 3600000000000;
	struct histogram histogram;

	(void)state;
	assert_int_equal(histogram_init(&histogram), 0);
	histogram_record_many(&histogram, hour, 10000000); /* 1142 years */
	assert_true(histogram_mean(&histogram) == (double)hour);
	assert_true(histogram_sd(&histogram) < 1e-6 * (double)hour);
	histogram_deinit(&histogram);
}

static void
test_merging_equals_recording_into_one(void **state)
{
	struct histogram parts[3], whole, merged;
	uint64_t seed = 42;

	(void)state;
	assert_int_equal(histogram_init(&whole), 0);
	assert_int_equal(histogram_init(&merged), 0);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(histogram_init(&parts[i]), 0);
	for (int i = 0; i < 5000; i++) {
		uint64_t value = next_random(&seed) >> (20 + next_random(&seed) % 30);

		histogram_record(&whole, value);
		histogram_record(&parts[i % 2], value); /* the third stays empty */
	}
	for (size_t i = 0; i < 3; i++)
		histogram_merge(&merged, &parts[i]);
	assert_int_equal(merged.count, whole.count);
	assert_int_equal(merged.min, whole.min);
	assert_int_equal(merged.max, whole.max);
	assert_true(merged.sum == whole.sum && merged.squares == whole.squares);
	assert_memory_equal(merged.counts, whole.counts, HISTOGRAM_LEN * sizeof(*whole.counts));
	for (size_t i = 0; i < 3; i++)
		histogram_deinit(&parts[i]);
	histogram_deinit(&whole);
	histogram_deinit(&merged);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_percentiles_are_those_of_sorting),
	    cmocka_unit_test(test_every_value_has_a_place),
	    cmocka_unit_test(test_an_empty_one_answers_zero),
	    cmocka_unit_test(test_the_median_of_an_even_count_lies_between_the_middle_two),
	    cmocka_unit_test(test_recording_many_equals_recording_each),
	    cmocka_unit_test(test_the_mean_of_more_time_than_64_bits_hold),
	    cmocka_unit_test(test_merging_equals_recording_into_one),
	};

	return cmocka_run_group_tests_name("loadgen/histogram", tests, NULL, NULL);
}
