/* Unit tests of loadgen/check: each limit from both sides, when none applies, and what the sentences say. */
#include "loadgen/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "loadgen/cell.h"
#include "loadgen/fit.h"
#include "loadgen/summary.h"

#define MS 1000000U
#define SECOND 1000000000ULL

static struct config config;
static struct cell cell;
static struct summary summary;
static char text[CHECK_SENTENCE_MAX];

/* A closed loop without a fault: 10 connections, 1000 requests of 10 ms each, in a second. */
static int
closed(void **state)
{
	(void)state;
	config = (struct config){.threads = 2, .pipeline = 1, .repeats = 1};
	cell = (struct cell){.config = &config, .concurrency = 10};
	summary = (struct summary){
	    .end = CELL_DONE,
	    .complete = 1000,
	    .kept_alive = 1000,
	    .duration_ns = SECOND,
	    .most_open = 10,
	    .cpu_share = 0.3,
	    .active_s = 10,
	    .under_way_s = 9.9,
	};
	return 0;
}

/* An open loop without a fault: 1000 requests a second with exponential gaps, each of 10 ms. */
static int
open_loop(void **state)
{
	closed(state);
	config.arrivals = ARRIVALS_POISSON;
	cell.concurrency = 100;
	cell.open_loop = true;
	cell.ramp = (struct ramp){.from = 1000, .to = 1000};
	summary.service_p50_ns = 10 * MS;
	summary.lag_p99_ns = MS / 10;
	summary.lag.mean = 1000;
	summary.departures_distance = 0.03;
	summary.departures_limit = fit_limit(1000);
	summary.active_s = 0;
	summary.under_way_s = 0;
	return 0;
}

static struct check
judge(enum check_kind kind)
{
	struct check checks[CHECK_KINDS];
	size_t failed = check_all(checks, &cell, &summary), counted = 0;

	for (int i = 0; i < CHECK_KINDS; i++)
		counted += checks[i].state == CHECK_FAILED;
	assert_int_equal(failed, counted);
	text[0] = '\0';
	if (checks[kind].state == CHECK_FAILED) {
		check_sentence(kind, &checks[kind], text, sizeof(text));
		assert_int_equal(failed, 1); /* one fault, one check */
		assert_null(strchr(text, '\n'));
	}
	return checks[kind];
}

static void
assert_sentence(const char *figure, const char *advice)
{
	assert_non_null(strstr(text, figure));
	assert_non_null(strstr(text, advice));
}

static void
test_all_is_well_in_a_closed_loop(void **state)
{
	static const enum check_state states[CHECK_KINDS] = {[CHECK_CPU] = CHECK_OK,
	    [CHECK_CONNECTIONS] = CHECK_OK,
	    [CHECK_LITTLE] = CHECK_OK,
	    [CHECK_PAUSED] = CHECK_OK};

	(void)state;
	for (int kind = 0; kind < CHECK_KINDS; kind++)
		assert_int_equal(judge((enum check_kind)kind).state, states[kind]);
}

static void
test_all_is_well_in_an_open_loop(void **state)
{
	static const enum check_state states[CHECK_KINDS] = {[CHECK_CPU] = CHECK_OK,
	    [CHECK_LAG] = CHECK_OK,
	    [CHECK_CONNECTIONS] = CHECK_OK,
	    [CHECK_RATE] = CHECK_OK,
	    [CHECK_ARRIVALS] = CHECK_OK,
	    [CHECK_PAUSED] = CHECK_OK};

	(void)state;
	for (int kind = 0; kind < CHECK_KINDS; kind++)
		assert_int_equal(judge((enum check_kind)kind).state, states[kind]);
}

