/* loadgen's own health: whether a cell's figures tell of the server, or of the client that measured it. */
#include "loadgen/check.h"

#include <math.h>
#include <stdio.h>

#include "common/clock.h"
#include "loadgen/cell.h"
#include "loadgen/summary.h"

#define SHORTEST_S 0.2
#define CPU_MAX 0.95
#define LAG_MAX_MS 1.0
#define LAG_SHARE 0.1 /* of the median service time */
#define LAG_REQUESTS 100
#define PAUSE_MAX_MS 100.0
#define PAUSE_SHARE 0.1 /* of the median service time */
#define WAITED_MAX 0.5
#define MISSED_MAX 0.01
#define BEHIND_MAX_S 0.1
#define DISTANCE_SLACK 0.01
#define DISTANCE_BLIND 0.5
#define UNDER_WAY_MIN 0.95
#define ROUNDS 2
#define PIPELINE_ROUNDS 40
#define CLOSING_S 30e-6
#define CLOSING_SHARE_MAX 0.5

const char *
check_name(enum check_kind kind)
{
	static const char *const names[CHECK_KINDS] = {
	    [CHECK_CPU] = "cpu",
	    [CHECK_LAG] = "send_lag",
	    [CHECK_CONNECTIONS] = "connections",
	    [CHECK_RATE] = "rate",
	    [CHECK_ARRIVALS] = "arrivals",
	    [CHECK_LITTLE] = "littles_law",
	    [CHECK_PAUSED] = "paused",
	};

	return names[kind];
}

/* departures counts the requests of an open loop that left, or ended without having been able to. */
static double
departures(const struct summary *summary)
{
	return (double)(summary->complete + summary->unfinished);
}

static double
due(const struct summary *summary)
{
	return departures(summary) + (double)summary->missed;
}

/* waited is the share of the requests due that found all connections busy. */
static double
waited(const struct summary *summary)
{
	return due(summary) > 0 ? (double)summary->queued / due(summary) : 0;
}

static void
at_most(struct check *check, double measured, double limit)
{
	check->measured = measured;
	check->limit = limit;
	check->state = measured <= limit ? CHECK_OK : CHECK_FAILED;
}

static void
at_least(struct check *check, double measured, double limit)
{
	check->measured = measured;
	check->limit = limit;
	check->state = measured >= limit ? CHECK_OK : CHECK_FAILED;
}

static void
check_lag(struct check *check, const struct summary *summary)
{
	double limit = fmax(LAG_MAX_MS, LAG_SHARE * summary_ms((double)summary->service_p50_ns));

	uint64_t again = summary->failures[FAILURE_CONNECT] + summary->failures[FAILURE_TLS]; /* without a lag */

	/* Of those that never left, most are among the queued. */
	if (summary->complete + summary->missed >= LAG_REQUESTS + summary->queued + again)
		at_most(check, summary_ms((double)summary->lag_p99_ns), limit);
}

/* rounds returns how many requests each place for one has had in a repetition, on average. */
static double
rounds(const struct cell *cell, const struct summary *summary)
{
	const struct config *config = cell->config;

	return (double)summary->complete / (double)cell->concurrency / (double)config->pipeline /
	       (double)config->repeats;
}

static void
check_connections(struct check *check, const struct cell *cell, const struct summary *summary)
{
	if (cell->open_loop)
		at_most(check, check->waited, WAITED_MAX);
	else if (summary->kept_alive >= summary->complete / 2 && rounds(cell, summary) >= ROUNDS)
		at_least(check, summary->most_open, cell->concurrency);
}

static void
check_rate(struct check *check, const struct summary *summary)
{
	double all = due(summary), behind_s;

	if (all <= 0)
		return;
	at_least(check, departures(summary) / all, 1 - fmax(MISSED_MAX, 1 / all));
	/* Where the number of requests ends the cell, all leave in the end. */
	behind_s = ((double)summary->left.span_ns - (double)summary->due.span_ns) / (double)NS_PER_SEC;
	if (check->state == CHECK_OK && behind_s > BEHIND_MAX_S && summary->rps_due > 0)
		at_least(check, summary->rps_started / summary->rps_due, 1 - MISSED_MAX);
}

static void
check_arrivals(struct check *check, const struct cell *cell, const struct summary *summary)
{
	double rate = fmax(cell->ramp.from, cell->ramp.to) / check->threads; /* the ramp's worst moment */
	double late = 2 * summary->lag.mean / (double)NS_PER_SEC * rate;
	double limit = summary->departures_limit + DISTANCE_SLACK + late + 2 * check->waited;

	if (summary->departures_limit > 0 && limit < DISTANCE_BLIND)
		at_most(check, summary->departures_distance, limit);
}

static void
check_little(struct check *check, const struct cell *cell, const struct summary *summary)
{
	double room_s = summary->active_s * (double)cell->config->pipeline;
	double closing_s = CLOSING_S * (double)(summary->complete - summary->kept_alive);

	if (room_s <= 0 || summary->failures[FAILURE_CONNECT] + summary->failures[FAILURE_TLS] > 0)
		return;
	if (cell->config->pipeline > 1 && rounds(cell, summary) < PIPELINE_ROUNDS)
		return;
	at_least(check, summary->under_way_s / room_s, UNDER_WAY_MIN - fmin(CLOSING_SHARE_MAX, closing_s / room_s));
}

