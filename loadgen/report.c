/* What a run says: ab's report for one cell, a table for more, and the files. */
#include "loadgen/report.h"

#include <string.h>

#include "loadgen/complain.h"
#include "loadgen/outfile.h"

struct output {
	const char *path; /* NULL: not wanted */
	outfile_fn *write;
};

#define OUTPUTS 4

static void
list_outputs(const struct config *config, struct output outputs[OUTPUTS])
{
	outputs[0] = (struct output){config->json_file, report_json};
	outputs[1] = (struct output){config->csv_file, report_csv};
	outputs[2] = (struct output){config->percentiles_file, report_percentiles};
	outputs[3] = (struct output){config->samples_file, report_samples};
}

bool
report_is_ab(const struct sweep *sweep)
{
	return sweep->rows_len == 1 && !sweep->config->until_saturated && !sweep->config->data_on_stdout;
}

void
report_begin(const struct sweep *sweep)
{
	if (report_is_ab(sweep))
		report_ab_begin(sweep, stdout);
}

void
report_end(const struct sweep *sweep)
{
	if (report_is_ab(sweep))
		report_ab(sweep, stdout);
	else if (!sweep->config->data_on_stdout && sweep_measured(sweep) > 0)
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
	return true;
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
	return written;
}
