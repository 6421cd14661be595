/* Whether departures came as they should: their gaps against the distribution asked for. */
#ifndef LOADGEN_FIT_H
#define LOADGEN_FIT_H

#include <stdint.h>

#define FIT_BINS 64

/*
 * Gaps between the departures of one thread, measured in expected arrivals
 * (so that a ramp does not matter), by equally likely bins of the unit
 * exponential distribution.
 */
struct fit {
	uint64_t count;
	uint64_t bins[FIT_BINS];
};

/* fit_record adds a gap of EXPECTED arrivals (a mean of 1), which is not negative. */
void fit_record(struct fit *fit, double expected);
void fit_merge(struct fit *into, const struct fit *from);

/*
 * fit_distance is the Kolmogorov-Smirnov distance from the unit exponential
 * distribution, 0 to 1, at the bins' edges: at most 1/64 less than between
 * all values.  The rate is part of what is tested: gaps that are exponential but too long are off as well.  0 for none.
 */
double fit_distance(const struct fit *fit);

/*
 * fit_limit is the distance that COUNT gaps of a true Poisson process exceed
 * at most once in 1000 runs (Kolmogorov's distribution with Stephens'
 * correction for a finite count: J. R. Statist. Soc. B 32, 1970); 1 for none: anything fits.
 */
double fit_limit(uint64_t count);

#endif
