/* ab's two files: percentiles as CSV (-e), and a line for each request as TSV (-g). */
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "common/clock.h"
#include "loadgen/report.h"

int
report_percentiles(FILE *out, const void *what)
{
	const struct sweep *sweep = what;

	const struct summary *summary = &sweep->rows[0].summary;

	fprintf(out, "Percentage served,Time in ms\n");
	for (int percent = 0; percent <= 100 && summary->total.count > 0; percent++)
		fprintf(out, "%d,%.3f\n", percent, summary_ms((double)summary->percentiles[percent]));
	return 0;
}

static int
compare_samples(const void *a, const void *b)
{
	const struct sample *left = a, *right = b;

	return (left->total_ns > right->total_ns) - (left->total_ns < right->total_ns);
}

int
report_samples(FILE *out, const void *what)
{
	const struct sweep *sweep = what;

	if (sweep->samples_len > 0)
		qsort(sweep->samples, sweep->samples_len, sizeof(*sweep->samples), compare_samples);
	fprintf(out, "starttime\tseconds\tctime\tdtime\tttime\twait\n");
	for (size_t i = 0; i < sweep->samples_len; i++) {
		const struct sample *sample = &sweep->samples[i];
		time_t seconds = (time_t)((sample->start_ns + sweep->result.wall_offset_ns) / NS_PER_SEC);
		struct tm parts;
		char text[32];

		localtime_r(&seconds, &parts);
		strftime(text, sizeof(text), "%a %b %d %H:%M:%S %Y", &parts);
		fprintf(out, "%s\t%lld\t%ld\t%ld\t%ld\t%ld\n", text, (long long)seconds,
		    summary_whole_ms((double)sample->connect_ns),
		    summary_whole_ms((double)(sample->total_ns - sample->connect_ns)),
		    summary_whole_ms((double)sample->total_ns), summary_whole_ms((double)sample->waiting_ns));
	}
	return 0;
}
