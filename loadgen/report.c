/* What a run says: ab's report for one cell, a table for more, and the files. */
#include "loadgen/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "loadgen/complain.h"
#include "loadgen/gnuplot.h"
#include "loadgen/outfile.h"
#include "loadgen/progress.h"

struct output {
	const char *path; /* NULL: not wanted */
	outfile_fn *write;
};

#define OUTPUTS 6

static void
list_outputs(const struct config *config, struct output outputs[OUTPUTS])
{
	outputs[0] = (struct output){config->json_file, report_json};
	outputs[1] = (struct output){config->csv_file, report_csv};
	outputs[2] = (struct output){config->percentiles_file, report_percentiles};
	outputs[3] = (struct output){config->samples_file, report_samples};
	outputs[4] = (struct output){config->series_file, report_series};
	outputs[5] = (struct output){config->hgrm_file, report_hgrm};
}

bool
report_is_ab(const struct sweep *sweep)
{
	return sweep->rows_len == 1 && !sweep->config->until_saturated && !sweep->config->data_on_stdout;
}

bool
report_counts_requests(const struct config *config)
{
	return !config->quiet && config->requests != CONFIG_UNLIMITED && config->requests > REPORT_AB_QUIET;
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
	if (sweep->config->html)
		report_html_begin(stdout);
	else if (report_is_ab(sweep))
		report_ab_begin(sweep, stdout);
}

/* end_progress says that the run is over where and as ab does. */
static void
end_progress(const struct sweep *sweep)
{
	const struct summary *summary = &sweep->rows[0].summary;
	enum progress_style style = progress_choose(sweep->config, true);

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

static bool
is_written(const char *path, int result)
{
	if (result != 0)
		complain("cannot write %s: %s", path, strerror(-result));
	return result == 0;
}

bool
report_check_files(const struct config *config)
{
	struct output outputs[OUTPUTS];

	list_outputs(config, outputs);
	for (size_t i = 0; i < OUTPUTS; i++)
		if (outputs[i].path != NULL && !is_written(outputs[i].path, outfile_check(outputs[i].path)))
			return false;
	if (config->plot_file == NULL)
		return true;
	if (!gnuplot_check()) {
		complain(
		    "--plot %s: gnuplot is not installed; it is in Debian's package gnuplot-nox", config->plot_file);
		return false;
	}
	return is_written(config->plot_file, outfile_check(config->plot_file));
}

struct picture {
	char *bytes;
	size_t len;
};

static void
print_picture(FILE *out, const void *what)
{
	const struct picture *picture = what;

	fwrite(picture->bytes, 1, picture->len, out);
}

/* draw_plot: the picture is whole before a file is touched. */
static bool
draw_plot(const struct sweep *sweep, const char *path)
{
	size_t len = strlen(path);
	struct picture picture = {0};
	char error[256];
	FILE *script;
	bool written;

	if (sweep_measured(sweep) == 0) {
		complain("%s is not drawn: there are no figures", path);
		return false;
	}
	script = gnuplot_open();
	if (script == NULL)
		return is_written(path, -errno);
	report_plot_script(sweep, script, len > 4 && strcmp(path + len - 4, ".png") == 0);
	if (gnuplot_draw(script, &picture.bytes, &picture.len, error, sizeof(error)) != 0) {
		complain("cannot draw %s: %s", path, error);
		return false;
	}
	written = is_written(path, outfile_write(path, print_picture, &picture));
	free(picture.bytes);
	return written;
}

bool
report_write_files(const struct sweep *sweep)
{
	struct output outputs[OUTPUTS];
	bool written = true;

	list_outputs(sweep->config, outputs);
	for (size_t i = 0; i < OUTPUTS; i++)
		if (outputs[i].path != NULL)
			written &= is_written(outputs[i].path, outfile_write(outputs[i].path, outputs[i].write, sweep));
	if (sweep->config->plot_file != NULL)
		written &= draw_plot(sweep, sweep->config->plot_file);
	return written;
}
