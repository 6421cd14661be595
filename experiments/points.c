/* The measured points of a series: what lines, fits and sentences are made from. */
#include "experiments/points.h"

#include <math.h>

#include "experiments/ideal.h"

void
points_of(struct points *points, const struct plan *plan, const struct series *series)
{
	points->count = 0;
	for (size_t i = 0; i < series->experiment->value_count; i++) {
		const struct cell *cell = plan_cell(plan, series, i);
		size_t at = points->count;

		if (cell->result.state != RESULT_DONE)
			continue;
		points->x[at] = series->experiment->values[i];
		points->rps[at] = cell->result.rps;
		points->time_ms[at] = cell->result.time_ms;
		points->time_all_ms[at] = cell->result.time_all_ms;
		points->ideal_rps[at] = ideal_rps(cell->server, cell->sleep_s, cell->concurrency, cell->requests);
		points->ideal_time_ms[at] =
		    ideal_time_ms(cell->server, cell->sleep_s, cell->concurrency, cell->requests);
		points->count++;
	}
}

double
points_slope(const double *x, const double *y, size_t count)
{
	double mean_x = 0, mean_y = 0, xx = 0, xy = 0;

	for (size_t i = 0; i < count; i++) {
		mean_x += x[i] / (double)count;
		mean_y += y[i] / (double)count;
	}
	for (size_t i = 0; i < count; i++) {
		xx += (x[i] - mean_x) * (x[i] - mean_x);
		xy += (x[i] - mean_x) * (y[i] - mean_y);
	}
	return xx > 0 ? xy / xx : (double)NAN;
}

double
points_exponent(const double *x, const double *y, size_t count)
{
	double log_x[VALUES_MAX], log_y[VALUES_MAX];
	size_t used = 0;

	for (size_t i = 0; i < count; i++)
		if (x[i] > 0 && y[i] > 0) {
			log_x[used] = log(x[i]);
			log_y[used++] = log(y[i]);
		}
	return points_slope(log_x, log_y, used);
}