static void
test_a_thread_without_cpu_to_spare(void **state)
{
	(void)state;
	summary.cpu_share = 0.949;
	assert_int_equal(judge(CHECK_CPU).state, CHECK_OK);
	summary.cpu_share = 0.987;
	assert_int_equal(judge(CHECK_CPU).state, CHECK_FAILED);
	assert_sentence("99% of a CPU", "--threads 3");
	cell.concurrency = 1; /* more threads than connections do not run */
	summary.most_open = 1;
	summary.active_s = 1;
	summary.under_way_s = 1;
	assert_int_equal(judge(CHECK_CPU).state, CHECK_FAILED);
	assert_sentence("at most 95%", "--threads 2");
}

static void
test_requests_that_leave_late(void **state)
{
	(void)state;
	summary.lag_p99_ns = MS;
	assert_int_equal(judge(CHECK_LAG).state, CHECK_OK);
	summary.lag_p99_ns = MS + 1000;
	assert_int_equal(judge(CHECK_LAG).state, CHECK_FAILED);
	assert_sentence("1.001 ms late", "taskset");
	summary.service_p50_ns = 100 * MS; /* answers take long: 10 ms more or less say little */
	summary.lag_p99_ns = 9 * MS;
	assert_int_equal(judge(CHECK_LAG).state, CHECK_OK);
	summary.lag_p99_ns = 11 * MS;
	assert_int_equal(judge(CHECK_LAG).state, CHECK_FAILED);
	summary.complete = 99; /* p99 of 99 requests is the worst of them */
	assert_int_equal(judge(CHECK_LAG).state, CHECK_NONE);
	summary.complete = 500;
	summary.queued = 240;
	assert_int_equal(judge(CHECK_LAG).state, CHECK_FAILED);
}

static void
test_queued_requests_have_no_lag(void **state)
{
	struct check checks[CHECK_KINDS];

	(void)state;
	summary.lag_p99_ns = SECOND;
	summary.queued = 901;
	check_all(checks, &cell, &summary);
	assert_int_equal(checks[CHECK_LAG].state, CHECK_NONE);
	summary.queued = 2000; /* most never left */
	summary.missed = 1000;
	check_all(checks, &cell, &summary);
	assert_int_equal(checks[CHECK_LAG].state, CHECK_NONE);
}

static void
test_requests_whose_connect_failed_have_no_lag(void **state)
{
	(void)state;
	summary.lag_p99_ns = SECOND;
	summary.failures[FAILURE_CONNECT] = 500;
	summary.failures[FAILURE_TLS] = 400;
	assert_int_equal(judge(CHECK_LAG).state, CHECK_FAILED);
	summary.failures[FAILURE_TLS]++;
	assert_int_equal(judge(CHECK_LAG).state, CHECK_NONE);
}

static void
test_connections_that_never_stood(void **state)
{
	(void)state;
	summary.most_open = 9;
	assert_int_equal(judge(CHECK_CONNECTIONS).state, CHECK_FAILED);
	assert_sentence("9 connections stood at one time, 10 were asked for", "lower -c");
	summary.most_open = 1;
	assert_int_equal(judge(CHECK_CONNECTIONS).state, CHECK_FAILED);
	assert_sentence("1 connection stood at one time, 10 were asked for", "lower -c");
	summary.complete = 19; /* hardly more requests than connections */
	assert_int_equal(judge(CHECK_CONNECTIONS).state, CHECK_NONE);
	summary.complete = 1000;
	config.repeats = 60; /* hardly more in each of them */
	assert_int_equal(judge(CHECK_CONNECTIONS).state, CHECK_NONE);
	config.repeats = 1;
	summary.kept_alive = 0; /* each request opens one: some are always on their way */
	assert_int_equal(judge(CHECK_CONNECTIONS).state, CHECK_NONE);
}

static void
test_a_pool_that_is_always_busy(void **state)
{
	(void)state;
	summary.most_open = 3; /* no more were needed */
	summary.queued = 500;
	assert_int_equal(judge(CHECK_CONNECTIONS).state, CHECK_OK);
	summary.queued = 600;
	assert_int_equal(judge(CHECK_CONNECTIONS).state, CHECK_FAILED);
	assert_sentence("60.0% of the requests waited", "raise -c");
}

