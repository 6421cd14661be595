/* How long a thread did not run though it was time to: it was stopped, or others had the CPU, or it waited for a disk. */
#ifndef LOADGEN_HEARTBEAT_H
#define LOADGEN_HEARTBEAT_H

#include <stdint.h>

#define HEARTBEAT_NS 20000000ULL /* a thread beats so often where it has nothing to do */

/*
 * A thread that waits for events is woken for its next beat, so between two of them it
 * sleeps for HEARTBEAT_NS at most.  What else has passed and was not CPU time of its own is time in which it did not
 * run: never more than it was, and less by HEARTBEAT_NS at most.  Work that keeps it from its beat is none.
 */
struct heartbeat {
	uint64_t beat_ns, cpu_ns; /* of the last beat: CLOCK_MONOTONIC, and the thread's CPU time */
	uint64_t longest_ns;      /* for which it did not run between two beats */
};

/* heartbeat_begin forgets what was: from NOW_NS on it counts, when the thread has used CPU_NS. heartbeat_note is a beat. */
void heartbeat_begin(struct heartbeat *heartbeat, uint64_t now_ns, uint64_t cpu_ns);
void heartbeat_note(struct heartbeat *heartbeat, uint64_t now_ns, uint64_t cpu_ns);

#endif
