/*
 * --hgrm: the percentile distribution of the response time in milliseconds, as
 * HdrHistogram's outputPercentileDistribution() prints it and its plotter reads it.
 */
#include <inttypes.h>
#include <math.h>

#include "loadgen/report.h"

#define TICKS 5 /* lines for each halving of the distance to 100%: HdrHistogram's default */

/* next_level returns the percentage after LEVEL: TICKS steps, then the distance to 100 has halved. */
static double
next_level(double level)
{
	double halvings = floor(log2(100 / (100 - level))) + 1;

	return level + 100 / (TICKS * exp2(halvings));
}

static void
print_values(FILE *out, const struct histogram *histogram)
{
	double level = 0, all = (double)histogram->count;
	uint64_t total = 0;

	for (uint32_t i = histogram_index(histogram->min); total < histogram->count; i++) {
		total += histogram->counts[i];
		/* As there: a step that holds many levels has a line for each, the last one only the first of them. */
		while (histogram->counts[i] > 0 && 100 * (double)total / all >= level) {
			fprintf(out, "%12.5f %2.12f %10" PRIu64 " %14.2f\n",
			    summary_ms((double)histogram_at(histogram, total)), level / 100, total,
			    1 / (1 - level / 100));
			level = next_level(level);
			if (total == histogram->count)
				break;
		}
	}
	fprintf(out, "%12.5f %2.12f %10" PRIu64 "\n", summary_ms((double)histogram->max), 1.0, total);
}

int
report_hgrm(FILE *out, const void *what)
{
	const struct sweep *sweep = what;
	const struct histogram *histogram = &sweep->rows[0].stats.total;

	fprintf(out, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
	if (sweep->rows[0].measured && histogram->count > 0)
		print_values(out, histogram);
	fprintf(out, "#[Mean    = %12.5f, StdDeviation   = %12.5f]\n", summary_ms(histogram_mean(histogram)),
	    summary_ms(histogram_sd(histogram)));
	fprintf(out, "#[Max     = %12.5f, Total count    = %12" PRIu64 "]\n",
	    summary_ms((double)histogram_at(histogram, histogram->count)), histogram->count);
	fprintf(out, "#[Buckets = %12u, SubBuckets     = %12u]\n", 64U - HISTOGRAM_BITS + 1, 1U << HISTOGRAM_BITS);
	return 0;
}
