/* Confidence intervals: of a percentile, by order statistics; of a mean or a ratio of repetitions, by Student's t. */
#include "loadgen/interval.h"

#include <math.h>

#include "common/compiler.h"

#define TAIL 0.025 /* at each end */
#define FAR 8      /* standard deviations from the mean: less than 1e-8 of a binomial distribution lies beyond */

/*
 * low_rank returns the largest rank whose order statistic lies above the
 * quantile SHARE in at most TAIL of all samples of COUNT values; 0: not even the smallest does.
 * That is the largest r for which P(B <= r - 1) <= TAIL, where B, the number
 * of values below the quantile, is binomial.  The sum begins so far out that what it leaves
 * away does not matter, and so is no longer than some square roots of COUNT.
 */
static uint64_t
low_rank(uint64_t count, double share)
{
	double n = (double)count;
	double first = floor(n * share - FAR * sqrt(n * share * (1 - share)));
	double k = first > 0 ? first : 0;
	double probability =
	    exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + k * log(share) + (n - k) * log1p(-share));
	double sum = probability;

	while (sum <= TAIL && k < n) {
		probability *= (n - k) / (k + 1) * share / (1 - share);
		k++;
		sum += probability;
	}
	return (uint64_t)k;
}

struct interval
interval_of_percentile(const struct histogram *histogram, double percent)
{
	uint64_t count = histogram->count;

	if (percent <= 0 || percent >= 100 || count < interval_samples(percent))
		return (struct interval){0};
	return (struct interval){
	    .low = (double)histogram_at(histogram, low_rank(count, percent / 100)),
	    /* The same, counted from the other end. */
	    .high = (double)histogram_at(histogram, count + 1 - low_rank(count, 1 - percent / 100)),
	    .known = true,
	};
}

uint64_t
interval_samples(double percent)
{
	double share = percent / 100;

	/* That all values lie on one side of the percentile, the likelier one, is as rare as TAIL. */
	return (uint64_t)ceil(log(TAIL) / log(share > 0.5 ? share : 1 - share));
}

/* student_t returns the quantile 0.975 of Student's t with FREEDOM degrees, to 1e-5. */
static double
student_t(size_t freedom)
{
	static const double few[] = {
	    12.7062047, 4.3026527, 3.1824463, 2.7764451, 2.5705818, 2.4469119, 2.3646243, 2.3060041, 2.2621572};
	const double z = 1.959963985, z2 = z * z, v = (double)freedom;

	if (freedom <= ARRAY_LEN(few))
		return few[freedom - 1];
	/* Abramowitz and Stegun, 26.7.5. */
	return z + z * (z2 + 1) / (4 * v) + z * ((5 * z2 + 16) * z2 + 3) / (96 * v * v) +
	       z * (((3 * z2 + 19) * z2 + 17) * z2 - 15) / (384 * v * v * v) +
	       z * ((((79 * z2 + 776) * z2 + 1482) * z2 - 1920) * z2 - 945) / (92160 * v * v * v * v);
}

/* mean_of is the interval of the mean of VALUES, or of their logarithms. */
static struct interval
mean_of(const double *values, size_t len, bool logarithms)
{
	double mean = 0, squares = 0, half;

	if (len < 2)
		return (struct interval){0};
	for (size_t i = 0; i < len; i++)
		mean += (logarithms ? log(values[i]) : values[i]) / (double)len;
	for (size_t i = 0; i < len; i++) {
		double distance = (logarithms ? log(values[i]) : values[i]) - mean;

		squares += distance * distance;
	}
	half = student_t(len - 1) * sqrt(squares / (double)(len - 1) / (double)len);
	return (struct interval){.low = mean - half, .high = mean + half, .known = true};
}

struct interval
interval_of_mean(const double *values, size_t len)
{
	return mean_of(values, len, false);
}

struct interval
interval_of_ratio(const double *ratios, size_t len)
{
	struct interval interval;

	for (size_t i = 0; i < len; i++)
		if (!(ratios[i] > 0))
			return (struct interval){0};
	interval = mean_of(ratios, len, true);
	if (interval.known) {
		interval.low = exp(interval.low);
		interval.high = exp(interval.high);
	}
	return interval;
}
