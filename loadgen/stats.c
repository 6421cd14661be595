/* What a thread counts, and by merging what a cell comes to. */
#include "loadgen/stats.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

const char *
failure_name(enum failure failure)
{
	switch (failure) {
	case FAILURE_CONNECT:
		return "connect";
	case FAILURE_TLS:
		return "tls";
	case FAILURE_TIMEOUT:
		return "timeout";
	case FAILURE_RESET:
		return "reset";
	case FAILURE_TRUNCATED:
		return "truncated";
	case FAILURE_MALFORMED:
		return "malformed";
	case FAILURE_LENGTH:
		return "length";
	case FAILURE_CLASSES:
		break;
	}
	return "none";
}

/* histograms_of lists all of them. */
#define HISTOGRAMS 8

static void
histograms_of(struct stats *stats, struct histogram *histograms[HISTOGRAMS])
{
	histograms[0] = &stats->connect;
	histograms[1] = &stats->tls;
	histograms[2] = &stats->processing;
	histograms[3] = &stats->waiting;
	histograms[4] = &stats->total;
	histograms[5] = &stats->service;
	histograms[6] = &stats->delay;
	histograms[7] = &stats->lag;
}

int
stats_init(struct stats *stats)
{
	struct histogram *histograms[HISTOGRAMS];
	int result;

	*stats = (struct stats){.begin_ns = UINT64_MAX};
	histograms_of(stats, histograms);
	/* All of them, so that deinit finds each in a known state. */
	result = series_init(&stats->series);
	for (size_t i = 0; i < HISTOGRAMS; i++)
		result |= histogram_init(histograms[i]);
	return result != 0 ? -ENOMEM : 0;
}

void
stats_deinit(struct stats *stats)
{
	struct histogram *histograms[HISTOGRAMS];

	histograms_of(stats, histograms);
	for (size_t i = 0; i < HISTOGRAMS; i++)
		histogram_deinit(histograms[i]);
	series_deinit(&stats->series);
}

void
stats_reset(struct stats *stats)
{
	struct histogram *histograms[HISTOGRAMS];
	struct stats empty = {.begin_ns = UINT64_MAX, .tls_facts = stats->tls_facts};

	memcpy(empty.server, stats->server, sizeof(empty.server));
	empty.connect = stats->connect;
	empty.tls = stats->tls;
	empty.processing = stats->processing;
	empty.waiting = stats->waiting;
	empty.total = stats->total;
	empty.service = stats->service;
	empty.delay = stats->delay;
	empty.lag = stats->lag;
	memcpy(stats, &empty, offsetof(struct stats, series));
	histograms_of(stats, histograms);
	for (size_t i = 0; i < HISTOGRAMS; i++)
		histogram_reset(histograms[i]);
}

void
stats_record(struct stats *stats, const struct timing *timing, enum failure failure)
{
	histogram_record(&stats->connect, timing->secured_ns - timing->start_ns);
	if (timing->secured_ns != timing->connected_ns)
		histogram_record(&stats->tls, timing->secured_ns - timing->connected_ns);
	histogram_record(&stats->processing, timing->end_ns - timing->secured_ns);
	/* An answer may come before the request has left whole. */
	histogram_record(&stats->waiting, timing->first_ns > timing->sent_ns ? timing->first_ns - timing->sent_ns : 0);
	histogram_record(&stats->total, timing->end_ns - timing->due_ns);
	stats_record_under_way(stats, timing->start_ns, timing->end_ns);
	stats->complete++;
	if (failure != FAILURE_NONE)
		stats->failures[failure]++;
}

void
stats_record_open(struct stats *stats, const struct timing *timing, bool queued, bool retried)
{
	histogram_record(&stats->service, timing->end_ns - timing->start_ns);
	histogram_record(&stats->delay, timing->start_ns - timing->due_ns);
	stats->queued += queued;
	if (!queued && !retried)
		histogram_record(&stats->lag, timing->start_ns - timing->due_ns);
}

void
stats_depart(struct departures *departures, uint64_t at_ns)
{
	if (departures->count++ == 0)
		departures->first_ns = at_ns;
	departures->last_ns = at_ns;
}

static void
merge_departures(struct departures *into, const struct departures *from)
{
	if (from->count == 0)
		return;
	if (into->count == 0 || from->first_ns < into->first_ns)
		into->first_ns = from->first_ns;
	if (from->last_ns > into->last_ns)
		into->last_ns = from->last_ns;
	into->count += from->count;
}

void
stats_explain(struct stats *stats, enum failure failure, const char *why)
{
	if (stats->whys[failure][0] == '\0')
		snprintf(stats->whys[failure], FAILURE_WHY_MAX, "%s", why);
}

uint64_t
stats_failed(const struct stats *stats)
{
	uint64_t failed = 0;

	for (size_t i = 0; i < FAILURE_CLASSES; i++)
		failed += stats->failures[i];
	return failed;
}

int
stats_merge(struct stats *into, const struct stats *from)
{
	struct histogram *to[HISTOGRAMS], *of[HISTOGRAMS];
	struct stats view = *from; /* of the same histograms */

	into->complete += from->complete;
	for (int i = 0; i < FAILURE_CLASSES; i++) {
		into->failures[i] += from->failures[i];
		stats_explain(into, (enum failure)i, from->whys[i]);
	}
	into->write_errors += from->write_errors;
	into->non_2xx += from->non_2xx;
	into->errors += from->errors;
	into->kept_alive += from->kept_alive;
	into->bytes_received += from->bytes_received;
	into->bytes_body += from->bytes_body;
	into->bytes_sent += from->bytes_sent;
	into->unfinished += from->unfinished;
	into->overdue += from->overdue;
	into->missed += from->missed;
	into->queued += from->queued;
	into->active_ns += from->active_ns;
	into->under_way_ns += from->under_way_ns;
	into->cpu_ns += from->cpu_ns;
	into->most_open += from->most_open;
	if (from->cpu_share > into->cpu_share)
		into->cpu_share = from->cpu_share;
	if (from->paused_ns > into->paused_ns)
		into->paused_ns = from->paused_ns;
	if (from->begin_ns < into->begin_ns)
		into->begin_ns = from->begin_ns;
	if (from->end_ns > into->end_ns)
		into->end_ns = from->end_ns;
	histograms_of(into, to);
	histograms_of(&view, of);
	for (size_t i = 0; i < HISTOGRAMS; i++)
		histogram_merge(to[i], of[i]);
	merge_departures(&into->due, &from->due);
	merge_departures(&into->left, &from->left);
	fit_merge(&into->fit, &from->fit);
	if (into->server[0] == '\0')
		memcpy(into->server, from->server, sizeof(into->server));
	if (into->tls_facts.protocol[0] == '\0')
		into->tls_facts = from->tls_facts;
	return series_merge(&into->series, &from->series);
}
