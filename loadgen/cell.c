/* One cell of a sweep, in words. */
#include "loadgen/cell.h"

#include <stdio.h>

#include "common/clock.h"

void
cell_describe(const struct cell *cell, char *text)
{
	const struct ramp *ramp = &cell->ramp;
	char rate[48] = "", sleep[32] = "";
	/* Of an open loop that is a limit, and worth a word only where there are several. */
	bool connections = !cell->open_loop || cell->config->concurrency.len > 1;

	if (cell->open_loop && ramp->duration_ns > 0)
		snprintf(
		    rate, sizeof(rate), "%.9g to %.9g requests/s%s", ramp->from, ramp->to, connections ? ", " : "");
	else if (cell->open_loop)
		snprintf(rate, sizeof(rate), "%.9g requests/s%s", ramp->from, connections ? ", " : "");
	if (cell->has_sleep)
		snprintf(sleep, sizeof(sleep), ", sleep %.9g s", (double)cell->sleep_ns / (double)NS_PER_SEC);
	if (connections)
		snprintf(text, CELL_TEXT_MAX, "%sc %u%s", rate, cell->concurrency, sleep);
	else
		snprintf(text, CELL_TEXT_MAX, "%s%s", rate, sleep);
}
