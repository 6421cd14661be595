/* Unit tests of loadgen/series: each second's figures against those of sorting, over several threads and after a warm-up. */
#include "loadgen/series.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#define SECOND SERIES_INTERVAL_NS
#define MS 1000000ULL

/* How many more times calloc finds memory; negative: always. */
static int memory_for = -1;

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *
__wrap_calloc(size_t count, size_t size)
{
	if (memory_for == 0)
		return NULL;
	if (memory_for > 0)
		memory_for--;
	return __real_calloc(count, size);
}

static struct series_figures
figures_of(const struct series *series, size_t first, size_t count)
{
	struct series_figures figures;

	series_figures(&series, 1, first, count, &figures);
	return figures;
}

static void
test_seconds_are_apart(void **state)
{
	struct series series;
	struct series_figures figures;

	(void)state;
	assert_int_equal(series_init(&series), 0);
	assert_int_equal(series_len(&series), 0);
	series_begin(&series, 5 * SECOND);
	series_record(&series, 5 * SECOND, MS, 100, false);
	series_record(&series, 6 * SECOND - 1, 3 * MS, 100, true);
	series_record(&series, 6 * SECOND, 2 * MS, 1, false);
	series_record(&series, 9 * SECOND, 4 * MS, 1000, false); /* nothing happened in the third and fourth */
	assert_int_equal(series_len(&series), 5);
	figures = figures_of(&series, 0, 1);
	assert_int_equal(figures.complete, 2);
	assert_int_equal(figures.failed, 1);
	assert_int_equal(figures.bytes_received, 200);
	assert_int_equal(figures.max_ns, 3 * MS);
	assert_int_equal(figures_of(&series, 1, 1).complete, 1);
	figures = figures_of(&series, 2, 2);
	assert_int_equal(figures.complete + figures.failed + figures.p50_ns + figures.p99_ns + figures.max_ns, 0);
	figures = figures_of(&series, 1, SIZE_MAX); /* to the end */
	assert_int_equal(figures.complete, 2);
	assert_int_equal(figures.bytes_received, 1001);
	assert_int_equal(figures.max_ns, 4 * MS);
	assert_int_equal(figures_of(&series, 5, 10).complete, 0);
	series_record(&series, 4 * SECOND, MS, 0, false); /* from before the beginning */
	assert_int_equal(figures_of(&series, 0, 1).complete, 3);
	series_deinit(&series);
}

static void
test_seconds_in_which_nothing_happened_are_seconds(void **state)
{
	struct series series, sum;

	(void)state;
	assert_int_equal(series_init(&series), 0);
	assert_int_equal(series_init(&sum), 0);
	series_begin(&series, 5 * SECOND);
	series_extend(&series, 4 * SECOND); /* before the beginning */
	series_extend(&series, 5 * SECOND);
	assert_int_equal(series_len(&series), 0);
	series_extend(&series, 5 * SECOND + 1);
	assert_int_equal(series_len(&series), 1);
	series_record(&series, 6 * SECOND, MS, 1, false);
	series_extend(&series, 9 * SECOND);
	assert_int_equal(series_len(&series), 4);
	assert_int_equal(figures_of(&series, 2, 2).complete, 0);
	assert_int_equal(figures_of(&series, 0, 4).complete, 1);
	series_extend(&series, 7 * SECOND); /* never shorter */
	assert_int_equal(series_len(&series), 4);
	assert_int_equal(series_merge(&sum, &series), 0);
	assert_int_equal(series_len(&sum), 4);
	series_extend(&series, UINT64_MAX);
	assert_int_equal(series_len(&series), SERIES_MAX);
	series_begin(&series, 0);
	assert_int_equal(series_len(&series), 0);
	series_deinit(&series);
	series_deinit(&sum);
}

static int
compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

static void
assert_close(uint64_t value, uint64_t exact)
{
	assert_in_range(value, exact - exact / 60, exact + exact / 60);
}

