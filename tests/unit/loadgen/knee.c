/* Unit tests of loadgen/knee: what is said of a step counts good answers alone, in figures that can be read. */
#include "tests/unit/loadgen/figures.h"

#include "loadgen/knee.h"

static struct knee knee;

/* A search with two steps: the knee, and one above it that does not count. */
static void
set_search(void)
{
	figures_set(1, 2);
	config.until_saturated = true;
	knee = (struct knee){.len = 2, .end = SATURATE_BROKEN, .row = &rows[0], .best = &rows[0], .beyond = &rows[1]};
}

static void
set_open_search(void)
{
	set_search();
	config.rates = (struct list){.values = {200000}, .len = 1};
	for (size_t i = 0; i < 2; i++) {
		rows[i].cell.open_loop = true;
		rows[i].cell.ramp.from = rows[i].cell.ramp.to = i == 0 ? 200 : 400;
		rows[i].summary.duration_ns = NS_PER_SEC;
		rows[i].summary.complete = i == 0 ? 200 : 400;
		rows[i].summary.rps = i == 0 ? 200 : 400;
	}
}

static void
assert_described(const char *expected)
{
	char text[KNEE_TEXT_MAX];

	knee_describe(&sweep, &knee, text);
	assert_string_equal(text, expected);
}

static void
test_throughput_is_of_good_answers(void **state)
{
	struct summary *summary = &rows[0].summary;

	(void)state;
	set_search();
	summary->duration_ns = 2 * NS_PER_SEC;
	assert_true(knee_throughput(&rows[0]) == 50);
	summary->non_2xx = summary->errors = 30;
	assert_true(knee_throughput(&rows[0]) == 35);
	summary->failures[FAILURE_CONNECT] = 3; /* of these none is complete */
	summary->failures[FAILURE_TLS] = 7;
	summary->errors += 10;
	assert_true(knee_throughput(&rows[0]) == 35);
	summary->duration_ns = 0;
	assert_true(knee_throughput(&rows[0]) == 0);
}

static void
test_refusals_are_not_said_to_be_answers(void **state)
{
	(void)state;
	set_open_search();
	rows[1].summary.errors = rows[1].summary.non_2xx = 210;
	assert_described(
	    "Knee at 200 requests/s: 200 of them answered, p99 101.6 ms. Beyond, the server does not keep up with "
	    "400 requests/s: it answered 190 of them with 2xx.");
	rows[0].summary.errors = rows[0].summary.non_2xx = 2;
	knee.end = SATURATE_FLAT;
	knee.best = &rows[1];
	assert_described(
	    "Knee at 200 requests/s: 198 of them answered with 2xx, p99 101.6 ms. Higher rates bring no more than "
	    "190 of them answered with 2xx (at 400 requests/s).");
	set_search();
	rows[0].summary.errors = rows[0].summary.non_2xx = 50;
	knee.end = SATURATE_FLAT;
	assert_described(
	    "Knee at 5 connections: 24.85 requests/s answered with 2xx, p99 101.6 ms. More connections bring no more.");
}

static void
test_large_figures_have_all_their_digits(void **state)
{
	(void)state;
	set_open_search();
	rows[1].cell.ramp.from = 60000;
	rows[1].summary.complete = 45210;
	rows[0].summary.percentiles[99] = 12345 * NS_PER_MS;
	assert_described(
	    "Knee at 200 requests/s: 200 of them answered, p99 12345 ms. Beyond, the server does not keep up with "
	    "60000 requests/s: it answered 45210 of them.");
}

static void
test_only_what_is_loadgens_own_makes_a_step_doubtful(void **state)
{
	(void)state;
	for (int kind = 0; kind < CHECK_KINDS; kind++) {
		set_search();
		rows[0].summary.checks[kind].state = CHECK_FAILED;
		assert_int_equal(
		    knee_doubtful(&rows[0]), kind == CHECK_CPU || kind == CHECK_LAG || kind == CHECK_PAUSED);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_throughput_is_of_good_answers),
	    cmocka_unit_test(test_refusals_are_not_said_to_be_answers),
	    cmocka_unit_test(test_large_figures_have_all_their_digits),
	    cmocka_unit_test(test_only_what_is_loadgens_own_makes_a_step_doubtful),
	};

	return cmocka_run_group_tests_name("loadgen/knee", tests, NULL, NULL);
}
