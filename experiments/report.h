/* The results folder of a run: every file finished before any of it is seen. */
#ifndef EXPERIMENTS_REPORT_H
#define EXPERIMENTS_REPORT_H

#include <stdbool.h>

#include "common/compiler.h"
#include "experiments/keeper.h"
#include "experiments/record.h"
#include "experiments/text.h"

#define REPORT_ERROR_MAX 1024

/*
 * report_write makes RESULTS/<run's name>/ with report.html, report.md,
 * cells.csv and the plots.  They are written into a hidden folder beside it,
 * which is then renamed; where the folder is there already (a report made
 * again), each finished file replaces the one there.  Without PLOTS gnuplot is not run.
 * Returns 0, or -errno with a sentence in ERROR; then nothing half-written is left.
 */
MUST_CHECK int report_write(
    const struct record *record, const struct keeper *keeper, const char *results, bool plots, char *error);

/*
 * report_add_html adds the whole page: no file beside it is needed, the plots
 * are in it, read from FOLDER (a plot that is not there is left out).
 */
void report_add_html(struct text *page, const struct record *record, const char *folder);

/* report_add_markdown adds the same as Markdown, whose plots are the PNG files beside it. */
void report_add_markdown(struct text *text, const struct record *record, const char *folder);

#endif
