/* Counters that one thread or process writes and another reads and shows, without locks; Prometheus text. */
#ifndef COMMON_METRICS_H
#define COMMON_METRICS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* The statuses that are counted each by itself: those that http_reason knows. */
/* clang-format off */
#define METRICS_STATUSES(X) \
	X(100) X(101) X(200) X(204) X(304) \
	X(400) X(403) X(404) X(405) X(408) X(411) X(413) X(414) X(415) X(417) X(422) X(429) X(431) \
	X(500) X(501) X(502) X(503) X(504) X(505)
/* clang-format on */

/* A status's place among the counters; every other one is METRICS_OTHER. */
enum {
	METRICS_OTHER,
#define METRICS_PLACE(status) METRICS_##status,
	METRICS_STATUSES(METRICS_PLACE)
#undef METRICS_PLACE
	    METRICS_PLACES
};

/*
 * One writer's counters: a loop's, or a worker's.  Each is written by that
 * writer alone (metrics_add needs no locked instruction) and read by anyone.
 * Aligned so that two writers never share a cache line.
 */
struct metrics {
	_Alignas(64) _Atomic uint64_t connections_accepted;
	_Atomic uint64_t connections_closed;
	_Atomic uint64_t requests_begun; /* header complete */
	_Atomic uint64_t requests_ended; /* answered, or given up: begun - ended are in flight */
	_Atomic uint64_t sleeps_begun;
	_Atomic uint64_t sleeps_ended; /* begun - ended are asleep now */
	_Atomic uint64_t computes_begun;
	_Atomic uint64_t computes_ended;            /* begun - ended are computing now */
	_Atomic uint64_t computed_ns;               /* CPU time that handlers computed for, as they were asked to */
	_Atomic uint64_t responses[METRICS_PLACES]; /* metrics_count_response */
	_Atomic uint64_t websockets_begun;
	_Atomic uint64_t websockets_ended;   /* begun - ended are open now */
	_Atomic uint64_t websocket_messages; /* received whole */
	_Atomic uint64_t received_bytes;
	_Atomic uint64_t sent_bytes;
	_Atomic uint64_t accept_pauses;     /* times that accepting stopped for want of a resource (EMFILE) */
	_Atomic uint64_t timeouts;          /* connections ended by a deadline */
	_Atomic uint64_t slow_callbacks;    /* times that something held the loop for --slow-callback or longer */
	_Atomic uint64_t blocking_requests; /* requests whose handler held the loop while it slept or computed */
	_Atomic uint64_t queue_rejections;  /* requests refused because too many waited for the pool */
	_Atomic uint64_t handler_timeouts;  /* requests whose handler took too long */
};

/* metrics_new maps COUNT zeroed slots that survive fork as shared memory; NULL with errno set. metrics_free unmaps them. */
struct metrics *metrics_new(size_t count);
void metrics_free(struct metrics *metrics, size_t count);

/* metrics_add is for the one writer of COUNTER. Who sees the new value sees what the writer counted before it, too. */
static inline void
metrics_add(_Atomic uint64_t *counter, uint64_t amount)
{
	uint64_t old = atomic_load_explicit(counter, memory_order_relaxed);

	atomic_store_explicit(counter, old + amount, memory_order_release);
}

/* metrics_count_response counts a response whose status line has left, or is about to. O(1). */
void metrics_count_response(struct metrics *metrics, int status);

/*
 * metrics_settle makes the gauges of a slot whose writer died zero again
 * (closed := accepted, ended := begun).  The slot's next writer calls it before it counts.
 * The counters go on, so that they never fall.
 */
void metrics_settle(struct metrics *metrics);

/* What several writers counted together, as plain numbers: each field is the sum of those of its name. */
struct metrics_totals {
	uint64_t connections_accepted, connections_closed, requests_begun, requests_ended;
	uint64_t sleeps_begun, sleeps_ended, computes_begun, computes_ended, computed_ns;
	uint64_t responses[METRICS_PLACES];
	uint64_t websockets_begun, websockets_ended, websocket_messages;
	uint64_t received_bytes, sent_bytes, accept_pauses, timeouts;
	uint64_t slow_callbacks, blocking_requests, queue_rejections, handler_timeouts;
};

/* metrics_sum adds what COUNT writers, one behind the other, have counted to TOTALS, which begin as zeros. */
void metrics_sum(struct metrics_totals *totals, const struct metrics *metrics, size_t count);

/* Which server the totals are of: what only an event loop can count is not shown of workers, where it would always be 0. */
enum metrics_of { METRICS_OF_LOOPS, METRICS_OF_WORKERS };

/*
 * metrics_write writes TOTALS into BUF in the Prometheus text format (version
 * 0.0.4), each with HELP and TYPE.  Returns the length, at most SIZE.  Of
 * the statuses those are shown that have occurred, and 200.
 * METRICS_TEXT_MAX is room enough for this and what a program adds: ten
 * values of each of 64 loops.  (Too large for the stack of a small thread.)
 */
#define METRICS_TEXT_MAX 65536
size_t metrics_write(const struct metrics_totals *totals, enum metrics_of of, char *buf, size_t size);

/*
 * metrics_write_one appends one metric without labels to BUF at USED.  TYPE is
 * "gauge" or "counter", HELP a sentence without backslashes.  Returns the new length
 * used; what does not fit is left out whole.
 */
size_t metrics_write_one(
    char *buf, size_t used, size_t size, const char *name, const char *type, const char *help, double value);

/*
 * These two write a metric that has several values, told apart by a label
 * (loopfork_loop_lag_seconds{loop="0"}): its head first, and at once behind it
 * each value, with LABEL's text WHICH, in which no quote, backslash or line end stands.
 */
size_t metrics_write_head(char *buf, size_t used, size_t size, const char *name, const char *type, const char *help);
size_t metrics_write_value(
    char *buf, size_t used, size_t size, const char *name, const char *label, const char *which, double value);

#endif
