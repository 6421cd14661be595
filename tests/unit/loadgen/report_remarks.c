/* Unit tests of the remarks: each only where there is something to say. */
#include "tests/unit/loadgen/figures.h"

static void
print_line(FILE *out, const char *text)
{
	fprintf(out, "%s\n", text);
}

static void
print_remarks(const struct sweep *what, FILE *out)
{
	report_remarks(&what->rows[0], out, print_line);
}

static void
test_nothing_where_all_is_well(void **state)
{
	(void)state;
	figures_set(1, 1);
	assert_prints(print_remarks, "");
}

static void
test_requests_that_are_not_in_the_times(void **state)
{
	(void)state;
	figures_set(1, 1);
	rows[0].summary.unfinished = 1;
	assert_prints(print_remarks, "1 request was under way when time was up\n");
	rows[0].summary.unfinished = 7;
	assert_prints(print_remarks, "7 requests were under way when time was up\n");
	rows[0].summary.overdue = 3;
	assert_prints(print_remarks,
	    "7 requests were under way when time was up\n3 of these had waited longer than any "
	    "answer took: the total times and their percentiles have them with their age, the other times do not\n");
	rows[0].cell.open_loop = true;
	assert_holds(
	    print_remarks, ": the delays, and the total times and their percentiles, have them with their age,", true);
	rows[0].summary.missed = 11;
	rows[0].summary.queued = 13;
	assert_holds(print_remarks,
	    "\n11 requests were due and had not begun when time was up\n3 of these had waited longer", true);
	assert_holds(
	    print_remarks, "\n13 requests were due while all connections were busy, and waited for one;", true);
}

static void
test_what_failed_and_why(void **state)
{
	(void)state;
	figures_set(1, 1);
	rows[0].summary.failures[FAILURE_MALFORMED] = 20;
	assert_prints(print_remarks, "Failed: malformed 20\n");
	strcpy(rows[0].summary.whys[FAILURE_MALFORMED], "not HTTP/1");
	rows[0].summary.failures[FAILURE_TRUNCATED] = 3;
	assert_prints(print_remarks, "Failed: truncated 3, malformed 20 (not HTTP/1)\n");
	for (unsigned i = 0; i < FAILURE_CLASSES; i++) { /* the longest */
		rows[0].summary.failures[i] = UINT64_MAX;
		memset(rows[0].summary.whys[i], 'x', FAILURE_WHY_MAX - 1);
	}
	assert_holds(print_remarks, "Failed: connect 18446744073709551615 (xxx", true);
}

static void
test_what_a_closed_loop_hides(void **state)
{
	(void)state;
	figures_set(1, 1);
	rows[0].summary.total.max = 1003 * NS_PER_MS;
	assert_holds(
	    print_remarks, "The slowest request took 1003.0 ms, and 90% took 101.5 ms or less.  In this closed", true);
	assert_holds(print_remarks, "--rate 49\n", true);
	rows[0].summary.total.max = 500 * NS_PER_MS; /* less than five times as long as the others */
	assert_prints(print_remarks, "");
	rows[0].summary.total.max = 1003 * NS_PER_MS;
	rows[0].summary.duration_ns = 200 * NS_PER_SEC; /* 0.5% of the run: even an open loop's p99 would not show it */
	assert_prints(print_remarks, "");
	rows[0].summary.duration_ns = 5 * NS_PER_SEC;
	rows[0].cell.open_loop = true;
	assert_prints(print_remarks, "");
	rows[0].cell.open_loop = false;
	rows[0].summary.rps = 0.3;
	assert_holds(print_remarks, "--rate 1\n", true);
}

static void
test_a_hiccup_is_no_stall(void **state)
{
	struct summary *summary = &rows[0].summary;

	(void)state;
	figures_set(1, 1);
	summary->duration_ns = NS_PER_MS;
	summary->percentiles[90] = 40 * NS_PER_US;
	summary->total.max = 9999 * NS_PER_US;
	assert_prints(print_remarks, "");
	summary->total.max = 10 * NS_PER_MS;
	assert_holds(print_remarks, "The slowest request took 10.0 ms, and 90% took 40 us or less.", true);
	summary->complete = 20;
	assert_holds(print_remarks, "The slowest request took", true);
	summary->complete = 19; /* the one with the handshake would be 5% of them */
	assert_prints(print_remarks, "");
}

static void
test_failed_checks(void **state)
{
	struct check *checks = rows[0].summary.checks;
	char sentence[512], expected[600];

	(void)state;
	figures_set(1, 1);
	for (unsigned i = 0; i < CHECK_KINDS; i++)
		checks[i].state = CHECK_OK;
	assert_prints(print_remarks, "");
	checks[CHECK_CPU] = (struct check){.state = CHECK_FAILED, .measured = 0.99, .limit = 0.9};
	check_sentence(CHECK_CPU, &checks[CHECK_CPU], sentence, sizeof(sentence));
	snprintf(expected, sizeof(expected), "Check failed (%s): %s\n", check_name(CHECK_CPU), sentence);
	assert_prints(print_remarks, expected);
}

static void
expect(const char *text)
{
	char error[256];

	assert_int_equal(expect_parse(&config.expects[config.expects_len++], text, error, sizeof(error)), 0);
}

static void
test_expectations_that_were_not_met(void **state)
{
	(void)state;
	figures_set(1, 1);
	expect("errors=0");
	expect("p50<1s");
	assert_prints(print_remarks, "");
	expect("p50<50ms");
	rows[0].summary.errors = 2;
	assert_prints(
	    print_remarks, "Not as expected: errors=0, but it was 2\nNot as expected: p50<50ms, but it was 100.9 ms\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nothing_where_all_is_well),
	    cmocka_unit_test(test_requests_that_are_not_in_the_times),
	    cmocka_unit_test(test_what_failed_and_why),
	    cmocka_unit_test(test_what_a_closed_loop_hides),
	    cmocka_unit_test(test_a_hiccup_is_no_stall),
	    cmocka_unit_test(test_failed_checks),
	    cmocka_unit_test(test_expectations_that_were_not_met),
	};

	return cmocka_run_group_tests_name("loadgen/report_remarks", tests, NULL, NULL);
}
