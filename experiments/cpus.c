/* Which CPUs the servers and the load generator run on: never the same, where there are two. */
#include "experiments/cpus.h"

#include <stdio.h>

void
cpus_split(struct cpus *cpus)
{
	size_t last = CPU_SETSIZE - 1;

	/* More CPUs than the set holds, or none told: everything stays where the kernel puts it. */
	if (sched_getaffinity(0, sizeof(cpus->server), &cpus->server) != 0) {
		for (size_t i = 0; i < CPU_SETSIZE; i++)
			CPU_SET(i, &cpus->server);
		cpus->load = cpus->server;
		cpus->apart = false;
		return;
	}
	cpus->load = cpus->server;
	cpus->apart = CPU_COUNT(&cpus->server) >= 2;
	if (!cpus->apart)
		return;
	while (!CPU_ISSET(last, &cpus->server))
		last--;
	CPU_CLR(last, &cpus->server);
	CPU_ZERO(&cpus->load);
	CPU_SET(last, &cpus->load);
}

/* first_of returns the first CPU of SET from FROM on, CPU_SETSIZE when there is none. */
static size_t
first_of(const cpu_set_t *set, size_t from)
{
	while (from < CPU_SETSIZE && !CPU_ISSET(from, set))
		from++;
	return from;
}

const char *
cpus_describe(const struct cpus *cpus, char *buf, size_t size)
{
	size_t first = first_of(&cpus->server, 0), load = first_of(&cpus->load, 0), last = first;
	int servers = CPU_COUNT(&cpus->server);

	for (size_t cpu = first; cpu < CPU_SETSIZE; cpu = first_of(&cpus->server, cpu + 1))
		last = cpu;
	if (!cpus->apart)
		snprintf(buf, size, "servers and loadgen share what there is");
	else if (servers == 1)
		snprintf(buf, size, "servers on CPU %zu, loadgen on CPU %zu", first, load);
	else
		snprintf(buf, size, "servers on %d CPUs, %zu to %zu, loadgen on CPU %zu", servers, first, last, load);
	return buf;
}
