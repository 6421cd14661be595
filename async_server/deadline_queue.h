/* Deadlines in nanoseconds, each begun and ended in O(1): a hierarchical timing wheel that never fires early. */
#ifndef ASYNC_SERVER_DEADLINE_QUEUE_H
#define ASYNC_SERVER_DEADLINE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"

/*
 * A tick is 2^16 ns, 65.5 us: what falls into one is handed out together, at
 * the tick's end, so that a deadline is never early and the queue adds less
 * than a tick to its lateness.  libuv's own timers count whole milliseconds
 * from a truncated clock, and can fire up to one too early.
 */
#define DEADLINE_TICK_BITS 16
#define DEADLINE_SLOT_BITS 6
#define DEADLINE_SLOTS (1 << DEADLINE_SLOT_BITS)
#define DEADLINE_LEVELS 8 /* 16 + 8 * 6 bits: any time of a 64-bit clock has its slot */

#define DEADLINE_NONE UINT64_MAX
#define DEADLINE_AT_ONCE 1

struct deadline;
typedef void deadline_fn(struct deadline *deadline);

/* One moment that somebody waits for; it lies inside what it belongs to. All zero but for `expire`: not queued. */
struct deadline {
	struct deadline *next;
	struct deadline **link; /* what points to this one; NULL: not queued */
	uint64_t due_ns;
	uint64_t tick;       /* where it is queued; due_ns may have moved later since */
	deadline_fn *expire; /* whom to tell; deadline_queue_pop leaves the call to its caller */
};

/* A slot of level L is 64^L ticks wide.  What is due later than the present slot of its level waits in a higher one. */
struct deadline_queue {
	uint64_t tick; /* everything up to here has been handed out */
	struct deadline *expired;
	uint64_t occupied[DEADLINE_LEVELS]; /* bit per slot: may hold something */
	struct deadline *slots[DEADLINE_LEVELS][DEADLINE_SLOTS];
};

/* deadline_queue_init makes QUEUE empty at time NOW_NS (CLOCK_MONOTONIC). It holds no memory of its own. */
void deadline_queue_init(struct deadline_queue *queue, uint64_t now_ns);

/*
 * deadline_set queues DEADLINE for DUE_NS (below 2^63), wherever it was
 * before.  Moving a queued deadline later costs one store: it stays in its
 * slot, and moves when that slot comes up.
 */
void deadline_set(struct deadline_queue *queue, struct deadline *deadline, uint64_t due_ns);

/* deadline_remove takes DEADLINE out; nothing happens when it is not queued. */
void deadline_remove(struct deadline *deadline);

static inline bool
deadline_is_queued(const struct deadline *deadline)
{
	return deadline->link != NULL;
}

/* deadline_queue_pop takes out one deadline whose time has come at NOW_NS, earlier ticks first; NULL: there is none. */
struct deadline *deadline_queue_pop(struct deadline_queue *queue, uint64_t now_ns);

/* deadline_queue_next returns when to call deadline_queue_pop next: a time, DEADLINE_AT_ONCE, or DEADLINE_NONE. */
uint64_t deadline_queue_next(struct deadline_queue *queue);

#endif
