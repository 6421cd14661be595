/* One thread's place on the scoreboard: what it has counted, and what it does now. */
#ifndef PREFORK_SERVER_LANE_H
#define PREFORK_SERVER_LANE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/http_request.h"
#include "common/metrics.h"

/* How many bytes of a request's method and target are kept. */
#define LANE_REQUEST_WORDS 13
#define LANE_REQUEST_MAX (8 * LANE_REQUEST_WORDS)

/* What a thread does. */
enum lane_state {
	LANE_NONE,    /* no thread of this worker has it */
	LANE_IDLE,    /* waits for a connection, or for one of several to have something to read */
	LANE_READING, /* has a connection; the header of the request is not complete */
	LANE_WORKING, /* carries the request out: reads its body, computes, sleeps */
	LANE_SENDING, /* the answer leaves */
	LANE_CLOSING, /* the answer has left: waits for the peer to end its side */
	LANE_UNKNOWN, /* what stands there is no state */
};

/*
 * In shared memory.  One thread writes, by plain stores and without a system
 * call; the admin process reads at any time, while it is written and after its
 * writer died in the middle.  So nothing here is believed: every value is bounded by who reads it.
 * What stands behind another in memory cannot be read together with it but for two
 * things: a state and its beginning are one word, and the request has a sequence
 * number.  Aligned so that two threads never share a cache line.
 */
struct lane {
	struct metrics metrics;
	_Alignas(64) _Atomic uint64_t doing; /* an enum lane_state in the low three bits, since when (ns) above */
	_Atomic uint64_t requests_before;    /* metrics.requests_begun and the next as this worker found them */
	_Atomic uint64_t connections_before;
	_Atomic uint64_t sequence;   /* of what follows: odd while it changes */
	_Atomic uint64_t request_ns; /* when the request's header was complete (CLOCK_MONOTONIC) */
	_Atomic uint64_t request_len;
	_Atomic uint64_t request[LANE_REQUEST_WORDS]; /* the method, a blank and the target, cut at LANE_REQUEST_MAX */
};

/* lane_begin makes LANE, which a dead worker may have left in any state, ready for a new one: nobody's, nothing in flight. */
void lane_begin(struct lane *lane);

/* lane_enter says that the thread has been in STATE since NOW_NS (CLOCK_MONOTONIC). */
static inline void
lane_enter(struct lane *lane, enum lane_state state, uint64_t now_ns)
{
	atomic_store_explicit(&lane->doing, now_ns << 3 | (uint64_t)state, memory_order_release);
}

/* lane_work enters LANE_WORKING with the request METHOD, TARGET, of which the first LANE_REQUEST_MAX bytes are copied. */
void lane_work(struct lane *lane, const char *method, struct http_span target, uint64_t now_ns);

/* lane_forget says that what follows is no request: an answer to bytes that made none. */
void lane_forget(struct lane *lane);

/* A lane as a reader sees it, each value within its bounds, but not otherwise worthy of belief. */
struct lane_view {
	enum lane_state state;
	uint64_t state_ns;    /* how long, up to now; 0 for LANE_NONE and LANE_UNKNOWN */
	uint64_t requests;    /* of this worker */
	uint64_t connections; /* the same */
	bool has_request; /* from LANE_WORKING on; not where it changes too fast to be read, or its writer died in it */
	uint64_t request_ns; /* its age */
	size_t request_len;
	char request[LANE_REQUEST_MAX]; /* any bytes at all */
};

/* lane_look reads LANE at NOW_NS into VIEW, in bounded time. */
void lane_look(const struct lane *lane, struct lane_view *view, uint64_t now_ns);

#endif
