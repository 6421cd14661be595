/* What stands above and below the table of a sweep: what was asked for, and what must be known to read the figures right. */
#ifndef LOADGEN_TABLE_NOTES_H
#define LOADGEN_TABLE_NOTES_H

#include <stdbool.h>
#include <stdio.h>

#include "loadgen/sweep.h"

#define TABLE_WIDTH 80

/* Marks behind a figure, each explained below the table. */
#define TABLE_FEW '*'   /* a percentile of too few values (interval_samples) */
#define TABLE_STALL '~' /* a maximum that a closed loop makes look rare */
#define TABLE_DOUBT '!' /* a check of loadgen itself failed */

/* table_doubt tells whether a check failed that makes the figures of ROW doubtful. */
bool table_doubt(const struct sweep *sweep, const struct row *row);

/* table_head prints the lines above the table, and table_notes those below it. */
void table_head(const struct sweep *sweep, FILE *out);
void table_notes(const struct sweep *sweep, FILE *out);

#endif