static void
test_percentiles_are_those_of_sorting(void **state)
{
	enum { LEN = 5000 };
	uint64_t *times = calloc(LEN, sizeof(*times)), random = 88172645463325252ULL;
	struct series parts[2];
	const struct series *both[2] = {&parts[0], &parts[1]};
	struct series_figures figures;

	(void)state;
	assert_non_null(times);
	for (unsigned bits = 11; bits <= 42; bits++) { /* from 1 us to more than an hour */
		for (size_t i = 0; i < 2; i++)
			assert_int_equal(series_init(&parts[i]), 0);
		for (size_t i = 0; i < LEN; i++) {
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			times[i] = (1ULL << (bits - 1)) + random % (1ULL << bits);
			series_record(&parts[i % 2], i % 7 * SECOND, times[i], 1, false);
		}
		qsort(times, LEN, sizeof(*times), compare);
		series_figures(both, 2, 0, 7, &figures);
		assert_int_equal(figures.complete, LEN);
		assert_close(figures.p50_ns, times[LEN / 2 - 1]);
		assert_close(figures.p90_ns, times[LEN * 9 / 10 - 1]);
		assert_close(figures.p99_ns, times[LEN * 99 / 100 - 1]);
		assert_int_equal(figures.max_ns, times[LEN - 1]);
		for (size_t i = 0; i < 2; i++)
			series_deinit(&parts[i]);
	}
	free(times);
}

static void
test_what_lies_outside_goes_to_the_ends(void **state)
{
	struct series series;
	struct series_figures figures;

	(void)state;
	assert_int_equal(series_init(&series), 0);
	series_record(&series, 0, 0, 0, false);
	series_record(&series, 0, 1023, 0, false);
	figures = figures_of(&series, 0, 1);
	assert_int_equal(figures.complete, 2);
	assert_int_equal(figures.max_ns, 1023);
	assert_int_equal(figures.p99_ns, 1023); /* never above the maximum */
	series_record(&series, SECOND, UINT64_MAX, 0, false);
	series_record(&series, SECOND, 1ULL << 43, 0, false);
	figures = figures_of(&series, 1, 1);
	assert_int_equal(figures.complete, 2);
	assert_true(figures.max_ns == UINT64_MAX);
	assert_in_range(figures.p50_ns, (1ULL << 42), (1ULL << 43));
	series_deinit(&series);
}

static void
test_later_than_a_day_is_the_last_second(void **state)
{
	struct series series;

	(void)state;
	assert_int_equal(series_init(&series), 0);
	series_record(&series, (SERIES_MAX - 1) * SECOND, MS, 0, false);
	series_record(&series, SERIES_MAX * SECOND, MS, 0, false);
	series_record(&series, UINT64_MAX, MS, 0, false);
	assert_int_equal(series_len(&series), SERIES_MAX);
	assert_int_equal(figures_of(&series, SERIES_MAX - 1, 1).complete, 3);
	assert_int_equal(figures_of(&series, 0, SERIES_MAX).complete, 3);
	series_deinit(&series);
}

static void
test_a_new_beginning_forgets_everything(void **state)
{
	struct series series;
	struct series_figures figures;

	(void)state;
	assert_int_equal(series_init(&series), 0);
	series_begin(&series, 0);
	for (uint64_t i = 0; i < 4; i++)
		series_record(&series, i * SECOND, MS, 10, true);
	series_begin(&series, 10 * SECOND);
	assert_int_equal(series_len(&series), 0);
	assert_int_equal(figures_of(&series, 0, 10).complete, 0);
	series_record(&series, 13 * SECOND, 2 * MS, 1, false);
	assert_int_equal(series_len(&series), 4);
	figures = figures_of(&series, 0, 10); /* what the seconds held before is gone */
	assert_int_equal(figures.complete, 1);
	assert_int_equal(figures.failed, 0);
	assert_int_equal(figures.bytes_received, 1);
	assert_int_equal(figures.max_ns, 2 * MS);
	assert_close(figures.p50_ns, 2 * MS);
	series_deinit(&series);
}

