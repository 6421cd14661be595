/* --plot of one cell: its seconds, and its latency by percentile. */
#ifndef LOADGEN_PLOT_CELL_H
#define LOADGEN_PLOT_CELL_H

#include <stdbool.h>
#include <stdio.h>

#include "loadgen/sweep.h"

/* plot_cell prints the script that draws ROW: requests per second over time, latency over time, and latency by percentile. */
void plot_cell(const struct row *row, FILE *out, bool png);

#endif
