/* Unit tests of --csv and --series: names of columns and what stands in them. */
#include "tests/unit/loadgen/figures.h"

static void
print_csv(const struct sweep *what, FILE *out)
{
	report_csv(out, what);
}

static void
print_series(const struct sweep *what, FILE *out)
{
	report_series(out, what);
}

/* column copies what stands in column NAME of line LINE (1: the first cell); commas in quotes do not occur here. */
static const char *
column(print_fn *print, const char *name, unsigned line)
{
	static char found[256];
	char *text = figures_text(print), *rest = text, *at, *field;
	unsigned place = 0;

	at = strsep(&rest, "\n");
	for (field = strsep(&at, ","); field != NULL && strcmp(field, name) != 0; field = strsep(&at, ","))
		place++;
	assert_non_null(field);
	for (; line > 0; line--)
		at = strsep(&rest, "\n");
	for (; place > 0; place--)
		strsep(&at, ",");
	field = strsep(&at, ",");
	assert_non_null(field);
	snprintf(found, sizeof(found), "%s", field);
	free(text);
	return found;
}

/* Scripts read the columns by their names, and some by their place: so the first ones stay where they are. */
static void
test_first_columns_stay(void **state)
{
	(void)state;
	figures_set(1, 1);
	assert_holds(print_csv,
	    "target,sleep_s,concurrency,requests,failed,rps,time_per_request_ms,time_per_request_all_ms,p50_ms,p90_ms,"
	    "p99_ms,max_ms,complete,duration_s,min_ms,mean_ms,sd_ms,p95_ms,failed_connect,failed_receive,failed_length,"
	    "failed_exceptions,failed_timeout,non_2xx,keepalive_requests,bytes_received,client_cpu_s,server_software,",
	    true);
	assert_holds(print_csv,
	    "\nhttp://127.0.0.1:8088/,,5,100,0,49.693,100.617284,20.123457,100.900000,101.460000,101.586000,101.600000,"
	    "100,2.012346,100.200000,100.600000,0.310000,101.530000,0,0,0,0,0,0,0,15500,0.000000,toy/1,closed,,,,1,",
	    true);
}

static void
test_every_row_has_every_column(void **state)
{
	char *text, *line, *rest;
	size_t columns = 0, rows_seen = 0;

	(void)state;
	figures_set(2, 2);
	figures_open();
	rows[1].cell.open_loop = true;
	rows[1].cell.ramp = (struct ramp){.from = 1, .to = 2, .duration_ns = NS_PER_SEC};
	sweep.targets[1].tls = true;
	rows[2].rps = (struct interval){.low = 1, .high = 2, .known = true};
	rows[2].ratio = 2;
	rows[2].ratio_interval = rows[2].rps;
	text = rest = figures_text(print_csv);
	while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
		size_t commas = 0;

		for (const char *at = line; *at != '\0'; at++)
			commas += *at == ',';
		if (columns == 0)
			columns = commas;
		assert_int_equal(commas, columns);
		rows_seen++;
	}
	assert_int_equal(rows_seen, 5);
	free(text);
}

static void
test_what_stands_in_the_columns(void **state)
{
	uint64_t *failures = rows[0].summary.failures;

	(void)state;
	figures_set(1, 2);
	for (unsigned i = 0; i < FAILURE_CLASSES; i++)
		failures[i] = i + 1;
	assert_string_equal(column(print_csv, "failed_connect", 1), "3");
	assert_string_equal(column(print_csv, "failed_tls", 1), "2");
	assert_string_equal(column(print_csv, "failed_receive", 1), "4");
	assert_string_equal(column(print_csv, "failed_length", 1), "12");
	assert_string_equal(column(print_csv, "failed_truncated", 1), "5");
	assert_string_equal(column(print_csv, "failed_exceptions", 1), "6");
	assert_string_equal(column(print_csv, "failed_timeout", 1), "3");
	assert_string_equal(column(print_csv, "p50_low_ms", 1), "100.400000");
	assert_string_equal(column(print_csv, "p50_high_ms", 1), "100.600000");
	assert_string_equal(column(print_csv, "p99_low_ms", 1), "");
	assert_string_equal(column(print_csv, "load", 1), "closed");
	assert_string_equal(column(print_csv, "rate", 1), "");
	assert_string_equal(column(print_csv, "service_p99_ms", 1), "");
	assert_string_equal(column(print_csv, "tls_mean_ms", 1), "");
	assert_string_equal(column(print_csv, "checks_failed", 1), "");
	figures_open();
	config.requests = CONFIG_UNLIMITED;
	rows[0].summary.checks[CHECK_CPU].state = rows[0].summary.checks[CHECK_LAG].state = CHECK_FAILED;
	rows[0].summary.checks[CHECK_RATE].state = CHECK_OK;
	assert_string_equal(column(print_csv, "load", 1), "open");
	assert_string_equal(column(print_csv, "rate", 1), "50");
	assert_string_equal(column(print_csv, "arrivals", 1), "constant");
	assert_string_equal(column(print_csv, "requests", 1), "");
	assert_string_equal(column(print_csv, "service_p99_ms", 1), "91.900000");
	assert_string_equal(column(print_csv, "checks_failed", 1), "cpu send_lag");
	assert_string_equal(column(print_csv, "load", 2), "closed");
	rows[0].cell.ramp = (struct ramp){.from = 1, .to = 2, .duration_ns = NS_PER_SEC};
	assert_string_equal(column(print_csv, "rate", 1), "");
	assert_string_equal(column(print_csv, "ramp", 1), "1:2:1");
}

