/* The figures of a cell, as every report prints them. */
#ifndef LOADGEN_SUMMARY_H
#define LOADGEN_SUMMARY_H

#include <math.h>
#include <stdint.h>

#include "loadgen/cell.h"
#include "loadgen/check.h"
#include "loadgen/interval.h"

/* Nanoseconds. */
struct distribution {
	uint64_t count; /* 0: nothing is known, and the rest says nothing */
	uint64_t min, median, max;
	double mean, sd;
};

struct summary {
	enum cell_end end;
	uint64_t complete, failed;
	uint64_t failures[FAILURE_CLASSES];
	char whys[FAILURE_CLASSES][FAILURE_WHY_MAX]; /* stats.whys */
	uint64_t write_errors, non_2xx, errors, kept_alive, unfinished, overdue, missed, queued;
	uint64_t bytes_received, bytes_body, bytes_sent;
	uint64_t duration_ns, client_cpu_ns, warmup_ns;
	int64_t document_len; /* -1: no good response came */
	double rps;
	struct pace due, left; /* open loop */
	double rps_due;        /* open loop: requests per second that were due, from the first to the last; else 0 */
	double rps_started;    /* and that left, within the same time, or the time that they took if it was longer */
	/* The two times are NAN where nothing was complete. */
	/* ab's "mean": requests at a time * duration / complete; open loop: the mean response time, by Little's law the same */
	double time_per_request_ms;
	double time_per_request_all_ms; /* ab's "mean, across all concurrent requests": duration / complete */
	/* total is the response time; service, delay and lag are an open loop's (stats.h). */
	struct distribution connect, tls, processing, waiting, total, service, delay, lag;
	uint64_t percentiles[101]; /* of the total time, nanoseconds; [0] is the minimum, [100] the maximum */
	uint64_t p99_9_ns;
	struct interval p50_interval, p90_interval, p99_interval, p99_9_interval; /* nanoseconds; order statistics */
	uint64_t service_p50_ns, service_p99_ns, lag_p99_ns, delay_p99_ns;
	double departures_distance, departures_limit; /* fit.h; 0: nothing to judge */
	double active_s;                              /* stats.active_ns */
	double under_way_s; /* closed loop: the times of all requests in it, also of the unfinished */
	double cpu_share;   /* of a CPU, of the busiest thread */
	uint64_t paused_ns; /* stats.paused_ns */
	uint32_t most_open; /* connections at one time */
	struct check checks[CHECK_KINDS];
	size_t checks_failed;
	struct tls_facts tls_facts;
	char server[RESPONSE_SERVER_MAX];
};

/* The percentiles that ab prints. */
#define SUMMARY_PERCENTS \
	{ \
		50, 66, 75, 80, 90, 95, 98, 99 \
	}

/*
 * summary_make takes the figures of CELL out of RESULT, which may be freed
 * then, and judges them (check.h).  RESULT may be that of several repetitions: merged stats, and the sums of
 * their durations.
 */
void summary_make(struct summary *summary, const struct cell *cell, const struct result *result);

/* summary_ms converts nanoseconds. */
static inline double
summary_ms(double ns)
{
	return ns / 1e6;
}

/* summary_known is NS, a figure of TIMES, or NAN where there were none that it could be of. */
static inline double
summary_known(const struct distribution *times, double ns)
{
	return times->count > 0 ? ns : (double)NAN;
}

/* summary_whole_ms is what ab prints: rounded here alone, when printing. */
static inline long
summary_whole_ms(double ns)
{
	return lround(summary_ms(ns));
}

#endif
