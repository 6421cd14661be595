/* Counters that one thread or process writes and another reads and shows, without locks; Prometheus text. */
#ifndef COMMON_METRICS_H
#define COMMON_METRICS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

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
	_Atomic uint64_t responses[6]; /* by status class: [2] is 2xx; [0] and [1] stay 0 */
	_Atomic uint64_t received_bytes;
	_Atomic uint64_t sent_bytes;
	_Atomic uint64_t accept_pauses;  /* times that accepting stopped for want of a resource (EMFILE) */
	_Atomic uint64_t timeouts;       /* connections ended by a deadline */
	_Atomic uint64_t slow_callbacks; /* times that something held the loop for --slow-callback or longer */
};

/* metrics_new maps COUNT zeroed slots that survive fork as shared memory; NULL with errno set. metrics_free unmaps them. */
struct metrics *metrics_new(size_t count);
void metrics_free(struct metrics *metrics, size_t count);

/* metrics_add is for the one writer of COUNTER. */
static inline void
metrics_add(_Atomic uint64_t *counter, uint64_t amount)
{
	uint64_t old = atomic_load_explicit(counter, memory_order_relaxed);

	atomic_store_explicit(counter, old + amount, memory_order_relaxed);
}

/*
 * metrics_settle makes the gauges of a slot whose writer died zero again
 * (closed := accepted, ended := begun).  The slot's next writer calls it before it counts.
 * The counters go on, so that they never fall.
 */
void metrics_settle(struct metrics *metrics);

/*
 * metrics_write sums COUNT slots and writes them into BUF in the Prometheus
 * text format (version 0.0.4), each with HELP and TYPE.  Returns the length,
 * at most SIZE; METRICS_TEXT_MAX is room enough.
 */
#define METRICS_TEXT_MAX 8192
size_t metrics_write(const struct metrics *metrics, size_t count, char *buf, size_t size);

/* metrics_write_one appends one metric to BUF at USED: TYPE is "gauge" or "counter". Returns the new length used. */
size_t metrics_write_one(
    char *buf, size_t used, size_t size, const char *name, const char *type, const char *help, double value);

#endif
