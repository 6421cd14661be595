/* Whether departures came as they should: their gaps against the distribution asked for. */
#include "loadgen/fit.h"

#include <math.h>
#include <stddef.h>

void
fit_record(struct fit *fit, double expected)
{
	/* 1 - exp(-gap) is even between 0 and 1 when the gaps are exponential. */
	double place = -expm1(-expected) * FIT_BINS;

	fit->bins[place < FIT_BINS - 1 ? (size_t)place : FIT_BINS - 1]++;
	fit->count++;
}

void
fit_merge(struct fit *into, const struct fit *from)
{
	into->count += from->count;
	for (size_t i = 0; i < FIT_BINS; i++)
		into->bins[i] += from->bins[i];
}

double
fit_distance(const struct fit *fit)
{
	double largest = 0;
	uint64_t below = 0;

	if (fit->count == 0)
		return 0;
	for (size_t i = 0; i + 1 < FIT_BINS; i++) {
		below += fit->bins[i];
		largest = fmax(largest, fabs((double)below / (double)fit->count - (double)(i + 1) / FIT_BINS));
	}
	return largest;
}

double
fit_limit(uint64_t count)
{
	/* Kolmogorov's tail is 2 exp(-2 x^2) from here on: this is where it comes to 1/1000. */
	double quantile = sqrt(log(2 / 0.001) / 2), root = sqrt((double)count);

	return count == 0 ? 1 : fmin(1, quantile / (root + 0.12 + 0.11 / root));
}
