/* Unit tests of loadgen/schedule: rates, ramps, and whether exponential gaps are that. */
#include "loadgen/schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SECOND 1000000000ULL

static const struct ramp thousand = {.from = 1000, .to = 1000};

static int
compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

/* The Kolmogorov-Smirnov distance of GAPS, which are sorted, from the exponential distribution with a mean of 1. */
static double
distance(double *gaps, size_t len)
{
	double largest = 0;

	qsort(gaps, len, sizeof(*gaps), compare);
	for (size_t i = 0; i < len; i++) {
		double expected = 1 - exp(-gaps[i]);

		largest = fmax(largest, fabs(expected - (double)i / (double)len));
		largest = fmax(largest, fabs(expected - (double)(i + 1) / (double)len));
	}
	return largest;
}

/* What LEN gaps exceed once in a million runs: the seeds are fixed, and so is the outcome. */
static double
limit(size_t len)
{
	return sqrt(log(2 / 1e-6) / 2 / (double)len);
}

/* merged_next returns the earliest arrival of COUNT threads, and moves that thread on. */
static uint64_t
merged_next(struct schedule *threads, uint32_t count, uint32_t *who)
{
	uint64_t next;

	*who = 0;
	for (uint32_t i = 1; i < count; i++) {
		if (threads[i].next_ns < threads[*who].next_ns)
			*who = i;
	}
	next = threads[*who].next_ns;
	schedule_advance(&threads[*who]);
	return next;
}

/* arrivals_until counts the arrivals of one thread before AT_NS, and checks that none is before the one it follows. */
static uint64_t
arrivals_until(struct schedule *schedule, uint64_t at_ns)
{
	uint64_t count = 0, last = 0;

	for (; schedule->next_ns < at_ns; schedule_advance(schedule)) {
		assert_true(schedule->next_ns >= last);
		last = schedule->next_ns;
		count++;
	}
	return count;
}

static void
test_constant_arrivals_are_even(void **state)
{
	static const double rates[] = {0.5, 1, 3, 1000, 7777, 1e6, 1e7};

	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct ramp ramp = {.from = rates[i], .to = rates[i]};
		struct schedule schedule;

		schedule_init(&schedule, ARRIVALS_CONSTANT, &ramp, 0, 1, 1);
		for (uint64_t k = 0; k < 100000; k++) {
			assert_true(fabs((double)schedule.next_ns - (double)k * 1e9 / rates[i]) <= 0.75);
			schedule_advance(&schedule);
		}
	}
}

static void
test_threads_take_turns(void **state)
{
	struct schedule threads[3], alone;
	uint32_t who;

	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		schedule_init(&threads[i], ARRIVALS_CONSTANT, &thousand, i, 3, 1);
	schedule_init(&alone, ARRIVALS_CONSTANT, &thousand, 0, 1, 1);
	for (uint32_t k = 0; k < 10000; k++) {
		assert_int_equal(merged_next(threads, 3, &who), alone.next_ns);
		assert_int_equal(who, k % 3);
		schedule_advance(&alone);
	}
}

static void
test_a_long_run_stays_exact(void **state)
{
	struct ramp ramp = {.from = 1e6, .to = 1e6};
	struct schedule schedule;
	uint64_t last;

	(void)state;
	schedule_init(&schedule, ARRIVALS_CONSTANT, &ramp, 0, 1, 1);
	schedule.expected = 24 * 3600 * 1e6; /* a day later */
	schedule_advance(&schedule);
	assert_int_equal(schedule.next_ns, 24 * 3600 * SECOND + 1000);
	for (int i = 0; i < 1000; i++) {
		last = schedule.next_ns;
		schedule_advance(&schedule);
		assert_in_range(schedule.next_ns - last, 999, 1001);
	}
}

static void
test_skipping_is_going_on_so_often(void **state)
{
	struct ramp ramp = {.from = 100, .to = 900, .duration_ns = 10 * SECOND};
	struct schedule skipping, going;

	(void)state;
	schedule_init(&skipping, ARRIVALS_CONSTANT, &ramp, 1, 3, 1);
	schedule_init(&going, ARRIVALS_CONSTANT, &ramp, 1, 3, 1);
	for (unsigned count = 1; count < 50; count++) {
		schedule_skip(&skipping, count);
		for (unsigned i = 0; i < count; i++)
			schedule_advance(&going);
		assert_int_equal(skipping.next_ns, going.next_ns);
	}
}

