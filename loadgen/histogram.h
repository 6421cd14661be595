/* A distribution of times: log-linear counts over the full range, and exact minimum, maximum, mean and deviation. */
#ifndef LOADGEN_HISTOGRAM_H
#define LOADGEN_HISTOGRAM_H

#include <stdint.h>

#include "common/compiler.h"

/*
 * Values are nanoseconds.  Below 2^HISTOGRAM_BITS each value has a count of
 * its own; above, each octave is cut into 2^(HISTOGRAM_BITS - 1) equal steps, so that a
 * percentile is off by at most 1 part in 2048 (0.05%).  Every uint64_t has a
 * place: nothing is clamped and nothing is thrown away.
 */
#define HISTOGRAM_BITS 11
#define HISTOGRAM_STEPS (1U << (HISTOGRAM_BITS - 1))
#define HISTOGRAM_LEN ((64 - HISTOGRAM_BITS + 2) * HISTOGRAM_STEPS)

struct histogram {
	uint64_t count;
	uint64_t min, max; /* exact; valid when count > 0 */
	uint64_t *counts;  /* HISTOGRAM_LEN of them; pages that no value falls on are never touched */
	/* Exact. 64 bits would overflow at 584 years of waiting, which missed requests soon have together, and at one time of 4 s. */
	__extension__ unsigned __int128 sum, squares;
};

/*
 * histogram_init makes HISTOGRAM empty.  Returns 0 or -ENOMEM.
 * histogram_deinit frees what it holds (also after a failed init).
 */
MUST_CHECK int histogram_init(struct histogram *histogram);
void histogram_deinit(struct histogram *histogram);

/* histogram_reset makes it empty again. */
void histogram_reset(struct histogram *histogram);

/* histogram_index returns the count that VALUE falls on, and histogram_lowest the lowest value of the count INDEX. */
static inline uint32_t
histogram_index(uint64_t value)
{
	uint32_t shift;

	if (value < (1U << HISTOGRAM_BITS))
		return (uint32_t)value;
	shift = (uint32_t)(64 - HISTOGRAM_BITS) - (uint32_t)__builtin_clzll(value);
	return shift * HISTOGRAM_STEPS + (uint32_t)(value >> shift);
}
uint64_t histogram_lowest(uint32_t index);

/* histogram_record adds one VALUE: a few additions, no division, no branch on the value but one. */
static inline void
histogram_record(struct histogram *histogram, uint64_t value)
{
	histogram->counts[histogram_index(value)]++;
	histogram->sum += value;
	histogram->squares += __extension__(unsigned __int128) value * value;
	if (value < histogram->min)
		histogram->min = value;
	if (value > histogram->max)
		histogram->max = value;
	histogram->count++;
}

/* histogram_record_many adds VALUE so many times (COUNT at least 1). */
void histogram_record_many(struct histogram *histogram, uint64_t value, uint64_t count);

/* histogram_merge adds everything that FROM holds to INTO. */
void histogram_merge(struct histogram *into, const struct histogram *from);

/*
 * What was recorded.  All return 0 for an empty histogram.
 * histogram_sd is the sample's standard deviation (n - 1), as ab's.
 * histogram_at returns the value of RANK (1: the smallest, count: the largest).
 * histogram_percentile returns the smallest value that at least PERCENT (0 to
 * 100) of all values do not exceed: the nearest rank, never an average.
 * histogram_median averages the two middle values of an even count.
 */
double histogram_mean(const struct histogram *histogram);
double histogram_sd(const struct histogram *histogram);
uint64_t histogram_at(const struct histogram *histogram, uint64_t rank);
uint64_t histogram_percentile(const struct histogram *histogram, double percent);
uint64_t histogram_median(const struct histogram *histogram);

#endif
