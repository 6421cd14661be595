/* Tables, CSV, Markdown and HTML say the same numbers, escaped as each wants it, and failures with their reason. */
#include "tests/unit/experiments/sample.h"

#include <math.h>
#include <sys/stat.h>

#include "experiments/compare.h"
#include "experiments/csv.h"
#include "experiments/plot.h"
#include "experiments/report.h"
#include "experiments/table.h"

/* broken makes a cell that failed for a reason full of characters that mean something somewhere. */
static struct record *
broken(void)
{
	struct record *record = sample_record();
	struct result *result = &record->plan.cells[0].result;

	result_deinit(result);
	result->state = RESULT_FAILED;
	snprintf(result->error, sizeof(result->error), "<b>\"it\" | said, & *went*</b>");
	return record;
}

static void
expect_width(const char *text)
{
	while (*text != '\0') {
		size_t len = strcspn(text, "\n");

		if (len > 80)
			fail_msg("longer than 80: %.*s", (int)len, text);
		if (len > 0 && text[len - 1] == ' ')
			fail_msg("ends with a blank: %.*s", (int)len, text);
		text += len + (text[len] == '\n');
	}
}

static void
test_the_table_has_the_columns_of_the_lab(void **state)
{
	struct record *record = broken();
	struct text text = {0};

	(void)state;
	table_add_run(&text, record);
	expect_width(text.at);
	assert_has(text.at, "Task 7\n======\n");
	assert_has(text.at, "fork (sleep 0.1 s, 100 requests)");
	assert_has(text.at, "Concurrency");
	assert_has(text.at, "(mean, across all");
	assert_has(text.at, "         10            101.523                     10.152               98.50\n");
	assert_has(text.at, "         40           4020.101                    100.503                9.95\n");
	assert_has(text.at, "          5                  -                          -                   -\n");
	assert_has(text.at, "             failed: <b>\"it\" | said, & *went*</b>\n");
	/* Measured for the answers only: no table of the hidden loop in task 9. */
	assert_has_not(strstr(text.at, "Task 9"), "loop (sleep");
	assert_has(text.at, "Questions\n=========\n\n1. How does loop behave");
	text_deinit(&text);
	sample_free(record);
}

static void
test_csv_has_a_line_a_cell(void **state)
{
	struct record *record = broken();
	struct text text = {0};
	size_t lines = 0;

	(void)state;
	csv_add(&text, record);
	for (const char *c = text.at; (c = strstr(c, "\r\n")) != NULL; c += 2)
		lines++;
	assert_int_equal(lines, 1 + 8 + 12);
	assert_has(text.at,
	    "run,experiment,server,sleep_s,concurrency,requests,state,complete,failed,non_2xx,duration_s,rps,"
	    "time_per_request_ms,time_per_request_all_ms,ideal_rps,");
	assert_has(text.at, "2026-11-21_10-00-00,task7,fork,0.1,5,100,done,100,0,0,10.04016064,9.96,");
	assert_has(text.at, "task7,loop,0.1,5,100,failed,,,,,,,,50,100,");
	assert_has(text.at, ",\"<b>\"\"it\"\" | said, & *went*</b>\"\r\n");
	text_deinit(&text);
	sample_free(record);
}

static void
test_markdown_is_escaped(void **state)
{
	struct record *record = broken();
	struct text text = {0};

	(void)state;
	report_add_markdown(&text, record, "/nowhere");
	assert_has(text.at,
	    "Concurrency | Time per request, ms (mean) | Time per request, ms (mean, across all concurrent requests) | "
	    "Requests per second\n---: | ---: | ---: | ---:\n");
	assert_has(text.at, "\n10 | 101.523 | 10.152 | 98.50\n");
	assert_has(text.at, "5 | - | - | - (failed: \\<b\\>\"it\" \\| said, \\& \\*went\\*\\</b\\>)");
	assert_has(text.at, "git revision | abc\\<def\\>");
	assert_has_not(text.at, ".png");
	text_deinit(&text);
	sample_free(record);
}

static void
test_the_page_needs_nothing_beside_it(void **state)
{
	struct record *record = broken();
	struct text text = {0};

	(void)state;
	report_add_html(&text, record, "/nowhere");
	assert_has(text.at, "<td>101.523</td><td>10.152</td><td>98.50</td>");
	assert_has(text.at, "failed: &lt;b&gt;&quot;it&quot; | said, &amp; *went*&lt;/b&gt;");
	assert_has(text.at, "abc&lt;def&gt;");
	assert_has(text.at, "prefers-color-scheme:dark");
	assert_has(text.at, "width=device-width");
	assert_has(text.at, "@media print");
	assert_has_not(text.at, "http://");
	assert_has_not(text.at, "https://");
	assert_has_not(text.at, "<script");
	assert_has_not(text.at, "src=");
	assert_has_not(text.at, "@import");
	assert_has_not(text.at, "interrupted");
	record->state = RECORD_INTERRUPTED;
	text_deinit(&text);
	report_add_html(&text, record, "/nowhere");
	assert_has(text.at, "This run was interrupted");
	text_deinit(&text);
	sample_free(record);
}

