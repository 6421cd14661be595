/* What a thread counts, and by merging what a cell comes to. */
#ifndef LOADGEN_STATS_H
#define LOADGEN_STATS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"
#include "loadgen/fit.h"
#include "loadgen/histogram.h"
#include "loadgen/response.h"
#include "loadgen/series.h"
#include "loadgen/tls.h"

/*
 * Why a request failed.  ab has four counts: connect (our connect and tls),
 * receive (reset), length (truncated and length), exceptions (malformed); its run ends at a timeout.
 */
enum failure {
	FAILURE_CONNECT,   /* no connection; such a request is tried again and not complete, unless -r is given */
	FAILURE_TLS,       /* the TLS handshake failed; tried again, too */
	FAILURE_TIMEOUT,   /* no complete response in time */
	FAILURE_RESET,     /* the connection broke */
	FAILURE_TRUNCATED, /* it was closed before the response was complete */
	FAILURE_MALFORMED, /* the response was not HTTP/1, or more than one, or not what TLS can read */
	FAILURE_LENGTH,    /* the body differs in length from the first one of the same request in the cell */
	FAILURE_CLASSES,
	FAILURE_NONE = FAILURE_CLASSES,
};

/* failure_name: "connect", "tls", "timeout", "reset", "truncated", "malformed", "length", as the JSON calls them. */
const char *failure_name(enum failure failure);

#define FAILURE_WHY_MAX 128 /* bytes of a reason, with its end; cut when longer */

/* The instants of one request, CLOCK_MONOTONIC. */
struct timing {
	uint64_t due_ns;       /* when it was to start; in a closed loop, when it did */
	uint64_t start_ns;     /* before connect, or before the send on a connection that was open */
	uint64_t connected_ns; /* when TCP stood, and a tunnel through a proxy: before the first send */
	uint64_t secured_ns;   /* when TLS stood; without TLS as connected_ns */
	uint64_t sent_ns;      /* before the send that took the last bytes */
	uint64_t first_ns;     /* after the first receive of the response */
	uint64_t end_ns;       /* after its last receive, or when it failed */
};

/* Requests of an open loop, and between which instants they were due, or left. */
struct departures {
	uint64_t count; /* 0: the rest is not set */
	uint64_t first_ns, last_ns;
};

struct stats {
	uint64_t complete; /* requests that ended, by a response or a failure; by one of connect or TLS with -r alone */
	uint64_t failures[FAILURE_CLASSES];
	uint64_t write_errors; /* requests that the server stopped reading; not failed where it answered */
	uint64_t non_2xx;
	uint64_t errors;     /* requests that failed or were answered other than 2xx: each once */
	uint64_t kept_alive; /* requests after which the connection was to stay open */
	uint64_t bytes_received, bytes_body, bytes_sent;
	uint64_t unfinished; /* requests under way when time was up */
	uint64_t overdue;    /* of those and the missed: older than any answer, so they are in `total` with their age */
	uint64_t missed;     /* open loop: requests that were due and had not started when time was up */
	uint64_t queued; /* open loop: requests that found all connections busy when they were due; missed ones, too */
	uint64_t begin_ns;     /* before the first connect, or when the warm-up ended */
	uint64_t end_ns;       /* after the last request, or when time was up */
	uint64_t active_ns;    /* sum over connections of the time in which they had requests to do; closed loop */
	uint64_t under_way_ns; /* sum of the times of all requests, from begin_ns on, of the unfinished too */
	uint64_t cpu_ns;       /* CPU time of the threads from begin_ns to end_ns */
	double cpu_share;      /* of a CPU, of the busiest thread */
	uint64_t paused_ns;    /* the longest time for which a thread did not run (heartbeat.h) */
	uint32_t most_open;    /* connections that stood at one time, all threads together */
	/*
	 * total is the response time, from due, with the overdue (as is delay).  service (from start), delay (due
	 * to start) and lag (due to start, of requests that a free connection was waiting for and whose first
	 * connect succeeded: the generator's own lateness) are recorded in an open loop alone: in a closed one service is total.
	 */
	struct histogram connect, tls, processing, waiting, total, service, delay, lag;
	struct departures due;                       /* open loop: of those that left, and of the missed */
	struct departures left;                      /* open loop: when they left */
	struct fit fit;                              /* Poisson arrivals: how the departures are distributed */
	struct tls_facts tls_facts;                  /* of the first connection */
	char whys[FAILURE_CLASSES][FAILURE_WHY_MAX]; /* what was wrong the first time; "": nobody knows */
	char server[RESPONSE_SERVER_MAX];            /* Server field of the first response */
	/* By second; any thread may read it meanwhile.  The last field: stats_reset leaves it alone. */
	struct series series;
};

/* stats_init makes STATS empty.  Returns 0 or -ENOMEM.  stats_deinit frees what it holds (also after a failed init). */
MUST_CHECK int stats_init(struct stats *stats);
void stats_deinit(struct stats *stats);

/* stats_reset forgets what was counted: the warm-up is over. */
void stats_reset(struct stats *stats);

/*
 * stats_record counts one request that ended, with FAILURE or FAILURE_NONE,
 * into counters and histograms; stats_record_open into those that only an open loop has.  QUEUED: all
 * connections were busy when it was due; RETRIED: a connect for it failed, and it began again.
 */
void stats_record(struct stats *stats, const struct timing *timing, enum failure failure);
void stats_record_open(struct stats *stats, const struct timing *timing, bool queued, bool retried);

/* stats_depart counts a request that was due, or left, at AT_NS, later than those before it. */
void stats_depart(struct departures *departures, uint64_t at_ns);

/* stats_record_under_way adds the time of a request, as far as it lies behind begin_ns. */
static inline void
stats_record_under_way(struct stats *stats, uint64_t start_ns, uint64_t end_ns)
{
	stats->under_way_ns += end_ns - (start_ns > stats->begin_ns ? start_ns : stats->begin_ns);
}

/* stats_explain keeps WHY a request failed, where it is the first of its class. */
void stats_explain(struct stats *stats, enum failure failure, const char *why);

/* stats_failed: the sum of all failures. */
uint64_t stats_failed(const struct stats *stats);

/* stats_merge adds FROM, a thread's or a repetition's, to INTO. Returns 0 or -ENOMEM. */
MUST_CHECK int stats_merge(struct stats *into, const struct stats *from);

#endif
