/* report.html: one page that needs nothing beside it; light and dark, on paper and on a telephone. */
#include "experiments/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "experiments/answers.h"
#include "experiments/ideal.h"
#include "experiments/memory.h"
#include "experiments/plot.h"
#include "experiments/report_style.h"
#include "experiments/table.h"

#define SVG_MAX (4 << 20)

static void
add_element(struct text *page, const char *name, const char *content)
{
	text_add(page, "<%s>", name);
	text_add_html(page, content);
	text_add(page, "</%s>\n", name);
}

static void
add_table(struct text *page, const struct plan *plan, const struct series *series)
{
	const struct experiment *experiment = series->experiment;

	text_add(page, "<div class=\"scroll\"><table>\n<caption>");
	text_add_html(page, series->label);
	text_add(page, "</caption>\n<thead><tr><th>%s</th><th>%s</th><th>%s</th><th>%s</th></tr></thead>\n<tbody>\n",
	    table_first_head(experiment), table_heads[0], table_heads[1], table_heads[2]);
	for (size_t i = 0; i < experiment->value_count; i++) {
		const struct result *result = &plan_cell(plan, series, i)->result;

		text_add(page, "<tr><td>%g</td>", experiment->values[i]);
		if (isnan(result->rps))
			text_add(page, "<td>–</td><td>–</td><td>–</td></tr>\n");
		else
			text_add(page, "<td>%.3f</td><td>%.3f</td><td>%.2f</td></tr>\n", result->time_ms,
			    result->time_all_ms, result->rps);
		if (table_why(result)[0] != '\0') {
			text_add(page, "<tr><td colspan=\"4\" class=\"why\">%s: ", table_remark(result));
			text_add_html(page, table_why(result));
			text_add(page, "</td></tr>\n");
		}
	}
	text_add(page, "</tbody></table></div>\n");
}

/*
 * add_svg puts a gnuplot SVG into the page: without the XML head, and with NAME in
 * front of its ids, which are the same in each of its files.
 */
static void
add_svg(struct text *page, const struct text *svg, const char *name)
{
	static const char *const ids[] = {" id='", " id=\"", "href='#", "url(#"};
	const char *at = strstr(text_string(svg), "<svg");

	while (at != NULL && *at != '\0') {
		const char *next = NULL;
		size_t keep = 0;

		for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
			const char *found = strstr(at, ids[i]);

			if (found != NULL && (next == NULL || found < next)) {
				next = found;
				keep = strlen(ids[i]);
			}
		}
		if (next == NULL) {
			text_add(page, "%s", at);
			return;
		}
		text_add_len(page, at, (size_t)(next - at) + keep);
		text_add(page, "%s_", name);
		at = next + keep;
	}
}

static void
add_plots(struct text *page, const struct plan *plan, const struct experiment *experiment, const char *folder)
{
	for (unsigned plot = PLOT_TIME; plot <= PLOT_RPS; plot <<= 1) {
		struct text svg = {0};
		char name[160];
		char *path;

		plot_name(name, sizeof(name), experiment, plot);
		path = memory_print("%s/%s.svg", folder, name);
		if ((experiment->plots & plot) && plot_is_there(plan, experiment) &&
		    text_read(&svg, path, SVG_MAX) == 0) {
			text_add(page, "<figure role=\"img\" aria-label=\"");
			text_add_html(page, experiment->title);
			text_add(page, ": %s\"><div class=\"scroll\">\n", plot_title(plot));
			add_svg(page, &svg, name);
			text_add(page, "</div></figure>\n");
		}
		text_deinit(&svg);
		free(path);
	}
}

static void
add_experiment(struct text *page, const struct plan *plan, const struct experiment *experiment, const char *folder)
{
	text_add(page, "<section id=\"");
	text_add_html(page, experiment->name);
	text_add(page, "\">\n");
	add_element(page, "h2", experiment->title);
	if (*experiment->task != '\0')
		add_element(page, "p", experiment->task);
	text_add(page, "<p class=\"fixed\">");
	table_add_fixed(page, experiment);
	text_add(page, "</p>\n<div class=\"tables\">\n");
	for (size_t i = 0; i < plan->series_count; i++)
		if (table_has_series(plan, i, experiment))
			add_table(page, plan, &plan->series[i]);
	text_add(page, "</div>\n");
	add_plots(page, plan, experiment, folder);
	text_add(page, "</section>\n");
}

static void
add_answers(struct text *page, const struct plan *plan)
{
	struct answer *answers;
	size_t count;

	answers = answers_make(plan, &count);
	if (count > 0)
		text_add(page, "<section id=\"questions\">\n<h2>Questions</h2>\n<ol>\n");
	for (size_t i = 0; i < count; i++) {
		text_add(page, "<li>");
		add_element(page, "h3", answers[i].question);
		add_element(page, "p", answers[i].text);
		text_add(page, "</li>\n");
	}
	if (count > 0)
		text_add(page, "</ol>\n</section>\n");
	answers_free(answers, count);
}

