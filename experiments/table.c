/* The tables of the lab's report: one a server, as text for a terminal of 80 columns. */
#include "experiments/table.h"

#include <math.h>
#include <stdio.h>

#include "experiments/answers.h"

#define WIDTH 79

const char *const table_heads[3] = {
    "Time per request, ms (mean)",
    "Time per request, ms (mean, across all concurrent requests)",
    "Requests per second",
};

const char *
table_first_head(const struct experiment *experiment)
{
	return experiment->vary == VARY_SLEEP ? "Sleep, s" : "Concurrency";
}

void
table_add_fixed(struct text *text, const struct experiment *experiment)
{
	if (experiment->vary == VARY_SLEEP)
		text_add(text, "concurrency %lld, ", (long long)experiment->concurrency);
	else
		text_add(text, "sleep %g s, ", experiment->sleep_s);
	text_add(text, "%lld requests", (long long)experiment->requests);
}

const char *
table_why(const struct result *result)
{
	switch (result->state) {
	case RESULT_NONE:
		return "not measured: the run was interrupted";
	case RESULT_FAILED:
	case RESULT_SKIPPED:
	case RESULT_DONE: /* empty, or why its figures are in doubt */
		return result->error;
	}
	return "";
}

const char *
table_remark(const struct result *result)
{
	if (result->state == RESULT_NONE)
		return "no numbers";
	return result->state == RESULT_DONE ? "in doubt" : result_state_names[result->state];
}

bool
table_has_series(const struct plan *plan, size_t i, const struct experiment *experiment)
{
	return plan->series[i].experiment == experiment && !plan->series[i].server->hidden;
}

static void
add_row(struct text *text, double value, const struct result *result)
{
	char why[RESULT_ERROR_MAX + 64];

	text_add(text, "%11g", value);
	if (isnan(result->rps))
		text_add(text, "%19s %26s %19s", "-", "-", "-");
	else
		text_add(text, " %18.3f %26.3f %19.2f", result->time_ms, result->time_all_ms, result->rps);
	text_add(text, "\n");
	if (table_why(result)[0] != '\0') {
		snprintf(why, sizeof(why), "%s: %s", table_remark(result), table_why(result));
		text_add(text, "%13s", "");
		text_add_wrapped(text, why, 13, WIDTH);
	}
}

void
table_add(struct text *text, const struct plan *plan, const struct series *series)
{
	const struct experiment *experiment = series->experiment;

	text_add(text, "%s (", series->label);
	table_add_fixed(text, experiment);
	text_add(text, ")\n\n");
	text_add(text, "%11s %18s %26s\n", "", "Time per request,", "Time per request, ms");
	text_add(text, "%11s %18s %26s %19s\n", "", "ms (mean)", "(mean, across all", "Requests");
	text_add(text, "%11s %18s %26s %19s\n", table_first_head(experiment), "", "concurrent requests)", "per second");
	text_add(text, "----------- ------------------ -------------------------- -------------------\n");
	for (size_t i = 0; i < experiment->value_count; i++)
		add_row(text, experiment->values[i], &plan_cell(plan, series, i)->result);
	text_add(text, "\n");
}

void
table_add_run(struct text *text, const struct record *record)
{
	const struct plan *plan = &record->plan;
	struct answer *answers;
	size_t count;

	for (size_t e = 0; e < plan->asked; e++) {
		const struct experiment *experiment = &plan->experiments[e];

		text_add(text, "%s\n", experiment->title);
		for (size_t i = 0; experiment->title[i] != '\0'; i++)
			if (((unsigned char)experiment->title[i] & 0xc0) != 0x80)
				text_add(text, "=");
		text_add(text, "\n\n");
		for (size_t i = 0; i < plan->series_count; i++)
			if (table_has_series(plan, i, experiment))
				table_add(text, plan, &plan->series[i]);
	}
	answers = answers_make(plan, &count);
	if (count > 0)
		text_add(text, "Questions\n=========\n\n");
	for (size_t i = 0; i < count; i++) {
		text_add(text, "%zu. ", i + 1);
		text_add_wrapped(text, answers[i].question, 3, WIDTH);
		text_add(text, "   ");
		text_add_wrapped(text, answers[i].text, 3, WIDTH);
		text_add(text, "\n");
	}
	answers_free(answers, count);
}
