/* Unit tests of --plot: what varied is the axis, what else varied makes lines, and gnuplot draws every script without a word. */
#include "tests/unit/loadgen/figures.h"

#include "loadgen/gnuplot.h"
#include "loadgen/plot_lines.h"

static bool png;

static void
print(const struct sweep *what, FILE *out)
{
	report_plot_script(what, out, png);
}

/* draw has gnuplot run the script: what it says on the way would be an error. Returns the picture. */
static char *
draw(size_t *len)
{
	char error[256] = "", *picture;
	FILE *script = gnuplot_open();

	assert_non_null(script);
	report_plot_script(&sweep, script, png);
	if (gnuplot_draw(script, &picture, len, error, sizeof(error)) != 0)
		fail_msg("%s", error);
	return picture;
}

static void
assert_drawn(void)
{
	size_t len;
	char *picture;

	png = false;
	picture = draw(&len);
	assert_non_null(strstr(picture, "<svg"));
	assert_non_null(strstr(picture, "</svg>"));
	free(picture);
	png = true;
	picture = draw(&len);
	assert_true(len > 1000);
	assert_memory_equal(picture, "\x89PNG", 4);
	free(picture);
}

static void
set_one_cell(void)
{
	figures_set(1, 1);
	assert_int_equal(histogram_init(&rows[0].stats.total), 0);
	assert_int_equal(series_init(&rows[0].stats.series), 0);
	series_begin(&rows[0].stats.series, NS_PER_SEC);
}

static void
free_one_cell(void)
{
	series_deinit(&rows[0].stats.series);
	histogram_deinit(&rows[0].stats.total);
}

static void
test_the_axis_is_what_varied(void **state)
{
	struct plot_lines lines;

	(void)state;
	figures_set(2, 4);
	plot_lines_find(&lines, &sweep);
	assert_int_equal(lines.axis, PLOT_CONCURRENCY);
	assert_int_equal(lines.len, 2);
	assert_string_equal(lines.at[0].title, "http://127.0.0.1:8088/");
	assert_string_equal(lines.at[1].title, "http://127.0.0.1:8089/");
	assert_true(plot_line_has(&lines, &lines.at[1], &rows[7]));
	assert_false(plot_line_has(&lines, &lines.at[0], &rows[7]));
	assert_drawn();
}

static void
test_what_else_varied_makes_lines(void **state)
{
	struct plot_lines lines;

	(void)state;
	figures_set(1, 4);
	for (size_t i = 0; i < 4; i++) { /* c 5 and 10, each with sleeps of 0.1 and 0.2 s */
		rows[i].cell.concurrency = i % 2 == 0 ? 5 : 10;
		rows[i].cell.has_sleep = true;
		rows[i].cell.sleep_ns = (1 + i / 2) * 100 * NS_PER_MS;
	}
	plot_lines_find(&lines, &sweep);
	assert_int_equal(lines.axis, PLOT_CONCURRENCY);
	assert_int_equal(lines.len, 2);
	assert_string_equal(lines.at[0].title, "sleep 0.1 s");
	assert_string_equal(lines.at[1].title, "sleep 0.2 s");
	assert_drawn();
	for (size_t i = 0; i < 4; i++) {
		rows[i].cell.open_loop = true;
		rows[i].cell.ramp.to = 100 << i;
	}
	plot_lines_find(&lines, &sweep);
	assert_int_equal(lines.axis, PLOT_RATE);
	assert_int_equal(lines.len, 4);
	assert_string_equal(lines.at[3].title, "c 10, sleep 0.2 s");
	for (size_t i = 0; i < 4; i++)
		rows[i].cell.ramp.to = rows[i].cell.concurrency = 10;
	plot_lines_find(&lines, &sweep);
	assert_int_equal(lines.axis, PLOT_SLEEP);
	assert_int_equal(lines.len, 1);
	assert_string_equal(lines.at[0].title, "");
	assert_drawn();
}

static void
test_rows_without_figures_are_left_out(void **state)
{
	struct plot_lines lines;

	(void)state;
	figures_set(2, 3);
	rows[0].measured = rows[2].measured = rows[4].measured = false;
	rows[3].summary.rps = 4711;
	plot_lines_find(&lines, &sweep);
	assert_int_equal(lines.len, 1);
	assert_ptr_equal(lines.at[0].first, &rows[1]);
	assert_holds(print, "$line0 << EOD\n5 49.69325 ", true);
	assert_holds(print, "\n10 4711 4711 4711 100.9 101.46 101.586\n", true);
	assert_drawn();
	rows[3].measured = rows[5].measured = false; /* a single point */
	assert_drawn();
}