static void
test_a_long_random_run_keeps_its_gaps(void **state)
{
	enum { LEN = 20000 };
	struct ramp ramp = {.from = 1e6, .to = 1e6};
	struct schedule schedule;
	double *gaps = calloc(LEN, sizeof(*gaps));

	(void)state;
	assert_non_null(gaps);
	schedule_init(&schedule, ARRIVALS_POISSON, &ramp, 1, 4, 1);
	schedule.expected += 24 * 3600 * 1e6;
	schedule_advance(&schedule);
	for (size_t i = 0; i < LEN; i++) {
		uint64_t last = schedule.next_ns;

		schedule_advance(&schedule);
		gaps[i] = (double)(schedule.next_ns - last) / 4000; /* a quarter of the rate */
	}
	assert_true(distance(gaps, LEN) < limit(LEN));
	free(gaps);
}

static void
test_exponential_gaps(void **state)
{
	enum { LEN = 20000 };
	double *gaps = calloc(LEN, sizeof(*gaps));

	(void)state;
	assert_non_null(gaps);
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct schedule schedule;
		uint64_t last = 0;
		double sum = 0, product = 0, correlation;

		schedule_init(&schedule, ARRIVALS_POISSON, &thousand, 0, 1, seed);
		for (size_t i = 0; i < LEN; i++) {
			gaps[i] = (double)(schedule.next_ns - last) / 1e6;
			sum += gaps[i];
			if (i > 0)
				product += (gaps[i] - 1) * (gaps[i - 1] - 1);
			last = schedule.next_ns;
			schedule_advance(&schedule);
		}
		assert_true(fabs(sum / LEN - 1) < 4 / sqrt(LEN)); /* 4 standard deviations */
		correlation = product / LEN;                      /* each gap knows nothing of the one before */
		assert_true(fabs(correlation) < 4 / sqrt(LEN));
		assert_true(distance(gaps, LEN) < limit(LEN));
	}
	free(gaps);
}

static void
test_the_rate_is_kept_within_one_percent(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		struct ramp ramp = {.from = 20000, .to = 20000};
		struct schedule schedule;

		schedule_init(&schedule, ARRIVALS_POISSON, &ramp, 0, 1, seed);
		assert_in_range(arrivals_until(&schedule, 10 * SECOND), 198000, 202000);
		schedule_init(&schedule, ARRIVALS_CONSTANT, &ramp, 0, 1, seed);
		assert_int_equal(arrivals_until(&schedule, 10 * SECOND), 200000);
	}
}

static void
test_counts_scatter_as_a_poisson_process(void **state)
{
	enum { WINDOWS = 4000 };
	struct schedule schedule;
	double squares = 0;

	(void)state;
	schedule_init(&schedule, ARRIVALS_POISSON, &thousand, 0, 1, 11);
	for (uint64_t i = 1; i <= WINDOWS; i++) { /* 10 ms: 10 arrivals, give or take the root of 10 */
		double count = (double)arrivals_until(&schedule, i * SECOND / 100);

		squares += (count - 10) * (count - 10);
	}
	assert_true(fabs(squares / WINDOWS / 10 - 1) < 4 * sqrt(2.0 / WINDOWS));
}

static void
test_threads_together_are_one_process(void **state)
{
	enum { LEN = 20000, THREADS = 4 };
	double *gaps = calloc(LEN, sizeof(*gaps));

	(void)state;
	assert_non_null(gaps);
	for (uint64_t seed = 0; seed < 10; seed++) {
		struct schedule threads[THREADS];
		uint32_t shares[THREADS] = {0}, who;
		uint64_t last = 0;

		for (uint32_t i = 0; i < THREADS; i++)
			schedule_init(&threads[i], ARRIVALS_POISSON, &thousand, i, THREADS, seed);
		for (size_t i = 0; i < LEN; i++) {
			uint64_t next = merged_next(threads, THREADS, &who);

			gaps[i] = (double)(next - last) / 1e6;
			last = next;
			shares[who]++;
		}
		assert_true(fabs((double)last / 1e6 / LEN - 1) < 4 / sqrt(LEN));
		assert_true(distance(gaps, LEN) < limit(LEN));
		for (uint32_t i = 0; i < THREADS; i++)
			assert_in_range(shares[i], LEN / THREADS * 94 / 100, LEN / THREADS * 106 / 100);
	}
	free(gaps);
}

