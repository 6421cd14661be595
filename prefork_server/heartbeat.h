/* Signs of life: a counter that a worker moves, and how long the arbiter has seen it stand still. */
#ifndef PREFORK_SERVER_HEARTBEAT_H
#define PREFORK_SERVER_HEARTBEAT_H

#include <stdatomic.h>
#include <stdint.h>

/* In shared memory; one worker writes it. On a cache line of its own, so that workers do not slow each other. */
struct heartbeat {
	_Alignas(64) _Atomic uint64_t beats;
};

/* heartbeat_beat is for the one worker that HEARTBEAT belongs to. */
static inline void
heartbeat_beat(struct heartbeat *heartbeat)
{
	uint64_t beats = atomic_load_explicit(&heartbeat->beats, memory_order_relaxed);

	atomic_store_explicit(&heartbeat->beats, beats + 1, memory_order_relaxed);
}

/*
 * The arbiter's side, in the arbiter's own memory.  It asks only whether the
 * counter moved: what a worker wrote into it, by accident or malice, can keep
 * that worker alive and do nothing else.
 */
struct heartbeat_watch {
	uint64_t seen;      /* the counter at the last look */
	uint64_t silent_ns; /* how long it has stood still */
};

/* The most that the time between two looks adds to a silence. */
#define HEARTBEAT_LOOK_MAX_NS 2000000000ULL

/* heartbeat_watch_begin starts to watch HEARTBEAT, whose worker is about to start. */
void heartbeat_watch_begin(struct heartbeat_watch *watch, const struct heartbeat *heartbeat);

/*
 * heartbeat_watch_look looks again, ELAPSED_NS after the last look at any
 * worker, and returns the nanoseconds of silence.  Silence is never counted
 * longer than it was: it starts at the look that saw the last beat, and a look that comes late
 * (a stopped arbiter, a paused machine: the workers may have been stopped as
 * well) adds HEARTBEAT_LOOK_MAX_NS at most.
 */
uint64_t heartbeat_watch_look(struct heartbeat_watch *watch, const struct heartbeat *heartbeat, uint64_t elapsed_ns);

#endif