static void
test_points_go_from_left_to_right(void **state)
{
	static const uint32_t order[] = {40, 5, 20, 10};

	(void)state;
	figures_set(2, 4);
	for (size_t i = 0; i < sweep.rows_len; i++) {
		rows[i].cell.concurrency = order[i / 2];
		rows[i].summary.rps = order[i / 2];
	}
	assert_holds(print,
	    "$line1 << EOD\n5 5 5 5 100.9 101.46 101.586\n10 10 10 10 100.9 101.46 101.586\n"
	    "20 20 20 20 100.9 101.46 101.586\n40 40 40 40 100.9 101.46 101.586\nEOD\n",
	    true);
	assert_holds(print, "set xtics ('5' 5, '10' 10, '20' 20, '40' 40)\n", true);
	assert_drawn();
}

static void
test_tics_are_written_without_exponents(void **state)
{
	(void)state;
	figures_set(1, 3);
	for (size_t i = 0; i < 3; i++)
		rows[i].cell.open_loop = true;
	rows[0].cell.ramp.to = 1234567;
	rows[1].cell.ramp.to = 2500000.125;
	rows[2].cell.ramp.to = 10000000;
	assert_holds(print, "set xtics ('1234567' 1234567, '2500000.125' 2500000.125, '10000000' 10000000)\n", true);
	rows[1].cell.ramp.to = 1900000; /* no room for it */
	assert_holds(print, "set xtics ('1234567' 1234567, '10000000' 10000000)\n", true);
	assert_drawn();
	figures_set(1, 3);
	for (size_t i = 0; i < 3; i++) {
		rows[i].cell.concurrency = 1;
		rows[i].cell.has_sleep = true;
		rows[i].cell.sleep_ns = i * 10000;
	}
	assert_holds(print, "set xtics ('0' 0, '0.00001' 1e-05, '0.00002' 2e-05)\n", true);
	assert_drawn();
}

static void
test_a_cell_without_an_answer_has_no_latency(void **state)
{
	(void)state;
	figures_set(1, 3);
	figures_none();
	assert_holds(print, "$line0 << EOD\n5 0 0 0 NaN NaN NaN\n10 49.69325 ", true);
	assert_drawn();
	rows[1].summary = rows[2].summary = rows[0].summary;
	assert_drawn();
	set_one_cell();
	figures_none();
	assert_holds(print, "$levels << EOD\n1 NaN\nEOD\n", true);
	assert_drawn();
	free_one_cell();
}

static void
test_more_lines_than_can_be_told_apart(void **state)
{
	static struct row many[2 * (PLOT_LINES_MAX + 3)];
	struct plot_lines lines;

	(void)state;
	figures_set(1, 1);
	sweep.rows = many;
	sweep.rows_len = 2 * (PLOT_LINES_MAX + 3);
	for (size_t i = 0; i < sweep.rows_len; i++) {
		many[i] = rows[0];
		many[i].cell.concurrency = 1 + (uint32_t)(i % 2);
		many[i].cell.has_sleep = true;
		many[i].cell.sleep_ns = i / 2 * NS_PER_MS;
	}
	plot_lines_find(&lines, &sweep);
	assert_int_equal(lines.len, PLOT_LINES_MAX);
	assert_true(lines.left_out);
	assert_holds(print, "(not all lines)", true);
	assert_drawn();
}

static void
test_scales(void **state)
{
	(void)state;
	figures_set(1, 3);
	assert_holds(print, "set logscale x", false);
	assert_holds(print, "set logscale y", false);
	assert_holds(print, "set xtics ('5' 5, '10' 10, '20' 20)", true);
	rows[2].cell.concurrency = 2000;
	rows[2].summary.percentiles[99] = 5 * NS_PER_SEC;
	assert_holds(print, "set logscale x", true);
	assert_holds(print, "set logscale y", true);
	assert_drawn();
}

static void
test_intervals_of_repetitions_are_bars(void **state)
{
	(void)state;
	figures_set(2, 2);
	assert_holds(print, "yerrorbars", false);
	rows[0].rps = (struct interval){.low = 40, .high = 60, .known = true};
	assert_holds(print, "\n5 49.69325 40 60 ", true);
	assert_holds(print, "yerrorbars", true);
	assert_drawn();
}