static void
test_ramps_have_the_arrivals_of_their_area(void **state)
{
	static const struct ramp ramps[] = {
	    {0, 1000, 10 * SECOND, 0},
	    {1000, 0, 10 * SECOND, 0},
	    {100, 1000, 10 * SECOND, 0},
	    {1000, 100, 10 * SECOND, 0},
	    {500, 500, 10 * SECOND, 0},
	    {0.001, 5000, 1 * SECOND, 0},
	    {5000, 0.001, 1 * SECOND, 0},
	    {1e6, 0, SECOND / 10, 0},
	    {0, 1, 86400 * SECOND, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ramps) / sizeof(ramps[0]); i++) {
		const struct ramp *ramp = &ramps[i];
		struct schedule constant, poisson;
		double sum = 0;

		schedule_init(&constant, ARRIVALS_CONSTANT, ramp, 0, 1, 1);
		schedule_init(&poisson, ARRIVALS_POISSON, ramp, 0, 1, i);
		for (uint64_t tenth = 1; tenth <= 12; tenth++) { /* the last two: after the ramp */
			uint64_t at_ns = ramp->duration_ns / 10 * tenth;
			double at = (double)tenth / 10, area, drawn;

			area = at <= 1 ? ramp->from * at + (ramp->to - ramp->from) * at * at / 2
				       : (ramp->from + ramp->to) / 2 + ramp->to * (at - 1);
			area *= (double)ramp->duration_ns / 1e9;
			assert_true(fabs(schedule_expected(ramp, at_ns) - area) <= 1e-9 * area);
			sum += (double)arrivals_until(&constant, at_ns);
			/* The first is due at once; one on the edge may fall on either side. */
			assert_true(sum >= area - 1e-3 && sum <= area + 1 + 1e-3);
			if (tenth == 10) {
				drawn = (double)arrivals_until(&poisson, at_ns);
				assert_true(fabs(drawn - area) < 4 * sqrt(area));
			}
		}
	}
}

static void
test_the_rate_stands_still_before_a_ramp(void **state)
{
	const struct ramp up = {.from = 10, .to = 1000, .duration_ns = 5 * SECOND, .lead_ns = 3 * SECOND};
	const struct ramp from_none = {.to = 1000, .duration_ns = 5 * SECOND, .lead_ns = 3 * SECOND};
	const struct ramp to_none = {.from = 100, .duration_ns = 5 * SECOND, .lead_ns = 3 * SECOND};
	struct ramp without = up;
	struct schedule led, alone;

	(void)state;
	assert_true(fabs(schedule_expected(&up, 1 * SECOND) - 10) < 1e-9);
	assert_true(fabs(schedule_expected(&up, 3 * SECOND) - 30) < 1e-9);
	assert_true(fabs(schedule_expected(&up, 8 * SECOND) - (30 + 2525)) < 1e-9);
	assert_true(fabs(schedule_expected(&up, 9 * SECOND) - (30 + 2525 + 1000)) < 1e-9);
	without.lead_ns = 0;
	schedule_init(&led, ARRIVALS_CONSTANT, &up, 0, 1, 1);
	schedule_init(&alone, ARRIVALS_CONSTANT, &without, 0, 1, 1);
	for (uint64_t i = 0; i < 30; i++) {
		assert_in_range(led.next_ns, i * SECOND / 10, i * SECOND / 10 + 1);
		schedule_advance(&led);
	}
	for (uint64_t i = 0; i < 5000; i++) { /* from here on as ever */
		assert_in_range(led.next_ns - alone.next_ns, 3 * SECOND - 2, 3 * SECOND + 2);
		schedule_advance(&led);
		schedule_advance(&alone);
	}
	schedule_init(&led, ARRIVALS_CONSTANT, &from_none, 0, 1, 1);
	assert_int_equal(led.next_ns, 3 * SECOND);
	assert_true(schedule_expected(&from_none, 3 * SECOND) == 0);
	schedule_init(&led, ARRIVALS_CONSTANT, &to_none, 0, 1, 1);
	assert_int_equal(arrivals_until(&led, 100 * SECOND), 300 + 250);
	assert_true(led.next_ns == SCHEDULE_NEVER);
}