static void
check_paused(struct check *check, const struct cell *cell, const struct summary *summary)
{
	uint64_t median_ns = cell->open_loop ? summary->service_p50_ns : summary->percentiles[50];

	at_most(check, summary_ms((double)summary->paused_ns),
	    fmax(PAUSE_MAX_MS, PAUSE_SHARE * summary_ms((double)median_ns)));
}

size_t
check_all(struct check *checks, const struct cell *cell, const struct summary *summary)
{
	double seconds = (double)summary->duration_ns / (double)NS_PER_SEC;
	size_t failed = 0;

	for (int kind = 0; kind < CHECK_KINDS; kind++)
		checks[kind] = (struct check){
		    .open_loop = cell->open_loop,
		    .threads = cell_threads(cell),
		    .waited = waited(summary),
		};
	if (!cell_end_measured(summary->end) || seconds < SHORTEST_S)
		return 0;
	if (cell->open_loop)
		check_rate(&checks[CHECK_RATE], summary);
	if (summary->complete > 0) {
		at_most(&checks[CHECK_CPU], summary->cpu_share, CPU_MAX);
		check_connections(&checks[CHECK_CONNECTIONS], cell, summary);
		check_paused(&checks[CHECK_PAUSED], cell, summary);
	}
	if (summary->complete > 0 && cell->open_loop) {
		check_lag(&checks[CHECK_LAG], summary);
		check_arrivals(&checks[CHECK_ARRIVALS], cell, summary);
	} else if (summary->complete > 0) {
		check_little(&checks[CHECK_LITTLE], cell, summary);
	}
	for (int kind = 0; kind < CHECK_KINDS; kind++)
		failed += checks[kind].state == CHECK_FAILED;
	return failed;
}

static void
connections_sentence(const struct check *check, char *text, size_t size)
{
	if (check->open_loop)
		snprintf(text, size,
		    "%.1f%% of the requests waited for a free connection (at most %.0f%%): the server met only as many "
		    "at once as there are connections; raise -c",
		    check->measured * 100, check->limit * 100);
	else
		snprintf(text, size,
		    "%.0f connection%s stood at one time, %.0f were asked for: look for a limit of the server "
		    "(backlog, workers) or between (ports, a firewall), or lower -c",
		    check->measured, check->measured > 1 ? "s" : "", check->limit);
}

static void
rate_sentence(const struct check *check, char *text, size_t size)
{
	int len = snprintf(text, size, "requests left at %.1f%% of the rate at which they were due (at least %.1f%%)",
	    check->measured * 100, check->limit * 100);

	if (len < 0 || (size_t)len >= size)
		return;
	if (check->waited > MISSED_MAX)
		snprintf(text + len, size - (size_t)len,
		    ", and %.1f%% found all connections busy: raise -c, or lower --rate to what the server can do",
		    check->waited * 100);
	else
		snprintf(text + len, size - (size_t)len, ": use --threads %u, or lower --rate", check->threads + 1);
}

void
check_sentence(enum check_kind kind, const struct check *check, char *text, size_t size)
{
	switch (kind) {
	case CHECK_CPU:
		snprintf(text, size,
		    "the busiest thread used %.0f%% of a CPU (at most %.0f%%), so that answers waited for loadgen: use "
		    "--threads %u, or fewer connections or a lower rate",
		    check->measured * 100, check->limit * 100, check->threads + 1);
		break;
	case CHECK_LAG:
		snprintf(text, size,
		    "1 in 100 requests left %.3f ms late or more (at most %.3f ms): give loadgen CPUs that the server "
		    "does not use (taskset), or use --threads %u",
		    check->measured, check->limit, check->threads + 1);
		break;
	case CHECK_CONNECTIONS:
		connections_sentence(check, text, size);
		break;
	case CHECK_RATE:
		rate_sentence(check, text, size);
		break;
	case CHECK_ARRIVALS:
		snprintf(text, size,
		    "the gaps between departures were not exponential (distance %.3f, at most %.3f): give loadgen CPUs "
		    "that the server does not use (taskset), or lower --rate",
		    check->measured, check->limit);
		break;
	case CHECK_LITTLE:
		snprintf(text, size,
		    "connections had a request under way for %.1f%% of the time (at least %.0f%%), and waited for "
		    "loadgen in the rest: use --threads %u, or give loadgen CPUs of its own (taskset)",
		    check->measured * 100, check->limit * 100, check->threads + 1);
		break;
	case CHECK_PAUSED:
		snprintf(text, size,
		    "loadgen was stopped, or had no CPU, for %.0f ms at a time (at most %.0f ms), and answers of that "
		    "time count as slower: measure again, on CPUs that nothing else uses (taskset)",
		    check->measured, check->limit);
		break;
	case CHECK_KINDS:
		break;
	}
}