/* What was never measured is not 0: who adds up or draws the columns would be misled. */
static void
test_without_an_answer_the_times_are_empty(void **state)
{
	static const char *const columns[] = {"time_per_request_ms", "time_per_request_all_ms", "p50_ms", "p90_ms",
	    "p99_ms", "max_ms", "min_ms", "mean_ms", "sd_ms", "p95_ms", "p99_9_ms", "connect_mean_ms", "tls_mean_ms",
	    "processing_mean_ms", "waiting_mean_ms", "service_p50_ms", "service_p99_ms", "delay_p99_ms",
	    "send_lag_p99_ms"};

	(void)state;
	figures_set(1, 1);
	figures_open();
	sweep.targets[0].tls = true;
	rows[0].summary.tls.count = 1;
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		assert_string_not_equal(column(print_csv, columns[i], 1), "");
	figures_none();
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		assert_string_equal(column(print_csv, columns[i], 1), "");
	assert_string_equal(column(print_csv, "rps", 1), "0.000");
	assert_string_equal(column(print_csv, "complete", 1), "0");
	assert_string_equal(column(print_csv, "checks_failed", 1), "");
}

static void
print_percentiles(const struct sweep *what, FILE *out)
{
	assert_int_equal(report_percentiles(out, what), 0);
}

static void
test_without_an_answer_there_are_no_percentiles(void **state)
{
	(void)state;
	figures_set(1, 1);
	assert_holds(print_percentiles, "Percentage served,Time in ms\n0,100.200\n1,100.214\n", true);
	figures_none();
	assert_prints(print_percentiles, "Percentage served,Time in ms\n");
}

static void
test_quotes_what_would_break_it(void **state)
{
	(void)state;
	figures_set(2, 1);
	sweep.targets[0].url = "http://x/?a=1,2";
	strcpy(rows[0].summary.server, "say \"x\"");
	rows[1].measured = false;
	assert_holds(print_csv, "\n\"http://x/?a=1,2\",,5,100,0,49.693,100.617284,20.123457,100.900000,", true);
	assert_holds(print_csv, ",\"say \"\"x\"\"\",closed,", true);
	assert_holds(print_csv, "8089", false);
}

static void
test_seconds(void **state)
{
	struct series *series = &rows[0].stats.series;

	(void)state;
	figures_set(1, 2);
	assert_int_equal(series_init(series), 0);
	series_begin(series, 5 * NS_PER_SEC);
	series_record(series, 5 * NS_PER_SEC + 1, 20 * NS_PER_MS, 100, false);
	series_record(series, 7 * NS_PER_SEC + 1, 40 * NS_PER_MS, 50, true);
	rows[0].cell.has_sleep = true;
	rows[0].cell.sleep_ns = 100 * NS_PER_MS;
	rows[1].measured = false;
	assert_holds(print_series,
	    "target,sleep_s,concurrency,rate,t_s,complete,failed,bytes_received,p50_ms,p90_ms,p99_ms,max_ms\n"
	    "http://127.0.0.1:8088/,0.1,5,,0,1,0,100,",
	    true);
	assert_holds(print_series, ",20.000\nhttp://127.0.0.1:8088/,0.1,5,,1,0,0,0,,,,\n", true);
	assert_holds(print_series, "\nhttp://127.0.0.1:8088/,0.1,5,,2,1,1,50,", true);
	assert_string_equal(column(print_series, "max_ms", 3), "40.000");
	figures_open();
	assert_string_equal(column(print_series, "rate", 1), "50");
	series_deinit(series);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_first_columns_stay),
	    cmocka_unit_test(test_every_row_has_every_column),
	    cmocka_unit_test(test_what_stands_in_the_columns),
	    cmocka_unit_test(test_without_an_answer_the_times_are_empty),
	    cmocka_unit_test(test_without_an_answer_there_are_no_percentiles),
	    cmocka_unit_test(test_quotes_what_would_break_it),
	    cmocka_unit_test(test_seconds),
	};

	return cmocka_run_group_tests_name("loadgen/report_csv", tests, NULL, NULL);
}
