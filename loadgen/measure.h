/* Measures one cell of a sweep once, adds the figures to its row, and says why it could not be measured. */
#ifndef LOADGEN_MEASURE_H
#define LOADGEN_MEASURE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"
#include "loadgen/progress.h"
#include "loadgen/sweep.h"

/*
 * measure_row runs the cell of ROW, for the repetition of this number (from
 * 0); row->summary is that of all repetitions so far.  A cell that could not be measured, or broke off, is told on
 * standard error, row->broken is set, and its target is `down`: further cells of it are left out.
 * Returns whether the run can go on.
 */
MUST_CHECK bool measure_row(struct sweep *sweep, struct row *row, int64_t repetition, struct progress *progress);

#endif
