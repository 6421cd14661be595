/* A distribution of times: log-linear counts over the full range, and exact minimum, maximum, mean and deviation. */
#include "loadgen/histogram.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int
histogram_init(struct histogram *histogram)
{
	*histogram = (struct histogram){
	    .min = UINT64_MAX,
	    .counts = calloc(HISTOGRAM_LEN, sizeof(*histogram->counts)),
	};
	return histogram->counts != NULL ? 0 : -ENOMEM;
}

void
histogram_deinit(struct histogram *histogram)
{
	free(histogram->counts);
	histogram->counts = NULL;
}

void
histogram_reset(struct histogram *histogram)
{
	uint64_t *counts = histogram->counts;

	if (histogram->count > 0) {
		uint32_t first = histogram_index(histogram->min), last = histogram_index(histogram->max);

		memset(&counts[first], 0, (last - first + 1) * sizeof(*counts));
	}
	*histogram = (struct histogram){.min = UINT64_MAX, .counts = counts};
}

uint64_t
histogram_lowest(uint32_t index)
{
	uint32_t shift;

	if (index < (1U << HISTOGRAM_BITS))
		return index;
	shift = index / HISTOGRAM_STEPS - 1;
	return (uint64_t)(index % HISTOGRAM_STEPS + HISTOGRAM_STEPS) << shift;
}

void
histogram_record_many(struct histogram *histogram, uint64_t value, uint64_t count)
{
	histogram_record(histogram, value);
	histogram->counts[histogram_index(value)] += count - 1;
	histogram->sum += __extension__(unsigned __int128) value * (count - 1);
	histogram->squares += __extension__(unsigned __int128) value * value * (count - 1);
	histogram->count += count - 1;
}

void
histogram_merge(struct histogram *into, const struct histogram *from)
{
	if (from->count == 0)
		return;
	for (uint32_t i = histogram_index(from->min); i <= histogram_index(from->max); i++)
		into->counts[i] += from->counts[i];
	into->count += from->count;
	into->sum += from->sum;
	into->squares += from->squares;
	if (from->min < into->min)
		into->min = from->min;
	if (from->max > into->max)
		into->max = from->max;
}

double
histogram_mean(const struct histogram *histogram)
{
	return histogram->count == 0 ? 0 : (double)histogram->sum / (double)histogram->count;
}

double
histogram_sd(const struct histogram *histogram)
{
	long double count = (long double)histogram->count;
	long double sum = (long double)histogram->sum;
	long double spread;

	if (histogram->count < 2)
		return 0;
	spread = (long double)histogram->squares - sum * sum / count;
	return spread > 0 ? (double)sqrtl(spread / (count - 1)) : 0;
}

uint64_t
histogram_at(const struct histogram *histogram, uint64_t rank)
{
	uint64_t below = 0;

	if (histogram->count == 0)
		return 0;
	if (rank <= 1)
		return histogram->min;
	if (rank >= histogram->count)
		return histogram->max;
	for (uint32_t i = histogram_index(histogram->min); i < HISTOGRAM_LEN; i++) {
		uint64_t low, middle;

		below += histogram->counts[i];
		if (below < rank)
			continue;
		/* The middle of the step; the exact ends hold a value back that lies beyond them. */
		low = histogram_lowest(i);
		middle = i + 1 < HISTOGRAM_LEN ? low + (histogram_lowest(i + 1) - low) / 2 : low;
		if (middle < histogram->min)
			return histogram->min;
		return middle > histogram->max ? histogram->max : middle;
	}
	return histogram->max;
}

uint64_t
histogram_percentile(const struct histogram *histogram, double percent)
{
	/* A hair less, because 99.9% of 1000 must be rank 999 however 99.9 is rounded in binary. */
	double rank = ceil(percent / 100 * (double)histogram->count * (1 - 1e-12));

	return histogram_at(histogram, (uint64_t)rank);
}

uint64_t
histogram_median(const struct histogram *histogram)
{
	uint64_t lower = histogram_at(histogram, (histogram->count + 1) / 2);
	uint64_t upper = histogram_at(histogram, histogram->count / 2 + 1);

	return lower + (upper - lower) / 2;
}
