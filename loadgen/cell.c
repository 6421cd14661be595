/* One cell of a sweep, in words. */
#include "loadgen/cell.h"

#include <stdio.h>

#include "common/clock.h"

void
cell_describe(const struct cell *cell, char *text)
{
	const struct ramp *ramp = &cell->ramp;
	int len;

	if (cell->open_loop && ramp->duration_ns > 0)
		len = snprintf(
		    text, CELL_TEXT_MAX, "%.9g to %.9g requests/s, c %u", ramp->from, ramp->to, cell->concurrency);
	else if (cell->open_loop)
		len = snprintf(text, CELL_TEXT_MAX, "%.9g requests/s, c %u", ramp->from, cell->concurrency);
	else
		len = snprintf(text, CELL_TEXT_MAX, "c %u", cell->concurrency);
	if (cell->has_sleep)
		snprintf(text + len, CELL_TEXT_MAX - (size_t)len, ", sleep %.9g s",
		    (double)cell->sleep_ns / (double)NS_PER_SEC);
}
