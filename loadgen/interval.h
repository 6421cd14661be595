/* Confidence intervals: of a percentile, by order statistics; of a mean or a ratio of repetitions, by Student's t. */
#ifndef LOADGEN_INTERVAL_H
#define LOADGEN_INTERVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loadgen/histogram.h"

/* 95%. `known` is false where there is too little to go by; the ends are 0 then. */
struct interval {
	double low, high;
	bool known;
};

/*
 * interval_of_percentile returns the two order statistics between which the
 * true percentile lies: at most 2.5% of all samples of this size have it below
 * the lower one, and 2.5% above the upper one (the number of values below the
 * percentile is binomial; Conover, Practical Nonparametric Statistics, 3.2).
 * It supposes independent values, and no distribution.  Not known for fewer values than
 * interval_samples: then the true percentile may well lie above even the largest of them.
 */
struct interval interval_of_percentile(const struct histogram *histogram, double percent);

/* interval_samples: how many values the interval of PERCENT (between 0 and 100) wants: 368 for p99, 3688 for p99.9. */
uint64_t interval_samples(double percent);

/* interval_of_mean: Student's t; known from two values on. interval_of_ratio is that of the geometric mean of positive ratios. */
struct interval interval_of_mean(const double *values, size_t len);
struct interval interval_of_ratio(const double *ratios, size_t len);

#endif
