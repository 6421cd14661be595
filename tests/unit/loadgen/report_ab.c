/* Unit tests of ab's report of one cell: known figures in, known text out. */
#include "tests/unit/loadgen/figures.h"

#include "loadgen/progress.h"

#define SERVER_LINES \
	"\n\nServer Software:        toy/1\nServer Hostname:        127.0.0.1\nServer Port:            8088\n\n" \
	"Document Path:          /\nDocument Length:        16 bytes\n\nConcurrency Level:      5\n" \
	"Time taken for tests:   2.012 seconds\nComplete requests:      100\n"
#define RATE_LINES \
	"Requests per second:    49.69 [#/sec] (mean)\nTime per request:       100.617 [ms] (mean)\n" \
	"Time per request:       20.123 [ms] (mean, across all concurrent requests)\n" \
	"Transfer rate:          7.52 [Kbytes/sec] received\n"

static void
test_all_lines(void **state)
{
	(void)state;
	figures_set(1, 1);
	assert_prints(report_ab,
	    SERVER_LINES "Failed requests:        0\n"
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
			 "Connection Times (us)\n"
			 "                  min        mean    [+/-sd]    median       max\n"
			 "Connect:           40        60.0       70.0        51      1600\n"
			 "Processing:    100100    100500.0      300.0    100400    101500\n"
			 "Waiting:       100100    100490.0      300.0    100400    101400\n"
			 "Total:         100200    100600.0      310.0    100500    101600\n"
			 "\n"
			 "Percentiles of the total time (us), and where the true ones lie (95% confidence)\n"
			 "   50%     100900   100400 to 100600\n"
			 "   90%     101460   101400 to 101500\n"
			 "   99%     101586   not certain: that takes 368 requests\n"
			 " 99.9%     101600   not certain: that takes 3688 requests\n");
}

static void
test_without_deviations_and_percentiles(void **state)
{
	(void)state;
	figures_set(1, 1);
	config.no_deviation = config.no_percentiles = true;
	assert_prints(report_ab,
	    SERVER_LINES "Failed requests:        0\n"
			 "Total transferred:      15500 bytes\nHTML transferred:       1600 bytes\n" RATE_LINES "\n"
			 "Connection Times (ms)\n"
			 "              min   avg   max\n"
			 "Connect:        0     0    2\n"
			 "Processing:   100   101  101\n"
			 "Waiting:      100   100  101\n"
			 "Total:        100   101  102\n");
	config.no_percentiles = false;
	assert_holds(report_ab,
	    "\nConnection Times (us)\n"
	    "                  min         avg       max\n"
	    "Connect:           40        60.0      1600\n",
	    true);
	assert_holds(report_ab, "\nPercentiles of the total time (us)\n   50%     100900\n", true);
}

static void
test_a_body_failures_and_keep_alive(void **state)
{
	(void)state;
	figures_set(1, 1);
	config.no_deviation = config.no_percentiles = true;
	config.spec.keep_alive = true;
	config.spec.body_file = "x";
	rows[0].summary.failed = 28;
	for (unsigned i = 0; i < FAILURE_CLASSES; i++)
		rows[0].summary.failures[i] = i + 1;
	rows[0].summary.write_errors = 6;
	rows[0].summary.non_2xx = 7;
	rows[0].summary.kept_alive = 8;
	/* connect 1, tls 2, timeout 3, reset 4, truncated 5, malformed 6, length 7 */
	assert_holds(report_ab,
	    SERVER_LINES "Failed requests:        28\n   (Connect: 3, Receive: 4, Length: 12, Exceptions: 6)\n"
			 "Timed out requests:     3\nWrite errors:           6\nNon-2xx responses:      7\n"
			 "Keep-Alive requests:    8\nTotal transferred:      15500 bytes\n"
			 "Total body sent:        9300\nHTML transferred:       1600 bytes\n" RATE_LINES
			 "                        4.51 kb/s sent\n                        12.04 kb/s total\n\n",
	    true);
}

