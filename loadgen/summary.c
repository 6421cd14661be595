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
	    .overdue = stats->overdue,
	    .missed = stats->missed,
	    .queued = stats->queued,
	    .warmup_ns = result->warmup_ns,
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
	    .tls = distribution_of(&stats->tls),
	    .service = distribution_of(&stats->service),
	    .delay = distribution_of(&stats->delay),
	    .lag = distribution_of(&stats->lag),
	    .p99_9_ns = histogram_percentile(&stats->total, 99.9),
	    .p50_interval = interval_of_percentile(&stats->total, 50),
	    .p90_interval = interval_of_percentile(&stats->total, 90),
	    .p99_interval = interval_of_percentile(&stats->total, 99),
	    .p99_9_interval = interval_of_percentile(&stats->total, 99.9),
	    .service_p50_ns = histogram_percentile(&stats->service, 50),
	    .service_p99_ns = histogram_percentile(&stats->service, 99),
	    .lag_p99_ns = histogram_percentile(&stats->lag, 99),
	    .delay_p99_ns = histogram_percentile(&stats->delay, 99),
	    .under_way_s = (double)stats->under_way_ns / (double)NS_PER_SEC,
	    .active_s = (double)stats->active_ns / (double)NS_PER_SEC,
	    .cpu_share = stats->cpu_share,
	    .most_open = stats->most_open,
	    .tls_facts = stats->tls_facts,
	};
	memcpy(summary->failures, stats->failures, sizeof(summary->failures));
	memcpy(summary->server, stats->server, sizeof(summary->server));
	if (stats->complete > 0 && seconds > 0) {
		summary->rps = (double)stats->complete / seconds;
		summary->time_per_request_all_ms = seconds * 1000 / (double)stats->complete;
		summary->time_per_request_ms = cell->concurrency * summary->time_per_request_all_ms;
	}
	if (cell->open_loop) {
		/* Departures: those that ended, those still under way, and those that never left. */
		uint64_t due = stats->complete + stats->unfinished + stats->missed;

		summary->rps_due = seconds > 0 ? (double)due / seconds : 0;
		if (cell->config->arrivals == ARRIVALS_POISSON && stats->fit.count > 0) {
			summary->departures_distance = fit_distance(&stats->fit);
			summary->departures_limit = fit_limit(stats->fit.count);
		}
	}
	for (unsigned percent = 0; percent <= 100; percent++)
		summary->percentiles[percent] = histogram_percentile(&stats->total, percent);
	summary->checks_failed = check_all(summary->checks, cell, summary);
}
