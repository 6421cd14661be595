/* What a run says: ab's report for one cell, a table for more, and which of the two is printed when. */
#include "loadgen/report.h"

#include <inttypes.h>

#include "loadgen/complain.h"
#include "loadgen/progress.h"

bool
report_is_ab(const struct sweep *sweep)
{
	return sweep->rows_len == 1 && !sweep->config->until_saturated && !sweep->config->data_on_stdout;
}

bool
report_sends_body(const struct row *row)
{
	const struct request_list *requests = row->cell.requests;

	for (size_t i = 0; requests != NULL && i < requests->len; i++)
		if (requests->items[i].body_len > 0)
			return true;
	return request_has_body(&row->cell.config->spec);
}

void
report_begin(const struct sweep *sweep)
{
	if (sweep->config->data_on_stdout)
		return;
	if (sweep->config->html) {
		report_html_begin(stdout);
	} else if (report_is_ab(sweep)) {
		report_ab_begin(sweep, stdout);
		if (progress_choose(sweep->config, true) == PROGRESS_NONE)
			complain_line_begun();
	}
}

/* end_progress says that the run is over where and as ab does. */
static void
end_progress(const struct sweep *sweep)
{
	const struct summary *summary = &sweep->rows[0].summary;
	enum progress_style style = progress_choose(sweep->config, true);

	if (complain_line_ended())
		return;
	if (!sweep->rows[0].measured) {
		putchar('\n');
	} else if (summary->end == CELL_DONE && style == PROGRESS_LINES) {
		fflush(stdout);
		fprintf(stderr, "Finished %" PRIu64 " requests\n", summary->complete);
	} else if (summary->end == CELL_DONE && style == PROGRESS_NONE) {
		fputs("..done\n", stdout);
	}
}

void
report_end(const struct sweep *sweep)
{
	const struct config *config = sweep->config;

	if (report_is_ab(sweep))
		end_progress(sweep);
	if (config->data_on_stdout || sweep_measured(sweep) == 0)
		return;
	if (config->html)
		report_html(sweep, stdout);
	else if (report_is_ab(sweep))
		report_ab(sweep, stdout);
	else
		report_table(sweep, stdout);
}
