/* Unit tests of the table of a sweep: known figures in, known text out. */
#include "tests/unit/loadgen/figures.h"

static void
test_table_of_two_targets(void **state)
{
	(void)state;
	figures_set(2, 2);
	rows[1].summary.rps = 9.94;
	rows[2].summary.rps = 398.86;
	rows[2].summary.complete = 99;
	rows[2].summary.failed = 1;
	rows[2].summary.failures[FAILURE_TIMEOUT] = 1;
	rows[3].summary.rps = 9.931;
	rows[3].summary.time_per_request_ms = 1007.4;
	rows[3].summary.total.max = 1013 * NS_PER_MS;
	assert_prints(report_table, "loadgen 0.1.0, closed loop, 100 requests a cell, 1 thread\n"
				    "A  http://127.0.0.1:8088/  toy/1\n"
				    "B  http://127.0.0.1:8089/  toy/1\n"
				    "\n"
				    "           requests    time/request [ms]         latency [ms]    rps\n"
				    "    c  done  failed    rps   mean    all    p50    p99    max   vs A\n"
				    "A   5   100       0  49.69  100.6  20.12  100.9  101.6  101.6\n"
				    "B   5   100       0  9.940  100.6  20.12  100.9  101.6  101.6  x0.20\n"
				    "\n"
				    "A  10    99       1  398.9  100.6  20.12  100.9  101.6  101.6\n"
				    "B  10   100       0  9.931   1007  20.12  100.9  101.6   1013  x0.02\n"
				    "\n"
				    "Failed: timeout 1\n");
}

static void
test_table_with_sleeps_and_a_missing_cell(void **state)
{
	(void)state;
	figures_set(2, 1);
	config.sleeps = (struct list){.values = {100000000}, .len = 1};
	config.spec.keep_alive = true;
	config.threads = 2;
	config.time_limit_ns = 1500 * NS_PER_MS;
	sweep.interrupted = true;
	rows[0].measured = false;
	rows[1].cell.has_sleep = true;
	rows[1].cell.sleep_ns = 100000000;
	rows[1].summary.non_2xx = 100;
	assert_prints(report_table, "loadgen 0.1.0, closed loop, 1.5 s or 100 requests a cell, 2 threads, keep-alive\n"
				    "A  http://127.0.0.1:8088/\n"
				    "B  http://127.0.0.1:8089/  toy/1\n"
				    "\n"
				    "                 requests    time/request [ms]         latency [ms]   rps\n"
				    "   sleep  c  done  failed    rps   mean    all    p50    p99    max  vs A\n"
				    "B    0.1  5   100       0  49.69  100.6  20.12  100.9  101.6  101.6\n"
				    "\n"
				    "Non-2xx responses: 100\n"
				    "\n"
				    "Interrupted: 1 of 2 cells, the last one perhaps in part.\n");
}

static void
test_table_fits_80_columns_whatever_the_figures(void **state)
{
	char *text, *line, *rest, url[300];

	(void)state;
	figures_set(2, 2);
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
	text = figures_text(report_table);
	for (line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
		if (strlen(line) > 80)
			fail_msg("%zu columns: %s", strlen(line), line);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table_of_two_targets),
	    cmocka_unit_test(test_table_with_sleeps_and_a_missing_cell),
	    cmocka_unit_test(test_table_fits_80_columns_whatever_the_figures),
	};

	return cmocka_run_group_tests_name("loadgen/report_table", tests, NULL, NULL);
}
