/* The figures of a cell, as every report prints them. */
#include "loadgen/summary.h"

#include <string.h>

#include "common/clock.h"

static struct distribution
distribution_of(const struct histogram *histogram)
{
	return (struct distribution){
	    .count = histogram->count,
	    .min = histogram_at(histogram, 1),
	    .median = histogram_median(histogram),
	    .max = histogram->max,
	    .mean = histogram_mean(histogram),
	    .sd = histogram_sd(histogram),
	};
}

static void
take_counts(struct summary *summary, const struct result *result)
{
	const struct stats *stats = &result->stats;

	summary->end = result->end;
	summary->complete = stats->complete;
	summary->failed = stats_failed(stats);
	memcpy(summary->failures, stats->failures, sizeof(summary->failures));
	memcpy(summary->whys, stats->whys, sizeof(summary->whys));
	summary->write_errors = stats->write_errors;
	summary->non_2xx = stats->non_2xx;
	summary->errors = stats->errors;
	summary->kept_alive = stats->kept_alive;
	summary->unfinished = stats->unfinished;
	summary->overdue = stats->overdue;
	summary->missed = stats->missed;
	summary->queued = stats->queued;
	summary->bytes_received = stats->bytes_received;
	summary->bytes_body = stats->bytes_body;
	summary->bytes_sent = stats->bytes_sent;
	summary->duration_ns = result->duration_ns;
	summary->client_cpu_ns = stats->cpu_ns;
	summary->due = result->due;
	summary->left = result->left;
	summary->warmup_ns = result->warmup_ns;
	summary->document_len = result->document_len;
	summary->under_way_s = (double)stats->under_way_ns / (double)NS_PER_SEC;
	summary->active_s = (double)stats->active_ns / (double)NS_PER_SEC;
	summary->cpu_share = stats->cpu_share;
	summary->paused_ns = stats->paused_ns;
	summary->most_open = stats->most_open;
	summary->tls_facts = stats->tls_facts;
	memcpy(summary->server, stats->server, sizeof(summary->server));
}

static void
take_distributions(struct summary *summary, const struct stats *stats)
{
	summary->connect = distribution_of(&stats->connect);
	summary->tls = distribution_of(&stats->tls);
	summary->processing = distribution_of(&stats->processing);
	summary->waiting = distribution_of(&stats->waiting);
	summary->total = distribution_of(&stats->total);
	summary->service = distribution_of(&stats->service);
	summary->delay = distribution_of(&stats->delay);
	summary->lag = distribution_of(&stats->lag);
	for (unsigned percent = 0; percent <= 100; percent++)
		summary->percentiles[percent] = histogram_percentile(&stats->total, percent);
	summary->p99_9_ns = histogram_percentile(&stats->total, 99.9);
	summary->p50_interval = interval_of_percentile(&stats->total, 50);
	summary->p90_interval = interval_of_percentile(&stats->total, 90);
	summary->p99_interval = interval_of_percentile(&stats->total, 99);
	summary->p99_9_interval = interval_of_percentile(&stats->total, 99.9);
	summary->service_p50_ns = histogram_percentile(&stats->service, 50);
	summary->service_p99_ns = histogram_percentile(&stats->service, 99);
	summary->delay_p99_ns = histogram_percentile(&stats->delay, 99);
	summary->lag_p99_ns = histogram_percentile(&stats->lag, 99);
}

/* pace_rate: a single request, COUNT of them in all, has no gaps, and only the time of the cell to be set against. */
static double
pace_rate(const struct pace *pace, uint64_t count, double seconds)
{
	if (pace->span_ns > 0)
		return (double)pace->gaps / ((double)pace->span_ns / (double)NS_PER_SEC);
	return (double)count / seconds;
}

/*
 * rate_left is the part of RATE, at which requests were due, at which they left: fewer than were due, if some never did, or in
 * more time, if they were late.
 */
static double
rate_left(const struct summary *summary, double rate)
{
	double left = (double)(summary->complete + summary->unfinished), due = left + (double)summary->missed;
	double share = due > 0 ? left / due : 0;

	if (summary->left.span_ns > summary->due.span_ns)
		share *= (double)summary->due.span_ns / (double)summary->left.span_ns;
	return rate * share;
}

static void
take_rates(struct summary *summary, const struct cell *cell)
{
	double seconds = (double)summary->duration_ns / (double)NS_PER_SEC;
	double at_a_time = (double)cell->concurrency * (double)cell->config->pipeline;

	if (summary->complete == 0)
		summary->time_per_request_ms = summary->time_per_request_all_ms = (double)NAN;
	if (seconds <= 0)
		return;
	if (summary->complete > 0) {
		summary->rps = (double)summary->complete / seconds;
		summary->time_per_request_all_ms = seconds * 1000 / (double)summary->complete;
		/*
		 * An open loop has no fixed number of requests at a time.  By
		 * Little's law the mean of those that there were gives the mean response time.
		 */
		summary->time_per_request_ms =
		    cell->open_loop ? summary_ms(summary->total.mean) : at_a_time * summary->time_per_request_all_ms;
	}
	if (cell->open_loop) {
		summary->rps_due =
		    pace_rate(&summary->due, summary->complete + summary->unfinished + summary->missed, seconds);
		summary->rps_started = rate_left(summary, summary->rps_due);
	}
}

void
summary_make(struct summary *summary, const struct cell *cell, const struct result *result)
{
	const struct fit *fit = &result->stats.fit;

	*summary = (struct summary){0};
	take_counts(summary, result);
	take_distributions(summary, &result->stats);
	take_rates(summary, cell);
	if (cell->open_loop && cell->config->arrivals == ARRIVALS_POISSON && fit->count > 0) {
		summary->departures_distance = fit_distance(fit);
		summary->departures_limit = fit_limit(fit->count);
	}
	summary->checks_failed = check_all(summary->checks, cell, summary);
}