static void
test_arrivals_come_when_they_are_expected(void **state)
{
	static const struct ramp ramps[] = {
	    {0, 1e6, 3600 * SECOND, 0},
	    {1e6, 0, 3600 * SECOND, 0},
	    {1e6, 1, 3600 * SECOND, 0},
	    {3, 70, 60 * SECOND, 0},
	    {70, 3, 60 * SECOND, 0},
	    {5, 5, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ramps) / sizeof(ramps[0]); i++) {
		double whole = schedule_expected(&ramps[i], 3600 * SECOND);

		for (int part = 1; part < 1000; part++) {
			struct schedule schedule;
			double rate, found;

			schedule_init(&schedule, ARRIVALS_CONSTANT, &ramps[i], 0, 1, 1);
			schedule.expected = floor(whole * part / 1000);
			schedule_advance(&schedule);
			found = schedule_expected(&ramps[i], schedule.next_ns);
			rate = schedule_expected(&ramps[i], schedule.next_ns + SECOND) - found;
			/* To a nanosecond, and to what a double holds of 1.8e9. */
			assert_true(fabs(found - schedule.expected) <= (rate + 1) * 1e-9 + whole * 1e-15);
		}
	}
}

static void
test_a_ramp_down_keeps_its_last_gaps(void **state)
{
	/* The last arrivals before the rate is 0: the Nth last comes sqrt(2 N / slope) before the end. */
	static const struct ramp ramp = {1e6, 0, 3600 * SECOND, 0};
	struct schedule schedule;
	double whole = schedule_expected(&ramp, 3600 * SECOND), slope = 1e6 / 3600;

	(void)state;
	schedule_init(&schedule, ARRIVALS_CONSTANT, &ramp, 0, 1, 1);
	schedule.expected = whole - 101;
	for (int left = 100; left > 0; left--) {
		double before_end;

		schedule_advance(&schedule);
		before_end = (double)(3600 * SECOND - schedule.next_ns);
		assert_true(fabs(before_end - sqrt(2.0 * left / slope) * 1e9) <= 50); /* the last gap: 35 ms */
	}
	for (int i = 0; i < 3; i++) {
		schedule_advance(&schedule);
		assert_true(schedule.next_ns == SCHEDULE_NEVER);
	}
}

static void
test_gaps_along_a_ramp_are_exponential(void **state)
{
	enum { LEN = 20000 };
	static const struct ramp ramps[] = {
	    {0, 8000, 5 * SECOND, 0}, {8000, 0, 6 * SECOND, 0}, {9000, 1000, 5 * SECOND, 0}};
	double *gaps = calloc(LEN, sizeof(*gaps));

	(void)state;
	assert_non_null(gaps);
	for (size_t i = 0; i < sizeof(ramps) / sizeof(ramps[0]); i++) {
		struct schedule schedule;
		double last = 0;

		schedule_init(&schedule, ARRIVALS_POISSON, &ramps[i], 0, 1, i);
		for (size_t k = 0; k < LEN; k++) {
			double now = schedule_expected(&ramps[i], schedule.next_ns);

			assert_true(schedule.next_ns != SCHEDULE_NEVER);
			gaps[k] = now - last;
			last = now;
			schedule_advance(&schedule);
		}
		assert_true(distance(gaps, LEN) < limit(LEN));
	}
	free(gaps);
}

static void
test_no_rate_has_no_arrivals(void **state)
{
	static const struct ramp none = {0, 0, SECOND, 0}, late = {0, 10, 0, 0}, slow = {0, 1e-300, 0, 0};
	struct schedule schedule;

	(void)state;
	for (int arrivals = ARRIVALS_CONSTANT; arrivals <= ARRIVALS_POISSON; arrivals++) {
		schedule_init(&schedule, (enum arrivals)arrivals, &none, 0, 1, 1);
		assert_true(schedule.next_ns == SCHEDULE_NEVER);
		schedule_advance(&schedule);
		assert_true(schedule.next_ns == SCHEDULE_NEVER);
	}
	schedule_init(&schedule, ARRIVALS_CONSTANT, &slow, 1, 2, 1); /* later than the clock can count */
	assert_true(schedule.next_ns == SCHEDULE_NEVER);
	schedule_init(&schedule, ARRIVALS_CONSTANT, &late, 0, 1, 1); /* without a duration, `to` is the rate */
	assert_int_equal(schedule.next_ns, 0);
	schedule_advance(&schedule);
	assert_int_equal(schedule.next_ns, SECOND / 10);
}