static void
test_a_rate_that_was_not_kept(void **state)
{
	(void)state;
	summary.missed = 10;
	assert_int_equal(judge(CHECK_RATE).state, CHECK_OK);
	summary.missed = 20;
	assert_int_equal(judge(CHECK_RATE).state, CHECK_FAILED);
	assert_sentence("at 98.0% of the rate at which they were due", "--threads 3");
	summary.queued = 200;
	assert_int_equal(judge(CHECK_RATE).state, CHECK_FAILED);
	assert_sentence("19.6% found all connections busy", "raise -c");
	summary.unfinished = 2000; /* under way: these did leave */
	assert_int_equal(judge(CHECK_RATE).state, CHECK_OK);
	summary.complete = 50; /* one of a few is not a rate */
	summary.unfinished = 0;
	summary.queued = 0;
	summary.missed = 1;
	assert_int_equal(judge(CHECK_RATE).state, CHECK_OK);
	summary.missed = 2;
	assert_int_equal(judge(CHECK_RATE).state, CHECK_FAILED);
}

static void
test_requests_that_all_leave_in_the_end(void **state)
{
	(void)state;
	summary.due = (struct pace){.gaps = 999, .span_ns = SECOND};
	summary.rps_due = 999;
	summary.left = (struct pace){.gaps = 999, .span_ns = SECOND + 99 * (uint64_t)MS};
	summary.rps_started = 909;
	assert_int_equal(judge(CHECK_RATE).state, CHECK_OK); /* the last one was late, no more */
	summary.left.span_ns = 2 * SECOND;
	summary.rps_started = 499.5;
	assert_int_equal(judge(CHECK_RATE).state, CHECK_FAILED);
	assert_sentence("at 50.0% of the rate", "lower --rate");
	summary.rps_due = 0; /* one was due: not a rate */
	assert_int_equal(judge(CHECK_RATE).state, CHECK_OK);
}

static void
test_a_rate_without_one_answer(void **state)
{
	(void)state;
	summary.complete = 0;
	summary.unfinished = 100;
	assert_int_equal(judge(CHECK_RATE).state, CHECK_OK);
	summary.missed = 900;
	assert_int_equal(judge(CHECK_RATE).state, CHECK_FAILED);
	assert_int_equal(judge(CHECK_CONNECTIONS).state, CHECK_NONE);
	summary.missed = 0;
	summary.unfinished = 0; /* nothing was due */
	assert_int_equal(judge(CHECK_RATE).state, CHECK_NONE);
}

static void
test_gaps_that_are_not_exponential(void **state)
{
	(void)state;
	summary.departures_distance = fit_limit(1000) + 0.009;
	assert_int_equal(judge(CHECK_ARRIVALS).state, CHECK_OK);
	summary.departures_distance = fit_limit(1000) + 0.02;
	assert_int_equal(judge(CHECK_ARRIVALS).state, CHECK_FAILED);
	assert_sentence("not exponential (distance 0.081", "taskset");
	summary.lag.mean = 50000; /* 50 us of the 2 ms between a thread's requests, at both ends of the gap */
	summary.departures_distance = fit_limit(1000) + 0.01 + 0.04;
	assert_int_equal(judge(CHECK_ARRIVALS).state, CHECK_OK);
	summary.departures_distance += 0.03;
	assert_int_equal(judge(CHECK_ARRIVALS).state, CHECK_FAILED);
	summary.queued = 50;
	assert_int_equal(judge(CHECK_ARRIVALS).state, CHECK_OK);
	summary.departures_distance = 0.9;
	summary.lag.mean = 500000; /* as long as half the gaps: nothing to judge */
	assert_int_equal(judge(CHECK_ARRIVALS).state, CHECK_NONE);
	summary.lag.mean = 0;
	summary.departures_limit = 0; /* constant gaps */
	assert_int_equal(judge(CHECK_ARRIVALS).state, CHECK_NONE);
}

