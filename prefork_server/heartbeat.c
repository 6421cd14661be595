/* Signs of life: a counter that a worker moves, and how long the arbiter has seen it stand still. */
#include "prefork_server/heartbeat.h"

void
heartbeat_watch_begin(struct heartbeat_watch *watch, const struct heartbeat *heartbeat)
{
	watch->seen = atomic_load_explicit(&heartbeat->beats, memory_order_relaxed);
	watch->silent_ns = 0;
}

uint64_t
heartbeat_watch_look(struct heartbeat_watch *watch, const struct heartbeat *heartbeat, uint64_t elapsed_ns)
{
	uint64_t beats = atomic_load_explicit(&heartbeat->beats, memory_order_relaxed);

	if (beats != watch->seen) {
		watch->seen = beats;
		watch->silent_ns = 0;
	} else {
		watch->silent_ns += elapsed_ns < HEARTBEAT_LOOK_MAX_NS ? elapsed_ns : HEARTBEAT_LOOK_MAX_NS;
	}
	return watch->silent_ns;
}
