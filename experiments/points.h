/* The measured points of a series: what lines, fits and sentences are made from. */
#ifndef EXPERIMENTS_POINTS_H
#define EXPERIMENTS_POINTS_H

#include "experiments/plan.h"

/* Only cells in which every request succeeded; a failed one leaves a gap. */
struct points {
	size_t count;
	double x[VALUES_MAX]; /* what varies: concurrency, or seconds of sleep */
	double rps[VALUES_MAX];
	double time_ms[VALUES_MAX];     /* mean */
	double time_all_ms[VALUES_MAX]; /* mean across all concurrent requests */
	double ideal_rps[VALUES_MAX];   /* NAN where no ideal is known */
	double ideal_time_ms[VALUES_MAX];
};

void points_of(struct points *points, const struct plan *plan, const struct series *series);

/* points_exponent fits y = a x^k by least squares on the logarithms, and returns k; NAN with fewer than two points. */
double points_exponent(const double *x, const double *y, size_t count);

/* points_slope fits y = a + b x by least squares, and returns b; NAN with fewer than two points. */
double points_slope(const double *x, const double *y, size_t count);

#endif