static void
test_the_arrivals_of_a_ramp_are_judged_at_its_worst(void **state)
{
	(void)state;
	summary.lag.mean = 50000;
	summary.departures_distance = fit_limit(1000) + 0.01 + 0.04;
	cell.ramp = (struct ramp){.from = 1000, .to = 10, .duration_ns = SECOND};
	assert_int_equal(judge(CHECK_ARRIVALS).state, CHECK_OK);
	cell.ramp = (struct ramp){.from = 10, .to = 1000, .duration_ns = SECOND};
	assert_int_equal(judge(CHECK_ARRIVALS).state, CHECK_OK);
	cell.ramp = (struct ramp){.from = 10, .to = 100, .duration_ns = SECOND};
	assert_int_equal(judge(CHECK_ARRIVALS).state, CHECK_FAILED);
}

static void
test_connections_left_waiting(void **state)
{
	(void)state;
	summary.under_way_s = 9.51;
	assert_int_equal(judge(CHECK_LITTLE).state, CHECK_OK);
	summary.under_way_s = 9.0;
	assert_int_equal(judge(CHECK_LITTLE).state, CHECK_FAILED);
	assert_sentence("90.0% of the time", "--threads 3");
	summary.failures[FAILURE_CONNECT] = 1; /* what failed to connect took time */
	assert_int_equal(judge(CHECK_LITTLE).state, CHECK_NONE);
	summary.failures[FAILURE_CONNECT] = 0;
	summary.failures[FAILURE_TLS] = 1;
	assert_int_equal(judge(CHECK_LITTLE).state, CHECK_NONE);
}

static void
test_closing_connections_takes_its_time(void **state)
{
	(void)state;
	summary.kept_alive = 0;
	summary.under_way_s = 9.3; /* 1000 times 30 us of 10 s: 0.3% */
	assert_int_equal(judge(CHECK_LITTLE).state, CHECK_FAILED);
	summary.complete = 50000;
	summary.under_way_s = 8.1; /* 15% */
	assert_int_equal(judge(CHECK_LITTLE).state, CHECK_OK);
	summary.under_way_s = 7.9;
	assert_int_equal(judge(CHECK_LITTLE).state, CHECK_FAILED);
	summary.complete = 10000000; /* never more than half of the time */
	summary.under_way_s = 4.6;
	assert_int_equal(judge(CHECK_LITTLE).state, CHECK_OK);
	summary.under_way_s = 4.4;
	assert_int_equal(judge(CHECK_LITTLE).state, CHECK_FAILED);
}

static void
test_connections_with_several_requests_under_way(void **state)
{
	(void)state;
	config.pipeline = 4;
	summary.complete = 40 * 40;
	summary.kept_alive = 40 * 40;
	summary.under_way_s = 39;
	assert_int_equal(judge(CHECK_LITTLE).state, CHECK_OK);
	summary.under_way_s = 20;
	assert_int_equal(judge(CHECK_LITTLE).state, CHECK_FAILED);
	summary.complete--; /* the end, when there is less to do, weighs */
	assert_int_equal(judge(CHECK_LITTLE).state, CHECK_NONE);
}

static void
test_a_thread_that_did_not_run(void **state)
{
	(void)state;
	summary.percentiles[50] = 10 * MS;
	summary.paused_ns = 100 * MS;
	assert_int_equal(judge(CHECK_PAUSED).state, CHECK_OK);
	summary.paused_ns = 683 * MS;
	assert_int_equal(judge(CHECK_PAUSED).state, CHECK_FAILED);
	assert_sentence("for 683 ms at a time (at most 100 ms)", "measure again");
	summary.percentiles[50] = 7 * SECOND; /* answers take long: that much more or less says little */
	assert_int_equal(judge(CHECK_PAUSED).state, CHECK_OK);
	summary.percentiles[50] = 6 * SECOND;
	assert_int_equal(judge(CHECK_PAUSED).state, CHECK_FAILED);
	assert_sentence("at most 600 ms", "taskset");
}