static void
test_merging_adds_second_by_second(void **state)
{
	struct series into, from;

	(void)state;
	assert_int_equal(series_init(&into), 0);
	assert_int_equal(series_init(&from), 0);
	series_begin(&into, 100 * SECOND);
	series_begin(&from, 200 * SECOND);
	series_record(&into, 100 * SECOND, 1 * MS, 1, false);
	series_record(&into, 102 * SECOND, 3 * MS, 1, true);
	series_record(&from, 200 * SECOND, 2 * MS, 2, true);
	series_record(&from, 205 * SECOND, 9 * MS, 4, false);
	assert_int_equal(series_merge(&into, &from), 0);
	assert_int_equal(series_len(&into), 6);
	assert_int_equal(figures_of(&into, 0, 1).complete, 2);
	assert_int_equal(figures_of(&into, 0, 1).failed, 1);
	assert_int_equal(figures_of(&into, 0, 1).bytes_received, 3);
	assert_int_equal(figures_of(&into, 0, 1).max_ns, 2 * MS);
	assert_close(figures_of(&into, 0, 1).p50_ns, 1 * MS);
	assert_int_equal(figures_of(&into, 2, 1).complete, 1);
	assert_int_equal(figures_of(&into, 5, 1).max_ns, 9 * MS);
	assert_close(figures_of(&into, 0, 6).p99_ns, 9 * MS);
	series_deinit(&into);
	series_deinit(&from);
}

static void
test_out_of_memory_the_second_before_takes_it(void **state)
{
	struct series series, into;

	(void)state;
	assert_int_equal(series_init(&series), 0);
	assert_int_equal(series_init(&into), 0);
	series_record(&series, 2 * SECOND, MS, 1, false);
	memory_for = 0;
	series_record(&series, 4 * SECOND, 2 * MS, 1, true);
	series_record(&series, SECOND, 3 * MS, 1, false);
	memory_for = -1;
	assert_int_equal(series_len(&series), 3);
	assert_int_equal(figures_of(&series, 0, 1).complete, 1);
	assert_int_equal(figures_of(&series, 0, 1).max_ns, 3 * MS);
	assert_int_equal(figures_of(&series, 2, 1).complete, 2);
	assert_int_equal(figures_of(&series, 2, 1).failed, 1);
	memory_for = 0;
	assert_int_equal(series_merge(&into, &series), -ENOMEM);
	memory_for = -1;
	series_deinit(&series);
	series_deinit(&into);
}

static void
test_no_memory_to_begin_with(void **state)
{
	struct series series;

	(void)state;
	for (memory_for = 0; memory_for < 2;) {
		int before = memory_for;

		assert_int_equal(series_init(&series), -ENOMEM);
		series_deinit(&series);
		memory_for = before + 1;
	}
	assert_int_equal(series_init(&series), 0);
	memory_for = -1;
	series_deinit(&series);
}

static void *
write_series(void *arg)
{
	struct series *series = arg;

	for (uint64_t i = 0; i < 200000; i++) {
		if (i == 50000)
			series_begin(series, 0);
		series_record(series, i * SECOND / 2000, MS, 1, false);
	}
	return NULL;
}

/* For the thread sanitizer above all; and a reader never sees more than there is. */
static void
test_another_thread_may_read_meanwhile(void **state)
{
	struct series series;
	pthread_t thread;
	uint64_t seen = 0;

	(void)state;
	assert_int_equal(series_init(&series), 0);
	assert_int_equal(pthread_create(&thread, NULL, write_series, &series), 0);
	for (int i = 0; i < 1000 || seen == 0; i++) {
		struct series_figures figures = figures_of(&series, 0, SIZE_MAX);

		seen = figures.complete;
		assert_true(seen <= 200000);
		assert_true(seen == 0 || figures.max_ns <= MS);
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(figures_of(&series, 0, SIZE_MAX).complete, 150000);
	series_deinit(&series);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_seconds_are_apart),
	    cmocka_unit_test(test_seconds_in_which_nothing_happened_are_seconds),
	    cmocka_unit_test(test_percentiles_are_those_of_sorting),
	    cmocka_unit_test(test_what_lies_outside_goes_to_the_ends),
	    cmocka_unit_test(test_later_than_a_day_is_the_last_second),
	    cmocka_unit_test(test_a_new_beginning_forgets_everything),
	    cmocka_unit_test(test_merging_adds_second_by_second),
	    cmocka_unit_test(test_out_of_memory_the_second_before_takes_it),
	    cmocka_unit_test(test_no_memory_to_begin_with),
	    cmocka_unit_test(test_another_thread_may_read_meanwhile),
	};

	return cmocka_run_group_tests_name("loadgen/series", tests, NULL, NULL);
}
