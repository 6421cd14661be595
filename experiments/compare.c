/* Two runs beside each other: a ratio for each cell that both have. */
#include "experiments/compare.h"

#include <math.h>
#include <string.h>

#include "experiments/table.h"

/* find_same finds the cell of RECORD that asked for the same measurement. */
static const struct cell *
find_same(const struct record *record, const struct cell *cell)
{
	for (size_t i = 0; i < record->plan.cell_count; i++) {
		const struct cell *other = &record->plan.cells[i];

		if (strcmp(other->experiment->name, cell->experiment->name) == 0 &&
		    strcmp(other->server->name, cell->server->name) == 0 && other->sleep_s == cell->sleep_s &&
		    other->concurrency == cell->concurrency && other->requests == cell->requests)
			return other;
	}
	return NULL;
}

static bool
is_far(double ratio, double threshold)
{
	return !(fabs(ratio - 1) <= threshold);
}

static bool
add_row(struct text *text, const struct cell *a, const struct cell *b, double threshold)
{
	double rps = b->result.rps / a->result.rps, time = b->result.time_ms / a->result.time_ms;
	bool far = is_far(rps, threshold) || is_far(time, threshold);
	char name[96];

	plan_cell_name(a, name, sizeof(name));
	text_add(text, "%-32s %8.2f %8.2f %5.3f %7.1f %7.1f %5.3f%s\n", name, a->result.rps, b->result.rps, rps,
	    a->result.time_ms, b->result.time_ms, time, far ? " *" : "");
	return far;
}

size_t
compare_add(struct text *text, const struct record *a, const struct record *b, double threshold, size_t *shared)
{
	size_t marked = 0, only_a = 0, only_b = 0;

	*shared = 0;
	text_add(text, "A: %s\nB: %s\n\n", a->name, b->name);
	text_add(text, "%-32s %23s %21s\n", "", "Requests per second", "Time per request, ms");
	text_add(text, "%-32s %8s %8s %5s %7s %7s %5s\n", "Cell", "A", "B", "B/A", "A", "B", "B/A");
	text_add(text, "-------------------------------- -------- -------- ----- ------- ------- -----\n");
	for (size_t i = 0; i < a->plan.cell_count; i++) {
		const struct cell *cell = &a->plan.cells[i], *other = find_same(b, cell);

		if (cell->result.state != RESULT_DONE)
			continue;
		if (other == NULL || other->result.state != RESULT_DONE) {
			only_a++;
			continue;
		}
		marked += add_row(text, cell, other, threshold);
		++*shared;
	}
	for (size_t i = 0; i < b->plan.cell_count; i++) {
		const struct cell *cell = &b->plan.cells[i], *other = find_same(a, cell);

		if (cell->result.state == RESULT_DONE && (other == NULL || other->result.state != RESULT_DONE))
			only_b++;
	}
	text_add(text, "\n%zu cells in both", *shared);
	if (only_a > 0 || only_b > 0)
		text_add(text, ", %zu only in A, %zu only in B", only_a, only_b);
	if (marked > 0)
		text_add(text, "; %zu marked * differ by more than %g%%", marked, 100 * threshold);
	else if (*shared > 0)
		text_add(text, "; none differs by more than %g%%", 100 * threshold);
	text_add(text, "\n");
	return marked;
}
