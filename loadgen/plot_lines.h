/* What --plot shows of a sweep: which axis varied, and the rows that make a line along it. */
#ifndef LOADGEN_PLOT_LINES_H
#define LOADGEN_PLOT_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "loadgen/sweep.h"

#define PLOT_LINES_MAX 16 /* more could not be told apart */

enum plot_axis { PLOT_RATE, PLOT_CONCURRENCY, PLOT_SLEEP, PLOT_AXES };

/* plot_value returns where CELL stands on AXIS: requests per second, connections, or seconds. */
double plot_value(const struct cell *cell, enum plot_axis axis);

struct plot_line {
	const struct row *first; /* of those that differ from each other along the axis alone */
	char title[160];         /* what else tells it from the other lines; "" for a single one */
};

struct plot_lines {
	enum plot_axis axis;
	struct plot_line at[PLOT_LINES_MAX];
	size_t len;
	bool left_out; /* there was no room for all */
};

/*
 * plot_lines_find chooses the axis: the rate where it varied in measured rows, else the
 * concurrency, else the sleep.  Each target at each value of what else varied is a line.
 */
void plot_lines_find(struct plot_lines *lines, const struct sweep *sweep);

/* plot_line_has tells whether ROW is measured and a point of LINE. */
bool plot_line_has(const struct plot_lines *lines, const struct plot_line *line, const struct row *row);

#endif
