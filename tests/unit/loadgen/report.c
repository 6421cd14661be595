/* Unit tests of the reports: known figures in, known text out. */
#include "loadgen/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

static struct config config;
static struct sweep sweep;
static struct row rows[8];

/* set_sweep makes TARGETS targets and as many rows as concurrencies for each, all with the same figures. */
static void
set_sweep(size_t targets, size_t concurrencies)
{
	static char *urls[] = {"http://127.0.0.1:8088/", "http://127.0.0.1:8089/"};

	config = (struct config){.requests = 100, .threads = 1};
	sweep = (struct sweep){
	    .config = &config, .rows = rows, .targets_len = targets, .rows_len = targets * concurrencies};
	for (size_t i = 0; i < targets; i++)
		sweep.targets[i] =
		    (struct target){.url = urls[i], .host = "127.0.0.1", .path = "/", .port = (uint16_t)(8088 + i)};
	for (size_t i = 0; i < sweep.rows_len; i++) {
		struct summary *summary = &rows[i].summary;

		rows[i] = (struct row){
		    .cell = {.config = &config,
			.target = &sweep.targets[i % targets],
			.path = "/",
			.concurrency = 5U << (i / targets)},
		    .measured = true,
		    .summary = {.complete = 100,
			.bytes_received = 15500,
			.bytes_body = 1600,
			.bytes_sent = 9300,
			.duration_ns = 2012345678,
			.document_len = 16,
			.rps = 49.69325,
			.time_per_request_ms = 100.6172839,
			.time_per_request_all_ms = 20.12345678,
			.connect = {.min = 40000, .median = 51000, .max = 1600000, .mean = 60000, .sd = 70000},
			.processing =
			    {.min = 100100000, .median = 100400000, .max = 101499999, .mean = 100500000, .sd = 300000},
			.waiting =
			    {.min = 100100000, .median = 100400000, .max = 101400000, .mean = 100490000, .sd = 300000},
			.total =
			    {.min = 100200000, .median = 100500000, .max = 101600000, .mean = 100600000, .sd = 310000}},
		};
		strcpy(summary->server, "toy/1");
		for (uint64_t percent = 0; percent <= 100; percent++)
			summary->percentiles[percent] = 100200000 + percent * 14000;
	}
}

typedef void print_fn(const struct sweep *what, FILE *out);

static char *
text_of(print_fn *print)
{
	static char *text; /* static, for gcc 12 takes what it points to for a local */
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	print(&sweep, out);
	fclose(out);
	return text;
}

static void
print_csv(const struct sweep *what, FILE *out)
{
	report_csv(out, what);
}

static void
print_json(const struct sweep *what, FILE *out)
{
	report_json(out, what);
}

static void
assert_prints(print_fn *print, const char *expected)
{
	char *text = text_of(print);

	assert_string_equal(text, expected);
	free(text);
}

static void
assert_holds(print_fn *print, const char *part, bool holds)
{
	char *text = text_of(print);

	if ((strstr(text, part) != NULL) != holds)
		fail_msg("%s%s in: %s", holds ? "not " : "", part, text);
	free(text);
}

#define SERVER_LINES \
	"\n\nServer Software:        toy/1\nServer Hostname:        127.0.0.1\nServer Port:            8088\n\n" \
	"Document Path:          /\nDocument Length:        16 bytes\n\nConcurrency Level:      5\n" \
	"Time taken for tests:   2.012 seconds\nComplete requests:      100\n"
#define RATE_LINES \
	"Requests per second:    49.69 [#/sec] (mean)\nTime per request:       100.617 [ms] (mean)\n" \
	"Time per request:       20.123 [ms] (mean, across all concurrent requests)\n" \
	"Transfer rate:          7.52 [Kbytes/sec] received\n"

static void
test_ab_report(void **state)
{
	(void)state;
	set_sweep(1, 1);
	assert_prints(report_ab,
	    "..done\n" SERVER_LINES "Failed requests:        0\n"
	    "Total transferred:      15500 bytes\nHTML transferred:       1600 bytes\n" RATE_LINES "\n"
	    "Connection Times (ms)\n"
	    "              min  mean[+/-sd] median   max\n"
	    "Connect:        0    0   0.1      0       2\n"
	    "Processing:   100  101   0.3    100     101\n"
	    "Waiting:      100  100   0.3    100     101\n"
	    "Total:        100  101   0.3    101     102\n"
	    "\n"
	    "Percentage of the requests served within a certain time (ms)\n"
	    "  50%    101\n  66%    101\n  75%    101\n  80%    101\n  90%    101\n  95%    102\n"
	    "  98%    102\n  99%    102\n 100%    102 (longest request)\n"
	    "\n"
	    "Total time of a request (us)\n"
	    "  min 100200, mean 100600.0, sd 310.0, 50% 100900, 90% 101460, 99% 101586, max 101600\n");
}

static void
test_ab_report_without_deviations_and_percentiles(void **state)
{
	(void)state;
	set_sweep(1, 1);
	config.no_deviation = config.no_percentiles = true;
	assert_prints(report_ab,
	    "..done\n" SERVER_LINES "Failed requests:        0\n"
	    "Total transferred:      15500 bytes\nHTML transferred:       1600 bytes\n" RATE_LINES "\n"
	    "Connection Times (ms)\n"
	    "              min   avg   max\n"
	    "Connect:        0     0    2\n"
	    "Processing:   100   101  101\n"
	    "Waiting:      100   100  101\n"
	    "Total:        100   101  102\n");
}

