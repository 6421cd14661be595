/* report.md: the report as Markdown, for a repository or a pull request. */
#include "experiments/report.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "experiments/answers.h"
#include "experiments/memory.h"
#include "experiments/plot.h"
#include "experiments/table.h"

static void
add_table(struct text *text, const struct plan *plan, const struct series *series)
{
	const struct experiment *experiment = series->experiment;

	text_add(text, "### ");
	text_add_markdown(text, series->label);
	text_add(text, "\n\n%s | %s | %s | %s\n---: | ---: | ---: | ---:\n", table_first_head(experiment),
	    table_heads[0], table_heads[1], table_heads[2]);
	for (size_t i = 0; i < experiment->value_count; i++) {
		const struct result *result = &plan_cell(plan, series, i)->result;

		text_add(text, "%g", experiment->values[i]);
		if (isnan(result->rps))
			text_add(text, " | - | - | -");
		else
			text_add(text, " | %.3f | %.3f | %.2f", result->time_ms, result->time_all_ms, result->rps);
		if (table_why(result)[0] != '\0') {
			text_add(text, " (%s: ", table_remark(result));
			text_add_markdown(text, table_why(result));
			text_add(text, ")");
		}
		text_add(text, "\n");
	}
	text_add(text, "\n");
}

static void
add_plots(struct text *text, const struct plan *plan, const struct experiment *experiment, const char *folder)
{
	for (unsigned plot = PLOT_TIME; plot <= PLOT_RPS; plot <<= 1) {
		char name[160];
		char *path;

		plot_name(name, sizeof(name), experiment, plot);
		path = memory_print("%s/%s.png", folder, name);
		if ((experiment->plots & plot) && plot_is_there(plan, experiment) && access(path, R_OK) == 0) {
			text_add(text, "![");
			text_add_markdown(text, experiment->title);
			text_add(text, ": %s](%s.png)\n\n", plot_title(plot), name);
		}
		free(path);
	}
}

static void
add_experiment(struct text *text, const struct plan *plan, const struct experiment *experiment, const char *folder)
{
	text_add(text, "## ");
	text_add_markdown(text, experiment->title);
	text_add(text, "\n\n");
	if (*experiment->task != '\0') {
		text_add_markdown(text, experiment->task);
		text_add(text, "\n\n");
	}
	table_add_fixed(text, experiment);
	text_add(text, "\n\n");
	for (size_t i = 0; i < plan->series_count; i++)
		if (table_has_series(plan, i, experiment))
			add_table(text, plan, &plan->series[i]);
	add_plots(text, plan, experiment, folder);
}

void
report_add_markdown(struct text *text, const struct record *record, const char *folder)
{
	const struct plan *plan = &record->plan;
	struct answer *answers;
	size_t count;

	text_add(text, "# The lab, measured %s\n\n", record->started);
	if (record->state != RECORD_COMPLETE)
		text_add(text, "**This run was interrupted: some cells were not measured.**\n\n");
	for (size_t e = 0; e < plan->asked; e++)
		add_experiment(text, plan, &plan->experiments[e], folder);
	answers = answers_make(plan, &count);
	if (count > 0)
		text_add(text, "## Questions\n\n");
	for (size_t i = 0; i < count; i++) {
		text_add(text, "%zu. **", i + 1);
		text_add_markdown(text, answers[i].question);
		text_add(text, "** ");
		text_add_markdown(text, answers[i].text);
		text_add(text, "\n\n");
	}
	answers_free(answers, count);
	/* Not in backticks: between them nothing can be escaped, and a command may hold any character. */
	text_add(text, "## Where and how\n\nFact | Value\n--- | ---\ncommand | <code>");
	text_add_markdown(text, record->command);
	text_add(text, "</code>\nstarted | %s\nfinished | %s\njobs at once | %lld\n", record->started, record->finished,
	    (long long)record->jobs);
	for (size_t i = 0; i < record->facts.count; i++) {
		text_add_markdown(text, record->facts.at[i].name);
		text_add(text, " | ");
		text_add_markdown(text, record->facts.at[i].value);
		text_add(text, "\n");
	}
}
