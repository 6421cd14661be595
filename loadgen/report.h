/* What a run says: ab's report for one cell, a table for more, and the files. */
#ifndef LOADGEN_REPORT_H
#define LOADGEN_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "loadgen/sweep.h"

/* report_is_ab tells whether the run is one cell, reported as ab does. */
bool report_is_ab(const struct sweep *sweep);

/* report_sends_body tells whether requests of ROW have a body: ab then reports what was sent. */
bool report_sends_body(const struct row *row);

/*
 * report_begin prints what comes before the run, and report_end the results,
 * on standard output unless data goes there.
 */
void report_begin(const struct sweep *sweep);
void report_end(const struct sweep *sweep);

/* The reports, one file each. */
void report_ab_begin(const struct sweep *sweep, FILE *out);
void report_ab(const struct sweep *sweep, FILE *out);
void report_html_begin(FILE *out);
void report_html(const struct sweep *sweep, FILE *out);
void report_table(const struct sweep *sweep, FILE *out);

/* report_details: what loadgen has to add below ab's report of one cell. */
void report_details(const struct row *row, FILE *out);

/*
 * report_hides_stall tells whether ROW is of a closed loop with a pause that
 * more than 1% of the requests of an open loop would have met: of 10 ms at
 * least, five times p90, and among 20 requests or more.
 */
bool report_hides_stall(const struct row *row);

/*
 * report_remarks has PRINT print a line for each thing that must be known to
 * read the figures of ROW right: requests that are not in them, what a closed loop hides, checks that
 * failed, expectations that were not met.  Nothing where all is well.
 */
typedef void remark_fn(FILE *out, const char *text);
void report_remarks(const struct row *row, FILE *out, remark_fn *print);

/* The files. The argument is a struct sweep (outfile_fn): 0, or of the JSON -ENOMEM. */
int report_json(FILE *out, const void *sweep);
int report_csv(FILE *out, const void *sweep);
int report_series(FILE *out, const void *sweep);
int report_hgrm(FILE *out, const void *sweep);        /* of the first cell, as the two below */
int report_percentiles(FILE *out, const void *sweep); /* -e */
int report_samples(FILE *out, const void *sweep);     /* -g */

/* report_plot_script prints what gnuplot draws to its standard output: a PNG, or an SVG. */
void report_plot_script(const struct sweep *sweep, FILE *out, bool png);

#endif
