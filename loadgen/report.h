/* What a run says: ab's report for one cell, a table for more, and the files. */
#ifndef LOADGEN_REPORT_H
#define LOADGEN_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "common/compiler.h"
#include "loadgen/sweep.h"

/* Up to so many requests ab shows no progress. */
#define REPORT_AB_QUIET 150

/* report_is_ab tells whether the run is one cell, reported as ab does. */
bool report_is_ab(const struct sweep *sweep);

/*
 * report_begin prints what comes before the run, and report_end the results,
 * on standard output unless data goes there.
 */
void report_begin(const struct sweep *sweep);
void report_end(const struct sweep *sweep);

/*
 * report_check_files finds out before the run whether the files can be
 * written.  Returns false after saying which one cannot.
 */
MUST_CHECK bool report_check_files(const struct config *config);

/* report_write_files writes --json, --csv, -e and -g. Returns false after saying which could not be written. */
MUST_CHECK bool report_write_files(const struct sweep *sweep);

/* The reports, one file each. The argument is a struct sweep (outfile_fn). */
void report_ab_begin(const struct sweep *sweep, FILE *out);
void report_ab(const struct sweep *sweep, FILE *out);
void report_table(const struct sweep *sweep, FILE *out);
void report_json(FILE *out, const void *sweep);
void report_csv(FILE *out, const void *sweep);
void report_percentiles(FILE *out, const void *sweep); /* -e */
void report_samples(FILE *out, const void *sweep);     /* -g */

#endif
