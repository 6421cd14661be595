/* The files of a run: whether they can be written is found out before it. */
#include "loadgen/outputs.h"

#include <stdlib.h>
#include <string.h>

#include "loadgen/complain.h"
#include "loadgen/gnuplot.h"
#include "loadgen/outfile.h"
#include "loadgen/picture.h"
#include "loadgen/report.h"

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

static bool
is_written(const char *path, int result)
{
	if (result != 0)
		complain(
		    "cannot write %s: %s", strcmp(path, "-") == 0 ? "to standard output" : path, strerror(-result));
	return result == 0;
}

bool
outputs_check(const struct config *config)
{
	struct output outputs[OUTPUTS];

	list_outputs(config, outputs);
	for (size_t i = 0; i < OUTPUTS; i++)
		if (outputs[i].path != NULL && !is_written(outputs[i].path, outfile_check(outputs[i].path)))
			return false;
	if (config->plot_file == NULL)
		return true;
	if (!gnuplot_check()) {
		complain("--plot %s: " GNUPLOT_MISSING, config->plot_file);
		return false;
	}
	return is_written(config->plot_file, outfile_check(config->plot_file));
}

/* write_picture: the picture is whole before a file is touched. */
static bool
write_picture(const struct sweep *sweep, const char *path)
{
	struct picture picture;
	char error[256];
	bool written;

	if (sweep_measured(sweep) == 0) {
		complain("%s is not drawn: there are no figures", path);
		return false;
	}
	if (picture_draw(&picture, sweep, path, error, sizeof(error)) != 0) {
		complain("cannot draw %s: %s", path, error);
		return false;
	}
	written = is_written(path, outfile_write(path, picture_print, &picture));
	free(picture.bytes);
	return written;
}

bool
outputs_write(const struct sweep *sweep)
{
	struct output outputs[OUTPUTS];
	bool written = true;

	list_outputs(sweep->config, outputs);
	for (size_t i = 0; i < OUTPUTS; i++)
		if (outputs[i].path != NULL)
			written &= is_written(outputs[i].path, outfile_write(outputs[i].path, outputs[i].write, sweep));
	if (sweep->config->plot_file != NULL)
		written &= write_picture(sweep, sweep->config->plot_file);
	return written;
}