static void
test_ids_of_inline_plots_do_not_meet(void **state)
{
	char *folder = sample_folder();
	struct record *record = sample_record();
	struct text page = {0};
	static const char svg[] =
	    "<?xml version=\"1.0\"?>\n<svg viewBox=\"0 0 1 1\"><g id=\"gnuplot_canvas\"><path id='gpPt0'/>"
	    "<use xlink:href='#gpPt0'/></g></svg>\n";

	(void)state;
	for (int i = 0; i < 2; i++) {
		char *path = memory_print("%s/%s.svg", folder, i == 0 ? "task7_time" : "task9_rps");
		struct text text = {0};

		text_add(&text, "%s", svg);
		assert_int_equal(text_write(&text, path), 0);
		text_deinit(&text);
		free(path);
	}
	report_add_html(&page, record, folder);
	assert_has(page.at,
	    "<g id=\"task7_time_gnuplot_canvas\"><path id='task7_time_gpPt0'/><use xlink:href='#task7_time_gpPt0'/>");
	assert_has(page.at, "id='task9_rps_gpPt0'");
	assert_has_not(page.at, "<?xml");
	assert_has_not(page.at, "id='gpPt0'");
	text_deinit(&page);
	sample_free(record);
	sample_remove(folder);
}

static void
test_plot_scripts(void **state)
{
	struct record *record = sample_record();
	struct text script = {0};

	(void)state;
	free(record->plan.experiments[0].title);
	record->plan.experiments[0].title = memory_copy("It's 'quoted'\\n");
	plot_script(&script, record, "/some where/it's");
	assert_has(script.at, "set title 'It''s ''quoted''\\n: time per request'");
	assert_has(script.at, "set output '/some where/it''s/task7_time.svg'");
	assert_has(script.at, "task9_rps.png");
	assert_has(script.at, "title 'loop: across all concurrent'");
	assert_has(script.at, "title 'ideal (only the sleep takes time)'");
	assert_has(script.at, "5 49.5\n10 98.5\n20 195\n40 325\n");
	/* Two ideals of task 9's servers are the same line, and drawn once. */
	assert_has_not(strstr(script.at, "task9_rps.png"), "$line3");
	assert_has_not(script.at, "nan");
	text_deinit(&script);
	sample_free(record);
}

static void
test_an_experiment_without_a_point_has_no_plot(void **state)
{
	struct plan *plan = memory_new(1, sizeof(*plan));

	(void)state;
	sample_add(plan, "task7.ini", SAMPLE_TASK7);
	sample_complete(plan);
	assert_false(plot_is_there(plan, &plan->experiments[0]));
	sample_set(plan, "fork", 0.1, 5, 10);
	assert_true(plot_is_there(plan, &plan->experiments[0]));
	plan_deinit(plan);
	free(plan);
}

static bool
is_there(const char *folder, const char *name)
{
	char *path = memory_print("%s/%s", folder, name);
	bool there = access(path, F_OK) == 0;

	free(path);
	return there;
}

static void
test_a_results_folder_is_whole_or_not_there(void **state)
{
	char *results = sample_folder();
	struct record *record = sample_record();
	struct keeper keeper = {0};
	char error[REPORT_ERROR_MAX] = "";
	struct text notes = {0};
	char *path = memory_print("%s/2026-11-21_10-00-00/notes.txt", results);

	(void)state;
	assert_int_equal(report_write(record, &keeper, results, false, error), 0);
	assert_true(is_there(results, "2026-11-21_10-00-00/report.html"));
	assert_true(is_there(results, "2026-11-21_10-00-00/report.md"));
	assert_true(is_there(results, "2026-11-21_10-00-00/cells.csv"));
	/* Made again, it leaves what somebody has put there. */
	text_add(&notes, "mine\n");
	assert_int_equal(text_write(&notes, path), 0);
	assert_int_equal(report_write(record, &keeper, results, false, error), 0);
	assert_true(is_there(results, "2026-11-21_10-00-00/notes.txt"));
	assert_true(is_there(results, "2026-11-21_10-00-00/report.html"));
	/* A file where the folder should be: an error, and nothing left over. */
	snprintf(record->name, sizeof(record->name), "2026-11-21_10-00-00/notes.txt");
	assert_true(report_write(record, &keeper, results, false, error) < 0);
	assert_has(error, results);
	assert_true(report_write(record, &keeper, "/nowhere/at/all", false, error) < 0);
	assert_has(error, "/nowhere/at/all");
	text_deinit(&notes);
	free(path);
	sample_free(record);
	sample_remove(results);
}

static void
test_compare_marks_what_differs(void **state)
{
	struct record *a = sample_record(), *b = sample_record();
	struct text text = {0};
	size_t shared;

	(void)state;
	assert_int_equal(compare_add(&text, a, b, 0.05, &shared), 0);
	assert_int_equal(shared, 12);
	assert_has(text.at, "12 cells in both; none differs by more than 5%");
	expect_width(text.at);
	text_deinit(&text);
	sample_set(&b->plan, "fork", 0.1, 40, 19.9);
	result_deinit(&b->plan.cells[0].result);
	assert_int_equal(compare_add(&text, a, b, 0.05, &shared), 1);
	assert_int_equal(shared, 11);
	assert_has(text.at, "task7 fork c=40                      9.95    19.90 2.000  4020.1  2010.1 0.500 *\n");
	assert_has(text.at, "11 cells in both, 1 only in A, 0 only in B; 1 marked * differ by more than 5%");
	text_deinit(&text);
	sample_free(a);
	sample_free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_table_has_the_columns_of_the_lab),
	    cmocka_unit_test(test_csv_has_a_line_a_cell),
	    cmocka_unit_test(test_markdown_is_escaped),
	    cmocka_unit_test(test_the_page_needs_nothing_beside_it),
	    cmocka_unit_test(test_ids_of_inline_plots_do_not_meet),
	    cmocka_unit_test(test_plot_scripts),
	    cmocka_unit_test(test_an_experiment_without_a_point_has_no_plot),
	    cmocka_unit_test(test_a_results_folder_is_whole_or_not_there),
	    cmocka_unit_test(test_compare_marks_what_differs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