static void
test_a_pause_of_an_open_loop_is_held_against_service_times(void **state)
{
	(void)state;
	summary.percentiles[50] = 7 * SECOND; /* requests waited for connections */
	summary.paused_ns = 683 * MS;
	assert_int_equal(judge(CHECK_PAUSED).state, CHECK_FAILED);
	summary.service_p50_ns = 7 * SECOND;
	assert_int_equal(judge(CHECK_PAUSED).state, CHECK_OK);
}

static void
test_what_is_not_judged(void **state)
{
	struct check checks[CHECK_KINDS];

	(void)state;
	summary.cpu_share = 1;
	summary.most_open = 1;
	summary.under_way_s = 1;
	summary.paused_ns = SECOND / 2;
	assert_int_equal(check_all(checks, &cell, &summary), 4);
	summary.duration_ns = SECOND / 5 - 1;
	assert_int_equal(check_all(checks, &cell, &summary), 0);
	summary.duration_ns = SECOND / 5;
	assert_int_equal(check_all(checks, &cell, &summary), 4);
	summary.end = CELL_INTERRUPTED; /* what was done counts */
	assert_int_equal(check_all(checks, &cell, &summary), 4);
	summary.end = CELL_RECEIVE;
	assert_int_equal(check_all(checks, &cell, &summary), 0);
	summary.end = CELL_DONE;
	summary.complete = 0;
	assert_int_equal(check_all(checks, &cell, &summary), 0);
	for (int kind = 0; kind < CHECK_KINDS; kind++)
		assert_int_equal(checks[kind].state, CHECK_NONE);
}

static void
test_a_sentence_is_cut_where_there_is_no_room(void **state)
{
	struct check check = {.state = CHECK_FAILED, .waited = 1};
	char small[20];

	(void)state;
	for (int kind = 0; kind < CHECK_KINDS; kind++) {
		check_sentence((enum check_kind)kind, &check, small, sizeof(small));
		assert_int_equal(strlen(small), sizeof(small) - 1);
		assert_true(strlen(check_name((enum check_kind)kind)) >= 3);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_all_is_well_in_a_closed_loop, closed),
	    cmocka_unit_test_setup(test_all_is_well_in_an_open_loop, open_loop),
	    cmocka_unit_test_setup(test_a_thread_without_cpu_to_spare, closed),
	    cmocka_unit_test_setup(test_requests_that_leave_late, open_loop),
	    cmocka_unit_test_setup(test_queued_requests_have_no_lag, open_loop),
	    cmocka_unit_test_setup(test_requests_whose_connect_failed_have_no_lag, open_loop),
	    cmocka_unit_test_setup(test_connections_that_never_stood, closed),
	    cmocka_unit_test_setup(test_a_pool_that_is_always_busy, open_loop),
	    cmocka_unit_test_setup(test_a_rate_that_was_not_kept, open_loop),
	    cmocka_unit_test_setup(test_requests_that_all_leave_in_the_end, open_loop),
	    cmocka_unit_test_setup(test_a_rate_without_one_answer, open_loop),
	    cmocka_unit_test_setup(test_gaps_that_are_not_exponential, open_loop),
	    cmocka_unit_test_setup(test_the_arrivals_of_a_ramp_are_judged_at_its_worst, open_loop),
	    cmocka_unit_test_setup(test_connections_left_waiting, closed),
	    cmocka_unit_test_setup(test_closing_connections_takes_its_time, closed),
	    cmocka_unit_test_setup(test_connections_with_several_requests_under_way, closed),
	    cmocka_unit_test_setup(test_a_thread_that_did_not_run, closed),
	    cmocka_unit_test_setup(test_a_pause_of_an_open_loop_is_held_against_service_times, open_loop),
	    cmocka_unit_test_setup(test_what_is_not_judged, closed),
	    cmocka_unit_test_setup(test_a_sentence_is_cut_where_there_is_no_room, closed),
	};

	return cmocka_run_group_tests_name("loadgen/check", tests, NULL, NULL);
}
