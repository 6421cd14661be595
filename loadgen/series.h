/* What happened in each second of a cell: written by one thread, read by another for the live display. */
#ifndef LOADGEN_SERIES_H
#define LOADGEN_SERIES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"

#define SERIES_INTERVAL_NS 1000000000ULL
#define SERIES_MAX 86400 /* seconds; what comes later falls into the last one */

/*
 * Response times of a second: 32 steps an octave (the middle of each within
 * 1.6% of all its values) from 1 us (2^10 ns) to 2.4 h (2^43 ns); what lies outside goes to the ends.
 */
#define SERIES_STEPS 32
#define SERIES_TIMES (SERIES_STEPS * 33)

/* Counters with one writer: plain additions, which a reader may see at any time. */
struct series_second {
	_Atomic uint64_t complete, failed, bytes_received;
	_Atomic uint64_t max_ns; /* exact */
	_Atomic uint32_t times[SERIES_TIMES];
};

/*
 * A second in which nothing happened need not exist (NULL); the first always
 * does.  Readers never meet memory that is freed: a second that exists stays until series_deinit.
 */
struct series {
	/* The writer's alone. */
	uint64_t begin_ns;             /* of the first second */
	struct series_second *present; /* the one that the last request fell into; NULL: none yet */
	uint64_t present_ns;           /* when it began */
	size_t made;                   /* seconds up to the last that exists; after series_begin more than len */
	/* For all. */
	_Atomic size_t len;                     /* seconds up to the last that counts; published with release */
	struct series_second *_Atomic *seconds; /* SERIES_MAX pointers, untouched pages until used */
};

/* What a second, or several, came to. Times in nanoseconds; 0 where nothing was complete. */
struct series_figures {
	uint64_t complete, failed, bytes_received;
	uint64_t p50_ns, p90_ns, p99_ns; /* nearest rank, within 1.6% */
	uint64_t max_ns;                 /* exact */
};

/* series_init makes SERIES empty. Returns 0 or -ENOMEM. series_deinit frees it (also after a failed init). */
MUST_CHECK int series_init(struct series *series);
void series_deinit(struct series *series);

/*
 * series_begin forgets everything: the first second begins at BEGIN_NS.  The
 * memory is kept; a reader meanwhile may see part of what was there.
 */
void series_begin(struct series *series, uint64_t begin_ns);

/*
 * series_record counts a request that ended at END_NS, after TOTAL_NS: as
 * complete, and as failed besides when it did.  What ended before the
 * beginning counts in the first second.  Out of memory, the second before takes it: nothing is lost.
 */
void series_record(struct series *series, uint64_t end_ns, uint64_t total_ns, uint64_t bytes_received, bool failed);

/* series_extend: the seconds go on until END_NS, also where nothing happens in them. */
void series_extend(struct series *series, uint64_t end_ns);

/* series_merge adds FROM to INTO, second by second from the beginning of each. Returns 0 or -ENOMEM. */
MUST_CHECK int series_merge(struct series *into, const struct series *from);

/* series_len returns the seconds up to the last in which something happened, or until it was extended; any thread may call it. */
static inline size_t
series_len(const struct series *series)
{
	return atomic_load_explicit(&series->len, memory_order_acquire);
}

/* series_figures sums up the seconds FIRST to FIRST + COUNT - 1 of LEN series; any thread may call it. */
void series_figures(
    const struct series *const *series, size_t len, size_t first, size_t count, struct series_figures *figures);

#endif
