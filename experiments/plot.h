/* Plots by gnuplot: an SVG and a PNG for each. */
#ifndef EXPERIMENTS_PLOT_H
#define EXPERIMENTS_PLOT_H

#include "common/compiler.h"
#include "experiments/keeper.h"
#include "experiments/record.h"
#include "experiments/text.h"

#define PLOT_ERROR_MAX 512

/* plot_name writes "task7_time" or "task7_rps": the file's name without .svg or .png. */
void plot_name(char *name, size_t size, const struct experiment *experiment, unsigned plot);

/* plot_title returns what the plot shows, for titles and for those who cannot see it: "requests per second". */
const char *plot_title(unsigned plot);

/* plot_is_there tells whether there is a measured point to draw: a plot without any is not made. */
bool plot_is_there(const struct plan *plan, const struct experiment *experiment);

/* plot_script adds the gnuplot script that draws all plots of RECORD into FOLDER. */
void plot_script(struct text *script, const struct record *record, const char *folder);

/* plot_draw runs gnuplot on it.  Returns 0, or -errno with a sentence in ERROR. */
MUST_CHECK int plot_draw(const struct record *record, const struct keeper *keeper, const char *folder, char *error);

#endif