static void
add_number(struct text *page, double number, int digits)
{
	if (isnan(number))
		text_add(page, "<td>–</td>");
	else
		text_add(page, "<td>%.*f</td>", digits, number);
}

/* add_all_numbers adds the table for those who want to look closer: latencies, and the part of the ideal. */
static void
add_all_numbers(struct text *page, const struct plan *plan)
{
	static const char *const heads[] = {"Experiment", "Server", "S, s", "c", "n", "failed", "requests/s",
	    "of the ideal, %", "min", "p50", "p90", "p99", "max"};

	text_add(page,
	    "<section id=\"numbers\">\n<h2>Every cell</h2>\n<p>Latency is the time from the start of a connection "
	    "to the end of its answer, in milliseconds. The ideal is what would be measured if only the sleep took "
	    "time: n / (⌈n/m⌉·S) requests per second, where m requests can sleep at the same time: m = c in an "
	    "event loop, min(w, c) in w blocking workers, 1 in a blocked loop.</p>\n");
	text_add(page, "<div class=\"scroll\"><table class=\"all\">\n<thead><tr>");
	for (size_t i = 0; i < ARRAY_LEN(heads); i++)
		add_element(page, "th", heads[i]);
	text_add(page, "</tr></thead>\n<tbody>\n");
	for (size_t i = 0; i < plan->cell_count; i++) {
		const struct cell *cell = &plan->cells[i];
		const double *ms = cell->result.latency_ms;
		double ideal = ideal_rps(cell->server, cell->sleep_s, cell->concurrency, cell->requests);

		text_add(page, "<tr><td>");
		text_add_html(page, cell->experiment->name);
		text_add(page, "</td><td>");
		text_add_html(page, cell->server->label);
		text_add(page, "</td><td>%g</td><td>%d</td><td>%lld</td>", cell->sleep_s, cell->concurrency,
		    (long long)cell->requests);
		add_number(page, cell->result.failed < 0 ? (double)NAN : (double)cell->result.failed, 0);
		add_number(page, cell->result.rps, 2);
		add_number(page, 100 * cell->result.rps / ideal, 1);
		for (int l = 0; l < RESULT_LATENCIES; l++)
			if (strstr("min p50 p90 p99 max", result_latency_names[l]) != NULL)
				add_number(page, ms[l], 1);
		text_add(page, "</tr>\n");
	}
	text_add(page, "</tbody></table></div>\n</section>\n");
}

static void
add_fact(struct text *page, const char *name, const char *value)
{
	text_add(page, "<tr><th>");
	text_add_html(page, name);
	text_add(page, "</th><td>");
	text_add_html(page, value);
	text_add(page, "</td></tr>\n");
}

static void
add_facts(struct text *page, const struct record *record)
{
	char *jobs = memory_print("%lld", (long long)record->jobs);

	text_add(
	    page, "<section id=\"machine\">\n<h2>Where and how</h2>\n<div class=\"scroll\"><table class=\"facts\">\n");
	add_fact(page, "command", record->command);
	add_fact(page, "started", record->started);
	add_fact(page, "finished", record->finished);
	add_fact(page, "jobs at once", jobs);
	for (size_t i = 0; i < record->facts.count; i++)
		add_fact(page, record->facts.at[i].name, record->facts.at[i].value);
	text_add(page, "</table></div>\n</section>\n");
	free(jobs);
}

void
report_add_html(struct text *page, const struct record *record, const char *folder)
{
	const struct plan *plan = &record->plan;

	text_add(page,
	    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	    "<meta name=\"color-scheme\" content=\"light dark\">\n<title>loopfork: the lab, "
	    "%s</title>\n<style>\n%s</style>\n"
	    "</head>\n<body>\n<header>\n<h1>Event loop or pre-fork?</h1>\n<p>The lab, measured %s.</p>\n<nav>",
	    record->name, REPORT_STYLE, record->started);
	for (size_t e = 0; e < plan->asked; e++) {
		text_add(page, "<a href=\"#");
		text_add_html(page, plan->experiments[e].name);
		text_add(page, "\">");
		text_add_html(page, plan->experiments[e].name);
		text_add(page, "</a> ");
	}
	text_add(page,
	    "<a href=\"#questions\">questions</a> <a href=\"#numbers\">every cell</a> <a href=\"#machine\">where and "
	    "how</a></nav>\n</header>\n<main>\n");
	if (record->state != RECORD_COMPLETE)
		text_add(page, "<p class=\"why\">This run was interrupted: some cells were not measured.</p>\n");
	for (size_t e = 0; e < plan->asked; e++)
		add_experiment(page, plan, &plan->experiments[e], folder);
	add_answers(page, plan);
	add_all_numbers(page, plan);
	add_facts(page, record);
	text_add(page, "</main>\n</body>\n</html>\n");
}
