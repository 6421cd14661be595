/* Unit tests of the table of a sweep: known figures in, known text out. */
#include "tests/unit/loadgen/figures.h"

static struct knee knees[2];

/* set_sweep makes known figures of which enough were measured. */
static void
set_sweep(size_t targets, size_t concurrencies)
{
	figures_set(targets, concurrencies);
	sweep.knees = knees;
	for (size_t i = 0; i < sweep.rows_len; i++)
		rows[i].summary.p99_interval.known = true;
}

static char *
table(void)
{
	return figures_text(report_table);
}

static void
assert_table(const char *expected)
{
	char *text = table();

	assert_string_equal(text, expected);
	free(text);
}

static void
assert_ends(const char *expected)
{
	char *text = table();
	size_t len = strlen(text), end = strlen(expected);

	if (len < end || strcmp(text + len - end, expected) != 0)
		fail_msg("it ends otherwise: %s", text);
	free(text);
}

static void
assert_fits(void)
{
	char *text = table(), *line, *rest;

	for (line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
		if (strlen(line) > 80)
			fail_msg("%zu columns: %s", strlen(line), line);
	free(text);
}

static void
test_two_targets(void **state)
{
	(void)state;
	set_sweep(2, 2);
	rows[1].summary.rps = 9.94;
	rows[1].ratio = 0.2;
	rows[2].summary.rps = 398.86;
	rows[2].summary.complete = 99;
	rows[2].summary.failed = 1;
	rows[2].summary.failures[FAILURE_TIMEOUT] = 1;
	rows[3].summary.rps = 9.931;
	rows[3].summary.time_per_request_ms = 1007.4;
	rows[3].ratio = 0.0249;
	assert_table("loadgen 0.1.0, closed loop, 100 requests a cell, 1 thread\n"
		     "A  http://127.0.0.1:8088/  toy/1\n"
		     "B  http://127.0.0.1:8089/  toy/1\n"
		     "\n"
		     "           requests    time/request [ms]         latency [ms]    rps\n"
		     "    c  done  failed    rps   mean    all    p50    p99    max   vs A\n"
		     "A   5   100       0  49.69  100.6  20.12  100.9  101.6  101.6\n"
		     "B   5   100       0  9.940  100.6  20.12  100.9  101.6  101.6  x0.20\n"
		     "\n"
		     "A  10    99       1  398.9  100.6  20.12  100.9  101.6  101.6\n"
		     "B  10   100       0  9.931   1007  20.12  100.9  101.6  101.6  x0.02\n"
		     "\n"
		     "Failed: timeout 1\n"
		     "\n"
		     "Ratios of single runs: --repeat 5 says how far they can be trusted\n");
}

static void
test_sleeps_and_a_missing_cell(void **state)
{
	(void)state;
	set_sweep(2, 1);
	config.sleeps = (struct list){.values = {100000000}, .len = 1};
	config.spec.keep_alive = true;
	config.threads = 2;
	config.repeats = 2;
	config.time_limit_ns = 1500 * NS_PER_MS;
	sweep.interrupted = true;
	rows[0].measured = false;
	rows[1].cell.has_sleep = true;
	rows[1].cell.sleep_ns = 100000000;
	rows[1].summary.non_2xx = 100;
	assert_table("loadgen 0.1.0, closed loop, 1.5 s or 100 requests a cell, 2 repetitions, 2\n"
		     "  threads, keep-alive\n"
		     "A  http://127.0.0.1:8088/\n"
		     "B  http://127.0.0.1:8089/  toy/1\n"
		     "\n"
		     "                 requests        time/request [ms]         latency [ms]   rps\n"
		     "   sleep  c  done  failed    rps  +-   mean    all    p50    p99    max  vs A\n"
		     "B    0.1  5   100       0  49.69      100.6  20.12  100.9  101.6  101.6\n"
		     "\n"
		     "Non-2xx responses: 100\n"
		     "\n"
		     "Interrupted: 1 of 2 cells, the last one perhaps in part.\n"
		     "\n"
		     "+- 95% intervals, of 2 repetitions in random order (Student's t)\n");
}

static void
test_one_request_a_cell(void **state)
{
	(void)state;
	set_sweep(1, 2);
	config.requests = 1;
	assert_holds(report_table, "loadgen 0.1.0, closed loop, 1 request a cell, 1 thread\n", true);
}

static void
test_intervals_of_repetitions(void **state)
{
	(void)state;
	set_sweep(2, 1);
	config.repeats = 5;
	rows[0].rps = (struct interval){.low = 49.5, .high = 49.9, .known = true};
	rows[1].summary.rps = 1234.5;
	rows[1].rps = (struct interval){.low = 1210, .high = 1260, .known = true};
	rows[1].ratio = 24.84;
	rows[1].ratio_interval = (struct interval){.low = 24.31, .high = 25.42, .known = true};
	assert_table("loadgen 0.1.0, closed loop, 100 requests a cell, 5 repetitions, 1 thread\n"
		     "A  http://127.0.0.1:8088/  toy/1\n"
		     "B  http://127.0.0.1:8089/  toy/1\n"
		     "\n"
		     "       requests      time/request [ms]      latency [ms]           rps\n"
		     "  c done failed   rps   +-  mean   all   p50   p99   max          vs A\n"
		     "A 5  100      0 49.69 0.20 100.6 20.12 100.9 101.6 101.6\n"
		     "B 5  100      0  1234   25 100.6 20.12 100.9 101.6 101.6 x24.84 +-0.58\n"
		     "\n"
		     "+- 95% intervals, of 5 repetitions in random order (Student's t)\n"
		     "vs A: the geometric mean of the repetitions' ratios, not the ratio of the rps\n"
		     "  above, which are of all repetitions together\n");
}

static void
test_what_must_be_known_stands_below(void **state)
{
	(void)state;
	set_sweep(1, 2);
	rows[0].summary.p99_interval.known = false;
	rows[1].summary.p50_interval.known = rows[1].summary.p99_interval.known = false;
	rows[1].summary.complete = 25;
	rows[1].summary.total.max = 1013 * NS_PER_MS;
	rows[1].summary.checks_failed = 1;
	rows[1].summary.checks[CHECK_CPU] =
	    (struct check){.state = CHECK_FAILED, .measured = 0.99, .limit = 0.95, .threads = 1};
	assert_table("loadgen 0.1.0, closed loop, 100 requests a cell, 1 thread\n"
		     "http://127.0.0.1:8088/  toy/1\n"
		     "\n"
		     "        requests     time/request [ms]           latency [ms]\n"
		     " c  done  failed    rps    mean    all    p50     p99     max\n"
		     " 5   100       0  49.69   100.6  20.12  100.9   101.6*  101.6\n"
		     "10    25       0  49.69!  100.6  20.12  100.9*  101.6*   1013~\n"
		     "\n"
		     "* p99 of fewer than 368 requests: the true one may lie above them all\n"
		     "* p50 of fewer than 6 requests: the true one may lie beyond them all\n"
		     "~ a pause, in which a closed loop asks for nothing: of requests that do not wait\n"
		     "  for each other, more than 1% would have met the pause; an open loop (--rate)\n"
		     "  shows them\n"
		     "! c 10: the busiest thread used 99% of a CPU (at most 95%), so that answers\n"
		     "  waited for loadgen: use --threads 2, or fewer connections or a lower rate\n");
}

static void
test_an_open_loop_has_its_own_columns(void **state)
{
	(void)state;
	set_sweep(1, 2);
	config.rates = (struct list){.values = {50000, 200500}, .len = 2};
	config.concurrency = (struct list){.values = {100}, .len = 1};
	config.arrivals = ARRIVALS_POISSON;
	config.requests = CONFIG_UNLIMITED;
	config.time_limit_ns = 2 * NS_PER_SEC;
	config.warmup_ns = NS_PER_SEC;
	for (size_t i = 0; i < 2; i++) {
		rows[i].cell.open_loop = true;
		rows[i].cell.ramp.from = rows[i].cell.ramp.to = i == 0 ? 50 : 200.5;
	}
	rows[1].summary.missed = 12;
	rows[1].summary.complete = 0;
	rows[1].summary.total.max = 10 * NS_PER_SEC; /* of one that was under way when time was up */
	assert_table("loadgen 0.1.0, open loop (poisson), at most 100 connections, 2 s a cell after 1\n"
		     "  s of warm-up, 1 thread\n"
		     "http://127.0.0.1:8088/  toy/1\n"
		     "\n"
		     "           requests                               latency [ms]\n"
		     " rate  done  failed  missed    rps   mean    p50    p99    max\n"
		     "   50   100       0       0  49.69  100.6  100.9  101.6  101.6\n"
		     "200.5     0       0      12  49.69      -      -      -      -\n");
	rows[0].cell.ramp.from = 100000;
	rows[0].cell.ramp.to = 2500000;
	rows[0].cell.ramp.duration_ns = NS_PER_SEC;
	rows[1].cell.ramp.from = rows[1].cell.ramp.to = 10000000;
	assert_holds(report_table, "\n100000-2500000   100 ", true);
	assert_holds(report_table, "\n      10000000     0 ", true);
}

static void
test_what_was_not_as_expected_is_told(void **state)
{
	(void)state;
	set_sweep(2, 1);
	config.repeats = 2;
	assert_int_equal(expect_parse(&config.expects[0], "rps>40", NULL, 0), 0);
	assert_int_equal(expect_parse(&config.expects[1], "p99<100ms", NULL, 0), 0);
	config.expects_len = 2;
	rows[1].summary.rps = 39.9999;
	assert_ends("\n\nNot as expected: A, c 5: p99<100ms, but it was 101.6 ms\n"
		    "Not as expected: B, c 5: rps>40, but it was 39.9999\n"
		    "Not as expected: B, c 5: p99<100ms, but it was 101.6 ms\n"
		    "\n+- 95% intervals, of 2 repetitions in random order (Student's t)\n");
}

/* set_knee makes a search of the rows 0 to LEN - 1. */
static void
set_knee(size_t len, enum saturate_end end, const struct row *row, const struct row *best, const struct row *beyond)
{
	config.until_saturated = true;
	sweep.rows_len = len;
	sweep.knees_len = 1;
	knees[0] = (struct knee){.len = len, .end = end, .row = row, .best = best, .beyond = beyond};
}

static void
test_the_knee_is_told_below(void **state)
{
	(void)state;
	set_sweep(1, 3);
	rows[2].summary.rps = 12345.6;
	rows[2].summary.duration_ns = 8100052; /* for as many good answers as requests */
	set_knee(3, SATURATE_FLAT, &rows[0], &rows[2], NULL);
	assert_ends("\n20   100       0  12346  100.6  20.12  100.9  101.6  101.6\n\n"
		    "Knee at 5 connections: 49.69 requests/s, p99 101.6 ms. More connections bring no\n"
		    "  more than 12346 requests/s (at 20 connections).\n");
	set_knee(3, SATURATE_FLAT, &rows[0], &rows[0], NULL);
	assert_ends("p99 101.6 ms. More connections bring no\n  more.\n");
	set_knee(3, SATURATE_LIMIT, &rows[1], &rows[2], NULL);
	assert_ends("Knee at 10 connections: 49.69 requests/s, p99 101.6 ms. Throughput still grew at\n"
		    "  20 connections, the most that could be tried: the true knee may lie higher.\n");
	assert_int_equal(expect_parse(&config.expects[0], "p99<100ms", NULL, 0), 0);
	config.expects_len = 1;
	set_knee(3, SATURATE_BROKEN, &rows[0], &rows[0], &rows[1]);
	assert_ends("Knee at 5 connections: 49.69 requests/s, p99 101.6 ms. Beyond, p99<100ms does\n"
		    "  not hold at 10 connections: it was 101.6 ms.\n");
	rows[1].measured = false;
	assert_ends("Beyond, the run broke off\n  at 10 connections.\n");
}

static void
test_there_may_be_no_knee(void **state)
{
	(void)state;
	set_sweep(2, 1);
	rows[0].cell.concurrency = 1;
	set_knee(1, SATURATE_FLAT, NULL, NULL, NULL);
	sweep.rows_len = sweep.knees_len = 2;
	knees[1] = (struct knee){.first = 1, .len = 1, .end = SATURATE_CLIMBING};
	rows[1].cell.has_sleep = true;
	rows[1].cell.sleep_ns = 250 * NS_PER_MS;
	assert_ends("\nA: No knee: no answer was good (2xx), up to 1 connection.\n"
		    "B, sleep 0.25 s: The search for the knee was interrupted.\n");
	assert_int_equal(expect_parse(&config.expects[0], "min<1ms", NULL, 0), 0);
	config.expects_len = 1;
	knees[0].end = SATURATE_BROKEN;
	knees[0].beyond = &rows[0];
	assert_ends("\nA: No knee: min<1ms does not hold at 1 connection: it was 100.2 ms.\n"
		    "B, sleep 0.25 s: The search for the knee was interrupted.\n");
	sweep.interrupted = true;
	assert_holds(report_table, "\nInterrupted after 2 steps, the last one perhaps in part.\n", true);
	rows[1].measured = false;
	assert_holds(report_table, "\nInterrupted after 1 step, the last one perhaps in part.\n", true);
}

static void
test_the_knee_of_a_rate(void **state)
{
	(void)state;
	set_sweep(1, 2);
	config.rates = (struct list){.values = {50000}, .len = 1};
	for (size_t i = 0; i < 2; i++) {
		rows[i].cell.open_loop = true;
		rows[i].cell.ramp.from = rows[i].cell.ramp.to = i == 0 ? 52.5 : 1000;
	}
	set_knee(2, SATURATE_FLAT, &rows[0], &rows[1], NULL);
	assert_ends("Knee at 52.5 requests/s: 49.69 of them answered, p99 101.6 ms. Higher rates\n"
		    "  bring no more than 49.69 of them answered (at 1000 requests/s).\n");
}

static void
test_it_fits_80_columns_whatever_the_figures(void **state)
{
	char url[300];

	(void)state;
	set_sweep(2, 2);
	memset(url, 'x', sizeof(url) - 1);
	url[sizeof(url) - 1] = '\0';
	sweep.targets[0].url = url;
	config.sleeps = (struct list){.values = {3599123400000}, .len = 1};
	for (size_t i = 0; i < 4; i++) {
		struct summary *summary = &rows[i].summary;

		rows[i].cell.has_sleep = true;
		rows[i].cell.sleep_ns = config.sleeps.values[0];
		rows[i].cell.concurrency = 20000;
		summary->complete = summary->failed = 2147483647;
		summary->rps = 123456.7;
		summary->time_per_request_ms = summary->time_per_request_all_ms = 99999.9;
		summary->percentiles[50] = summary->percentiles[99] = summary->total.max = 86400 * NS_PER_SEC;
	}
	assert_fits();
	config.repeats = 5;
	for (size_t i = 0; i < 4; i++) {
		rows[i].ratio = 1234.5;
		rows[i].rps = rows[i].ratio_interval = (struct interval){.low = 1, .high = 123456, .known = true};
		rows[i].summary.p50_interval.known = rows[i].summary.p99_interval.known = false;
		rows[i].summary.checks_failed = 1;
		rows[i].summary.checks[CHECK_CPU].state = CHECK_FAILED;
	}
	assert_fits();
	config.ramp = (struct ramp){.from = 12345.678, .to = 9876543.2, .duration_ns = 1};
	for (size_t i = 0; i < 4; i++) {
		rows[i].cell.open_loop = true;
		rows[i].cell.ramp = config.ramp;
		rows[i].summary.missed = 2147483647;
	}
	assert_fits();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_two_targets),
	    cmocka_unit_test(test_sleeps_and_a_missing_cell),
	    cmocka_unit_test(test_one_request_a_cell),
	    cmocka_unit_test(test_intervals_of_repetitions),
	    cmocka_unit_test(test_what_must_be_known_stands_below),
	    cmocka_unit_test(test_an_open_loop_has_its_own_columns),
	    cmocka_unit_test(test_what_was_not_as_expected_is_told),
	    cmocka_unit_test(test_the_knee_is_told_below),
	    cmocka_unit_test(test_there_may_be_no_knee),
	    cmocka_unit_test(test_the_knee_of_a_rate),
	    cmocka_unit_test(test_it_fits_80_columns_whatever_the_figures),
	};

	return cmocka_run_group_tests_name("loadgen/report_table", tests, NULL, NULL);
}
