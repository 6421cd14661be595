/* The figures of a cell, as every report prints them. */
#include "loadgen/summary.h"

#include <string.h>

#include "common/clock.h"

static struct distribution
distribution_of(const struct histogram *histogram)
{
	return (struct distribution){
	    .min = histogram_at(histogram, 1),
	    .median = histogram_median(histogram),
	    .max = histogram->max,
	    .mean = histogram_mean(histogram),
	    .sd = histogram_sd(histogram),
	};
}

void
summary_make(struct summary *summary, const struct cell *cell, const struct result *result)
{
	const struct stats *stats = &result->stats;
	double seconds = (double)result->duration_ns / (double)NS_PER_SEC;

	*summary = (struct summary){
	    .end = result->end,
	    .complete = stats->complete,
	    .failed = stats_failed(stats),
	    .write_errors = stats->write_errors,
	    .non_2xx = stats->non_2xx,
	    .kept_alive = stats->kept_alive,
	    .unfinished = stats->unfinished,
	    .bytes_received = stats->bytes_received,
	    .bytes_body = stats->bytes_body,
	    .bytes_sent = stats->bytes_sent,
	    .duration_ns = result->duration_ns,
	    .client_cpu_ns = result->client_cpu_ns,
	    .document_len = result->document_len,
	    .connect = distribution_of(&stats->connect),
	    .processing = distribution_of(&stats->processing),
	    .waiting = distribution_of(&stats->waiting),
	    .total = distribution_of(&stats->total),
	};
	memcpy(summary->failures, stats->failures, sizeof(summary->failures));
	memcpy(summary->server, stats->server, sizeof(summary->server));
	if (stats->complete > 0 && seconds > 0) {
		summary->rps = (double)stats->complete / seconds;
		summary->time_per_request_all_ms = seconds * 1000 / (double)stats->complete;
		summary->time_per_request_ms = cell->concurrency * summary->time_per_request_all_ms;
	}
	for (unsigned percent = 0; percent <= 100; percent++)
		summary->percentiles[percent] = histogram_percentile(&stats->total, percent);
}