static void
test_a_body_of_one_request_of_many(void **state)
{
	struct request items[] = {{.body_len = 0}, {.body_len = 3}};
	struct request_list requests = {.items = items, .len = 1};

	(void)state;
	figures_set(1, 1);
	rows[0].cell.requests = &requests;
	assert_holds(report_ab, "Total body sent", false);
	requests.len = 2;
	assert_holds(report_ab, "Total body sent:        9300\n", true);
}

static void
test_warnings(void **state)
{
	(void)state;
	figures_set(1, 1);
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
test_nothing_was_done(void **state)
{
	(void)state;
	figures_set(1, 1);
	rows[0].summary = (struct summary){.end = CELL_INTERRUPTED, .document_len = -1};
	assert_holds(report_ab, "Complete requests:      0\n", true);
	assert_holds(report_ab, "Document Length:        0 bytes\n", true);
	assert_holds(report_ab, "Requests per second", false);
	assert_holds(report_ab, "Connection Times", false);
	assert_holds(report_ab, "Percentiles", false);
}

static void
test_tls(void **state)
{
	struct tls_facts *facts = &rows[0].summary.tls_facts;

	(void)state;
	figures_set(1, 1);
	*facts = (struct tls_facts){.protocol = "TLSv1.3", .cipher = "TLS_X", .bits = 2048, .cipher_bits = 256};
	assert_holds(report_ab,
	    "Server Port:            8088\nSSL/TLS Protocol:       TLSv1.3,TLS_X,2048,256\n\nDocument Path:", true);
	strcpy(facts->temp_key, "X25519 253 bits");
	strcpy(facts->server_name, "localhost");
	assert_holds(report_ab,
	    ",256\nServer Temp Key:        X25519 253 bits\nTLS Server Name:        localhost\n\nDocument", true);
	assert_holds(report_ab, "  TLS:", false);
	sweep.targets[0].tls = true;
	rows[0].summary.tls =
	    (struct distribution){.count = 2, .min = 2000, .median = 3000, .max = 9000, .mean = 3500, .sd = 1000};
	assert_holds(
	    report_ab, "\n  TLS:              2         3.5        1.0         3         9\nProcessing:", true);
	rows[0].summary.tls.count = 0; /* all handshakes were in the warm-up */
	assert_holds(report_ab, "  TLS:", false);
}

static void
test_the_first_word_of_the_server_field(void **state)
{
	(void)state;
	figures_set(1, 1);
	strcpy(rows[0].summary.server, "Apache/2.4.62 (Debian)");
	assert_holds(report_ab, "Server Software:        Apache/2.4.62\nServer", true);
}

static void
test_a_unix_socket_has_no_port(void **state)
{
	char path[] = "/run/x.sock";

	(void)state;
	figures_set(1, 1);
	sweep.targets[0].socket = path;
	assert_holds(report_ab, "Server Hostname:        127.0.0.1\nServer Socket:          /run/x.sock\n\nDoc", true);
}

static void
test_the_first_line(void **state)
{
	char proxy[] = "::1";

	(void)state;
	figures_set(1, 1);
	assert_holds(report_ab_begin, "\n\nBenchmarking 127.0.0.1 (be patient)...", true);
	config.requests = PROGRESS_AB_QUIET + 1;
	assert_holds(report_ab_begin, "\n\nBenchmarking 127.0.0.1 (be patient)\n", true);
	config.quiet = true;
	assert_holds(report_ab_begin, "\n\nBenchmarking 127.0.0.1 (be patient)...", true);
	sweep.targets[0].proxy = proxy;
	sweep.targets[0].proxy_port = 3128;
	assert_holds(report_ab_begin, "127.0.0.1 [through ::1:3128] (be patient)...", true);
}

static void
test_an_open_loop(void **state)
{
	(void)state;
	figures_set(1, 1);
	figures_open();
	assert_holds(report_ab, "\nDelay:          0    0   0.0      0       3\nConnect:  ", true);
	assert_holds(report_ab,
	    "\nDelay:              1         2.5        0.5         2      3000\n"
	    "Connect:           40        60.0       70.0        51      1600\n"
	    "Processing:    100100    100500.0      300.0    100400    101500\n"
	    "Waiting:       100100    100490.0      300.0    100400    101400\n"
	    "Service:        90000     91500.0        0.1     91000     92000\n"
	    "Response:      100200    100600.0      310.0    100500    101600\n"
	    "Send lag:           1         1.6        0.3         2         4\n",
	    true);
	assert_holds(report_ab, "\nPercentiles of the response (us), and", true);
	rows[0].cell.ramp = (struct ramp){.from = 1, .to = 1};
	assert_holds(report_ab, "\nOpen loop: 1 request per second, constant", true);
	rows[0].cell.ramp = (struct ramp){.from = 1234567, .to = 1234567};
	assert_holds(report_ab, "\nOpen loop: 1234567 requests per second, constant", true);
	rows[0].cell.ramp = (struct ramp){.from = 0.001, .to = 2500000, .duration_ns = NS_PER_SEC};
	assert_holds(report_ab, "\nOpen loop: from 0.001 to 2500000 requests per second within 1 s, constant", true);
	rows[0].cell.ramp = (struct ramp){.from = 50, .to = 50};
	assert_holds(report_ab,
	    "\nOpen loop: 50 requests per second, constant gaps\n"
	    "  due 50.00/s, sent 49.90/s, answered 49.69/s; at most 7 connections open\n",
	    true);
	rows[0].summary.most_open = 1;
	assert_holds(report_ab, "; at most 1 connection open\n", true);
	config.arrivals = ARRIVALS_POISSON;
	rows[0].cell.ramp = (struct ramp){.from = 10, .to = 1000, .duration_ns = 5 * NS_PER_SEC};
	assert_holds(
	    report_ab, "\nOpen loop: from 10 to 1000 requests per second within 5 s, Poisson arrivals\n", true);
}

static void
test_repetitions_warm_up_and_pipelining(void **state)
{
	struct repeat repeats[] = {{.measured = true}, {.measured = true}, {.measured = false}};

	(void)state;
	figures_set(1, 1);
	assert_holds(report_ab, "Pipelining", false);
	assert_holds(report_ab, "Warm-up", false);
	config.pipeline = 16;
	config.repeats = 3;
	rows[0].repeats = repeats;
	rows[0].summary.warmup_ns = 1500 * NS_PER_MS;
	rows[0].rps = (struct interval){.low = 48, .high = 52, .known = true};
	rows[0].p99 = (struct interval){.low = 1e6, .high = 3e6, .known = true};
	assert_holds(report_ab,
	    "\nPipelining: 16 requests under way on each connection\n"
	    "\nMeans of 2 repetitions, and where the true ones lie (95% confidence)\n"
	    "  rate         50.000 /s   48.000 to 52.000\n"
	    "  99%           2.000 ms   1.000 to 3.000\n"
	    "\nWarm-up: what ended in the first 1.500 s is not counted\n",
	    true);
	rows[0].cell.ramp.duration_ns = NS_PER_SEC;
	assert_holds(
	    report_ab, "\nWarm-up: what ended in the first 1.500 s, before the ramp began, is not counted\n", true);
	rows[0].cell.ramp.duration_ns = 0;
	repeats[1].measured = false; /* interrupted */
	assert_holds(report_ab, "\nMeans of 1 repetition, and", true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_all_lines),
	    cmocka_unit_test(test_without_deviations_and_percentiles),
	    cmocka_unit_test(test_a_body_failures_and_keep_alive),
	    cmocka_unit_test(test_a_body_of_one_request_of_many),
	    cmocka_unit_test(test_warnings),
	    cmocka_unit_test(test_nothing_was_done),
	    cmocka_unit_test(test_tls),
	    cmocka_unit_test(test_the_first_word_of_the_server_field),
	    cmocka_unit_test(test_a_unix_socket_has_no_port),
	    cmocka_unit_test(test_the_first_line),
	    cmocka_unit_test(test_an_open_loop),
	    cmocka_unit_test(test_repetitions_warm_up_and_pipelining),
	};

	return cmocka_run_group_tests_name("loadgen/report_ab", tests, NULL, NULL);
}
