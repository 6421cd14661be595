/* How long a thread did not run though it was time to: it was stopped, or others had the CPU, or it waited for a disk. */
#include "loadgen/heartbeat.h"

void
heartbeat_begin(struct heartbeat *heartbeat, uint64_t now_ns, uint64_t cpu_ns)
{
	*heartbeat = (struct heartbeat){.beat_ns = now_ns, .cpu_ns = cpu_ns};
}

void
heartbeat_note(struct heartbeat *heartbeat, uint64_t now_ns, uint64_t cpu_ns)
{
	uint64_t passed_ns = now_ns - heartbeat->beat_ns;
	uint64_t explained_ns = cpu_ns - heartbeat->cpu_ns + HEARTBEAT_NS;

	if (passed_ns > explained_ns && passed_ns - explained_ns > heartbeat->longest_ns)
		heartbeat->longest_ns = passed_ns - explained_ns;
	heartbeat->beat_ns = now_ns;
	heartbeat->cpu_ns = cpu_ns;
}