static void
test_a_url_is_text_to_gnuplot(void **state)
{
	(void)state;
	figures_set(2, 2);
	sweep.targets[0].url = "http://x/'.`touch /tmp/no`.'\n_{a}";
	assert_holds(print, "'http://x/''.`touch /tmp/no`.''?_{a}'", true);
	assert_drawn();
}

static void
test_one_cell(void **state)
{
	(void)state;
	set_one_cell();
	rows[0].summary.duration_ns = 2500 * NS_PER_MS;
	for (uint64_t i = 0; i < 250; i++) {
		uint64_t total = NS_PER_MS + i % 10 * i % 7 * NS_PER_MS;

		if (i / 100 == 1)
			continue; /* a second in which nothing came */
		histogram_record(&rows[0].stats.total, total);
		series_record(&rows[0].stats.series, NS_PER_SEC + i * 10 * NS_PER_MS, total, 1, false);
	}
	assert_holds(print, "$seconds << EOD\n0.5 100 ", true);
	assert_holds(print, "\n1.5 0 NaN NaN NaN NaN\n", true);
	assert_holds(print, "\n2.25 100 ", true); /* 50 in the half second that there was */
	assert_drawn();
	config.repeats = 2;
	rows[0].summary.duration_ns *= 2;
	assert_holds(print, "\n2.25 50 ", true);
	rows[0].summary.duration_ns = 4020 * NS_PER_MS; /* 10 ms are too little for a rate */
	assert_holds(print, "\n1.5 0 NaN NaN NaN NaN\nEOD\n$levels", true);
	assert_holds(print, ": http://127.0.0.1:8088/, c 5'", true);
	figures_open();
	rows[0].cell.ramp = (struct ramp){.from = 0, .to = 50, .duration_ns = NS_PER_SEC};
	assert_holds(print, ": http://127.0.0.1:8088/, 0 to 50 requests/s'", true);
	free_one_cell();
}

static void
test_one_cell_of_one_request(void **state)
{
	(void)state;
	set_one_cell();
	rows[0].summary.duration_ns = NS_PER_MS;
	rows[0].summary.complete = 1;
	histogram_record(&rows[0].stats.total, NS_PER_MS);
	series_record(&rows[0].stats.series, NS_PER_SEC, NS_PER_MS, 1, false);
	assert_drawn();
	free_one_cell();
}

static void
test_what_gnuplot_says_is_told(void **state)
{
	char error[256] = "", *picture = error, *path;
	size_t len;
	FILE *script = gnuplot_open();

	(void)state;
	assert_non_null(script);
	fprintf(script, "set terminal svg\nplot nonsense\n");
	assert_int_equal(gnuplot_draw(script, &picture, &len, error, sizeof(error)), -1);
	assert_null(picture);
	assert_memory_equal(error, "gnuplot: ", 9);
	assert_non_null(strstr(error, "nonsense"));
	assert_null(strchr(error, '\n'));

	script = gnuplot_open();
	assert_int_equal(gnuplot_draw(script, &picture, &len, error, sizeof(error)), -1);
	assert_string_equal(error, "gnuplot: it drew nothing");

	path = strdup(getenv("PATH"));
	assert_true(gnuplot_check());
	setenv("PATH", "/nowhere:/dev", 1);
	assert_false(gnuplot_check());
	script = gnuplot_open();
	assert_int_equal(gnuplot_draw(script, &picture, &len, error, sizeof(error)), -1);
	assert_non_null(strstr(error, "gnuplot is not installed; it is in Debian"));
	unsetenv("PATH");
	assert_false(gnuplot_check());
	setenv("PATH", path, 1);
	free(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_axis_is_what_varied),
	    cmocka_unit_test(test_what_else_varied_makes_lines),
	    cmocka_unit_test(test_rows_without_figures_are_left_out),
	    cmocka_unit_test(test_points_go_from_left_to_right),
	    cmocka_unit_test(test_tics_are_written_without_exponents),
	    cmocka_unit_test(test_a_cell_without_an_answer_has_no_latency),
	    cmocka_unit_test(test_more_lines_than_can_be_told_apart),
	    cmocka_unit_test(test_scales),
	    cmocka_unit_test(test_intervals_of_repetitions_are_bars),
	    cmocka_unit_test(test_a_url_is_text_to_gnuplot),
	    cmocka_unit_test(test_one_cell),
	    cmocka_unit_test(test_one_cell_of_one_request),
	    cmocka_unit_test(test_what_gnuplot_says_is_told),
	};

	return cmocka_run_group_tests_name("loadgen/report_plot", tests, NULL, NULL);
}
