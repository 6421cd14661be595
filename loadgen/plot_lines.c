/* What --plot shows of a sweep: which axis varied, and the rows that make a line along it. */
#include "loadgen/plot_lines.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"

double
plot_value(const struct cell *cell, enum plot_axis axis)
{
	switch (axis) {
	case PLOT_RATE:
		return cell->open_loop ? cell->ramp.to : 0;
	case PLOT_CONCURRENCY:
		return cell->concurrency;
	case PLOT_SLEEP:
		return cell->has_sleep ? (double)cell->sleep_ns / (double)NS_PER_SEC : 0;
	case PLOT_AXES:
		break;
	}
	return 0;
}

static bool
same(double one, double other)
{
	return !(one < other) && !(one > other);
}

/* varies tells whether measured rows differ along AXIS. */
static bool
varies(const struct sweep *sweep, enum plot_axis axis)
{
	const struct row *first = NULL;

	for (size_t i = 0; i < sweep->rows_len; i++) {
		const struct row *row = &sweep->rows[i];

		if (!row->measured)
			continue;
		if (first == NULL)
			first = row;
		else if (!same(plot_value(&row->cell, axis), plot_value(&first->cell, axis)))
			return true;
	}
	return false;
}

bool
plot_line_has(const struct plot_lines *lines, const struct plot_line *line, const struct row *row)
{
	if (!row->measured || row->cell.target != line->first->cell.target)
		return false;
	for (unsigned axis = 0; axis < PLOT_AXES; axis++)
		if (axis != lines->axis && !same(plot_value(&row->cell, (enum plot_axis)axis),
					       plot_value(&line->first->cell, (enum plot_axis)axis)))
			return false;
	return true;
}

static void PRINTF_LIKE(2, 3) add_to_title(struct plot_line *line, const char *format, ...)
{
	size_t used = strlen(line->title);
	va_list args;

	if (used > 0 && used + 2 < sizeof(line->title)) {
		strcpy(line->title + used, ", ");
		used += 2;
	}
	va_start(args, format);
	vsnprintf(line->title + used, sizeof(line->title) - used, format, args);
	va_end(args);
}

static void
name_line(struct plot_line *line, const struct sweep *sweep, enum plot_axis axis)
{
	const struct cell *cell = &line->first->cell;

	if (sweep->targets_len > 1)
		add_to_title(line, "%.100s", cell->target->url);
	if (axis != PLOT_CONCURRENCY && varies(sweep, PLOT_CONCURRENCY))
		add_to_title(line, "c %u", cell->concurrency);
	if (axis != PLOT_SLEEP && varies(sweep, PLOT_SLEEP))
		add_to_title(line, "sleep %g s", plot_value(cell, PLOT_SLEEP));
}

void
plot_lines_find(struct plot_lines *lines, const struct sweep *sweep)
{
	*lines = (struct plot_lines){.axis = varies(sweep, PLOT_RATE)          ? PLOT_RATE
					     : varies(sweep, PLOT_CONCURRENCY) ? PLOT_CONCURRENCY
					     : varies(sweep, PLOT_SLEEP)       ? PLOT_SLEEP
									       : PLOT_CONCURRENCY};
	for (size_t i = 0; i < sweep->rows_len; i++) {
		const struct row *row = &sweep->rows[i];
		bool known = !row->measured;

		for (size_t l = 0; l < lines->len && !known; l++)
			known = plot_line_has(lines, &lines->at[l], row);
		if (known)
			continue;
		if (lines->len == PLOT_LINES_MAX) {
			lines->left_out = true;
			continue;
		}
		lines->at[lines->len].first = row;
		name_line(&lines->at[lines->len++], sweep, lines->axis);
	}
}