static void
test_ab_report_with_a_body_failures_and_keep_alive(void **state)
{
	(void)state;
	set_sweep(1, 1);
	config.no_deviation = config.no_percentiles = true;
	config.spec.keep_alive = true;
	config.spec.body = "x";
	rows[0].summary.failed = 28;
	for (unsigned i = 0; i < FAILURE_CLASSES; i++)
		rows[0].summary.failures[i] = i + 1;
	rows[0].summary.write_errors = 6;
	rows[0].summary.non_2xx = 7;
	rows[0].summary.kept_alive = 8;
	assert_holds(report_ab,
	    SERVER_LINES "Failed requests:        28\n   (Connect: 3, Receive: 4, Length: 12, Exceptions: 6)\n"
			 "Timed out requests:     3\nWrite errors:           6\nNon-2xx responses:      7\n"
			 "Keep-Alive requests:    8\nTotal transferred:      15500 bytes\n"
			 "Total body sent:        9300\nHTML transferred:       1600 bytes\n" RATE_LINES
			 "                        4.51 kb/s sent\n                        12.04 kb/s total\n\n",
	    true);
}

static void
test_ab_warnings(void **state)
{
	(void)state;
	set_sweep(1, 1);
	rows[0].summary.connect = (struct distribution){.median = 1000, .mean = 2500, .sd = 1000};
	rows[0].summary.waiting = (struct distribution){.median = 4000, .mean = 1000, .sd = 1000};
	assert_holds(report_ab,
	    "WARNING: The median and mean for the initial connection time are not within a normal deviation\n"
	    "        These results are probably not that reliable.\n"
	    "ERROR: The median and mean for the waiting time are more than twice the standard\n"
	    "       deviation apart. These results are NOT reliable.\n\nPercentage",
	    true);
	config.no_deviation = true;
	assert_holds(report_ab, "reliable", false);
}

static void
test_ab_report_of_nothing(void **state)
{
	(void)state;
	set_sweep(1, 1);
	rows[0].summary = (struct summary){.end = CELL_INTERRUPTED, .document_len = -1};
	assert_holds(report_ab, "Complete requests:      0\n", true);
	assert_holds(report_ab, "Document Length:        0 bytes\n", true);
	assert_holds(report_ab, "Requests per second", false);
	assert_holds(report_ab, "Connection Times", false);
	assert_holds(report_ab, "..done", false);
	rows[0].measured = false;
	assert_prints(report_ab, "\n");
}

static void
test_table_of_two_targets(void **state)
{
	(void)state;
	set_sweep(2, 2);
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
	set_sweep(2, 1);
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
	text = text_of(report_table);
	for (line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
		if (strlen(line) > 80)
			fail_msg("%zu columns: %s", strlen(line), line);
	free(text);
}

static void
test_csv_quotes_what_would_break_it(void **state)
{
	char *text, *second;

	(void)state;
	set_sweep(2, 1);
	sweep.targets[0].url = "http://x/?a=1,2";
	strcpy(rows[0].summary.server, "say \"x\"");
	rows[1].measured = false;
	text = text_of(print_csv);
	second = strchr(text, '\n') + 1;
	assert_int_equal(
	    strncmp(second, "\"http://x/?a=1,2\",,5,100,0,49.693,100.617284,20.123457,100.900000,", 66), 0);
	assert_non_null(strstr(second, ",\"say \"\"x\"\"\"\n"));
	assert_null(strchr(strchr(second, '\n') + 1, '\n'));
	free(text);
}

static void
test_json_is_json_whatever_the_bytes(void **state)
{
	char *argv[] = {"loadgen", "-H", "X: \xff\xfe\"\n", NULL};
	char *text;
	json_t *root;

	(void)state;
	set_sweep(1, 2);
	config.argc = 3;
	config.argv = argv;
	rows[0].measured = false;
	sweep.started_ns = 1795237240ULL * NS_PER_SEC;
	text = text_of(print_json);
	root = json_loads(text, 0, NULL);
	assert_non_null(root);
	assert_int_equal(json_array_size(json_object_get(root, "cells")), 1);
	assert_string_equal(json_string_value(json_object_get(root, "started")), "2026-11-21T05:00:40Z");
	assert_string_equal(json_string_value(json_array_get(json_object_get(root, "command"), 2)), "X: ??\"\n");
	json_decref(root);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ab_report),
	    cmocka_unit_test(test_ab_report_without_deviations_and_percentiles),
	    cmocka_unit_test(test_ab_report_with_a_body_failures_and_keep_alive),
	    cmocka_unit_test(test_ab_warnings),
	    cmocka_unit_test(test_ab_report_of_nothing),
	    cmocka_unit_test(test_table_of_two_targets),
	    cmocka_unit_test(test_table_with_sleeps_and_a_missing_cell),
	    cmocka_unit_test(test_table_fits_80_columns_whatever_the_figures),
	    cmocka_unit_test(test_csv_quotes_what_would_break_it),
	    cmocka_unit_test(test_json_is_json_whatever_the_bytes),
	};

	return cmocka_run_group_tests_name("loadgen/report", tests, NULL, NULL);
}