static bool
same_arrivals(uint32_t index_a, uint64_t seed_a, uint32_t index_b, uint64_t seed_b)
{
	struct schedule a, b;
	int same = 0;

	schedule_init(&a, ARRIVALS_POISSON, &thousand, index_a, 8, seed_a);
	schedule_init(&b, ARRIVALS_POISSON, &thousand, index_b, 8, seed_b);
	for (int i = 0; i < 1000; i++) {
		same += a.next_ns == b.next_ns;
		schedule_advance(&a);
		schedule_advance(&b);
	}
	return same == 1000;
}

static void
test_the_seed_decides(void **state)
{
	(void)state;
	assert_true(same_arrivals(0, 7, 0, 7));
	assert_true(same_arrivals(3, UINT64_MAX, 3, UINT64_MAX));
	assert_false(same_arrivals(0, 7, 0, 8));
	assert_false(same_arrivals(0, 7, 1, 7));
	assert_false(same_arrivals(1, 7, 0, 8));
}

static void
test_a_ramp_is_read(void **state)
{
	struct ramp ramp;
	char error[256];

	(void)state;
	assert_int_equal(schedule_parse_ramp(&ramp, "0:1000:30", error, sizeof(error)), 0);
	assert_true(ramp.from == 0 && ramp.to == 1000);
	assert_int_equal(ramp.duration_ns, 30 * SECOND);
	assert_int_equal(schedule_parse_ramp(&ramp, "1e3:0.5:0.25", error, sizeof(error)), 0);
	assert_true(ramp.from == 1000 && ramp.to == 0.5);
	assert_int_equal(ramp.duration_ns, SECOND / 4);
	assert_int_equal(schedule_parse_ramp(&ramp, "10000000:0:86400", error, sizeof(error)), 0);
}

static void
test_a_wrong_ramp_is_named(void **state)
{
	static const char *const wrong[] = {"", ":", "::", "10", "10:20", "10:20:", ":20:30", "10::30",
	    "10:20:30:", "10:20:30:40", "10:20:0", "10:20:-1", "-1:20:30", "10:x:30", "10:20:30s", "10000001:20:30",
	    "10:20:86401", "nan:20:30", "10:inf:30", "1000000000000000000000000000000000000:2:3"};
	struct ramp ramp;
	char error[256];

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(schedule_parse_ramp(&ramp, wrong[i], error, sizeof(error)), -EINVAL);
		assert_string_equal(error, "must be FROM:TO:SECONDS, as in 0:1000:30; at most 10000000:10000000:86400");
	}
	assert_int_equal(schedule_parse_ramp(&ramp, "0:0:30", error, sizeof(error)), -EINVAL);
	assert_string_equal(error, "that asks for no request; one of the two rates must be above 0");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_constant_arrivals_are_even),
	    cmocka_unit_test(test_threads_take_turns),
	    cmocka_unit_test(test_a_long_run_stays_exact),
	    cmocka_unit_test(test_skipping_is_going_on_so_often),
	    cmocka_unit_test(test_a_long_random_run_keeps_its_gaps),
	    cmocka_unit_test(test_exponential_gaps),
	    cmocka_unit_test(test_the_rate_is_kept_within_one_percent),
	    cmocka_unit_test(test_counts_scatter_as_a_poisson_process),
	    cmocka_unit_test(test_threads_together_are_one_process),
	    cmocka_unit_test(test_ramps_have_the_arrivals_of_their_area),
	    cmocka_unit_test(test_the_rate_stands_still_before_a_ramp),
	    cmocka_unit_test(test_arrivals_come_when_they_are_expected),
	    cmocka_unit_test(test_a_ramp_down_keeps_its_last_gaps),
	    cmocka_unit_test(test_gaps_along_a_ramp_are_exponential),
	    cmocka_unit_test(test_no_rate_has_no_arrivals),
	    cmocka_unit_test(test_the_seed_decides),
	    cmocka_unit_test(test_a_ramp_is_read),
	    cmocka_unit_test(test_a_wrong_ramp_is_named),
	};

	return cmocka_run_group_tests_name("loadgen/schedule", tests, NULL, NULL);
}
