/* Unit tests of -w: ab's table, and nothing that a server or a URL says becomes markup. */
#include "tests/unit/loadgen/figures.h"

static void
test_the_whole_table(void **state)
{
	(void)state;
	figures_set(1, 1);
	assert_prints(report_html,
	    "\n\n<table >\n"
	    "<tr ><th colspan=2 bgcolor=white>Server Software:</th><td colspan=2 bgcolor=white>toy/1</td></tr>\n"
	    "<tr ><th colspan=2 bgcolor=white>Server Hostname:</th><td colspan=2 bgcolor=white>127.0.0.1</td></tr>\n"
	    "<tr ><th colspan=2 bgcolor=white>Server Port:</th><td colspan=2 bgcolor=white>8088</td></tr>\n"
	    "<tr ><th colspan=2 bgcolor=white>Document Path:</th><td colspan=2 bgcolor=white>/</td></tr>\n"
	    "<tr ><th colspan=2 bgcolor=white>Document Length:</th><td colspan=2 bgcolor=white>16 bytes</td></tr>\n"
	    "<tr ><th colspan=2 bgcolor=white>Concurrency Level:</th><td colspan=2 bgcolor=white>5</td></tr>\n"
	    "<tr ><th colspan=2 bgcolor=white>Time taken for tests:</th>"
	    "<td colspan=2 bgcolor=white>2.012 seconds</td></tr>\n"
	    "<tr ><th colspan=2 bgcolor=white>Complete requests:</th><td colspan=2 bgcolor=white>100</td></tr>\n"
	    "<tr ><th colspan=2 bgcolor=white>Failed requests:</th><td colspan=2 bgcolor=white>0</td></tr>\n"
	    "<tr ><th colspan=2 bgcolor=white>Total transferred:</th>"
	    "<td colspan=2 bgcolor=white>15500 bytes</td></tr>\n"
	    "<tr ><th colspan=2 bgcolor=white>HTML transferred:</th><td colspan=2 bgcolor=white>1600 bytes</td></tr>\n"
	    "<tr ><th colspan=2 bgcolor=white>Requests per second:</th><td colspan=2 bgcolor=white>49.69</td></tr>\n"
	    "<tr ><th colspan=2 bgcolor=white>Transfer rate:</th>"
	    "<td colspan=2 bgcolor=white>7.52 kb/s received</td></tr>\n"
	    "<tr ><th bgcolor=white colspan=4>Connection Times (ms)</th></tr>\n"
	    "<tr ><th bgcolor=white>&nbsp;</th> <th bgcolor=white>min</th>   <th bgcolor=white>avg</th>   "
	    "<th bgcolor=white>max</th></tr>\n"
	    "<tr ><th bgcolor=white>Connect:</th><td bgcolor=white>    0</td><td bgcolor=white>    0</td>"
	    "<td bgcolor=white>    2</td></tr>\n"
	    "<tr ><th bgcolor=white>Processing:</th><td bgcolor=white>  100</td><td bgcolor=white>  101</td>"
	    "<td bgcolor=white>  101</td></tr>\n"
	    "<tr ><th bgcolor=white>Total:</th><td bgcolor=white>  100</td><td bgcolor=white>  101</td>"
	    "<td bgcolor=white>  102</td></tr>\n"
	    "</table>\n");
}

static void
test_attributes_and_rows_that_are_not_always_there(void **state)
{
	(void)state;
	figures_set(1, 1);
	config.html_table = "border=1";
	config.html_row = "class=r";
	config.html_cell = "align=left";
	config.spec.keep_alive = true;
	config.spec.body_file = "x";
	config.variable_length = true;
	rows[0].summary.failed = 28;
	for (unsigned i = 0; i < FAILURE_CLASSES; i++)
		rows[0].summary.failures[i] = i + 1;
	rows[0].summary.non_2xx = 7;
	rows[0].summary.kept_alive = 8;
	assert_holds(report_html, "<table border=1>\n<tr class=r><th colspan=2 align=left>Server Software:</th>", true);
	assert_holds(report_html, "Document Length:</th><td colspan=2 align=left>Variable</td>", true);
	assert_holds(report_html,
	    "Failed requests:</th><td colspan=2 align=left>28</td></tr>\n"
	    "<tr class=r><td colspan=4 align=left >   (Connect: 3, Length: 12, Exceptions: 6)</td></tr>\n"
	    "<tr class=r><td colspan=4 align=left >   (Receive: 4, Timeout: 3)</td></tr>\n"
	    "<tr class=r><th colspan=2 align=left>Non-2xx responses:</th><td colspan=2 align=left>7</td></tr>\n"
	    "<tr class=r><th colspan=2 align=left>Keep-Alive requests:</th><td colspan=2 align=left>8</td></tr>\n",
	    true);
	assert_holds(report_html, "Total body sent:</th><td colspan=2 align=left>9300</td></tr>\n", true);
	assert_holds(report_html,
	    "<tr class=r><td colspan=2 align=left>&nbsp;</td><td colspan=2 align=left>4.51 kb/s sent</td></tr>\n"
	    "<tr class=r><td colspan=2 align=left>&nbsp;</td><td colspan=2 align=left>12.04 kb/s total</td></tr>\n",
	    true);
}

static void
test_nothing_becomes_markup(void **state)
{
	char error[256];

	(void)state;
	figures_set(1, 1);
	strcpy(rows[0].summary.server, "<b>\"x\"&</b> 2");
	rows[0].cell.path = "/?a=<script>";
	assert_holds(report_html, ">&lt;b&gt;&quot;x&quot;&amp;&lt;/b&gt;</td>", true);
	assert_holds(report_html, ">/?a=&lt;script&gt;</td>", true);
	assert_int_equal(expect_parse(&config.expects[config.expects_len++], "p50<1ms", error, sizeof(error)), 0);
	assert_holds(report_html, "</table>\n<p>Not as expected: p50&lt;1ms, but it was 100.9 ms</p>\n", true);
}

static void
test_an_open_loop_and_nothing_done(void **state)
{
	(void)state;
	figures_set(1, 1);
	figures_open();
	assert_holds(report_html, "<th bgcolor=white>Delay:</th><td bgcolor=white>    0</td>", true);
	rows[0].summary = (struct summary){.document_len = -1};
	assert_holds(report_html, "Document Length:</th><td colspan=2 bgcolor=white>0 bytes</td>", true);
	assert_holds(report_html, "Connection Times", false);
	assert_holds(report_html, "Transfer rate", false);
	sweep.targets[0].socket = (char *)"/run/app.sock";
	assert_holds(report_html, "Server Socket:</th><td colspan=2 bgcolor=white>/run/app.sock</td>", true);
	assert_holds(report_html, "Server Port", false);
	rows[0].measured = false;
	assert_prints(report_html, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_whole_table),
	    cmocka_unit_test(test_attributes_and_rows_that_are_not_always_there),
	    cmocka_unit_test(test_nothing_becomes_markup),
	    cmocka_unit_test(test_an_open_loop_and_nothing_done),
	};

	return cmocka_run_group_tests_name("loadgen/report_html", tests, NULL, NULL);
}
