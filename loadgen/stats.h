/* What a thread counts, and by merging what a cell comes to. */
#ifndef LOADGEN_STATS_H
#define LOADGEN_STATS_H

#include <stdint.h>

#include "common/compiler.h"
#include "loadgen/histogram.h"
#include "loadgen/response.h"

/* Why a request failed. */
enum failure {
	FAILURE_CONNECT,   /* no connection; such a request is tried again, and is not complete */
	FAILURE_RECEIVE,   /* the connection broke, or closed before the header was complete */
	FAILURE_LENGTH,    /* the body was cut short, or differs in length from the first one */
	FAILURE_EXCEPTION, /* the response was not HTTP/1, or more than one */
	FAILURE_TIMEOUT,   /* no complete response in time */
	FAILURE_CLASSES,
	FAILURE_NONE = FAILURE_CLASSES,
};

/* failure_name: "connect", "receive", "length", "exceptions", "timeout", as ab and the JSON call them. */
const char *failure_name(enum failure failure);

/* The instants of one request, CLOCK_MONOTONIC. */
struct timing {
	uint64_t start_ns;     /* before connect, or before the send on a connection that was open */
	uint64_t connected_ns; /* before the first send */
	uint64_t sent_ns;      /* before the send that took the last bytes */
	uint64_t first_ns;     /* after the first receive of the response */
	uint64_t end_ns;       /* after its last receive, or when it failed */
};

struct stats {
	uint64_t complete; /* requests that ended, with a response or by a failure other than connect */
	uint64_t failures[FAILURE_CLASSES];
	uint64_t write_errors; /* requests that the server stopped reading; not failed where it answered */
	uint64_t non_2xx;
	uint64_t kept_alive; /* requests after which the connection stayed open */
	uint64_t bytes_received, bytes_body, bytes_sent;
	uint64_t unfinished; /* requests under way when time was up */
	uint64_t begin_ns;   /* before the first connect */
	uint64_t end_ns;     /* after the last request */
	struct histogram connect, processing, waiting, total;
	char server[RESPONSE_SERVER_MAX]; /* Server field of the first response */
};

/* stats_init makes STATS empty.  Returns 0 or -ENOMEM.  stats_deinit frees what it holds (also after a failed init). */
MUST_CHECK int stats_init(struct stats *stats);
void stats_deinit(struct stats *stats);

/* stats_record counts one request that ended, with FAILURE or FAILURE_NONE, into counters and histograms. */
void stats_record(struct stats *stats, const struct timing *timing, enum failure failure);

/* stats_failed: the sum of all failures. */
uint64_t stats_failed(const struct stats *stats);

/* stats_merge adds FROM to INTO. */
void stats_merge(struct stats *into, const struct stats *from);

#endif
