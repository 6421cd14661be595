/* A handler that computes: a fixed amount of integer work for so many milliseconds of CPU time. */
#include "common/cpu_work.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "common/clock.h"

#define SEED 0x9e3779b97f4a7c15ULL
#define BLOCK (1ULL << 16)       /* units between two looks at `cancelled`: some 0.1 ms, at about 2 ns a unit */
#define PROBE_UNITS (1ULL << 18) /* of one measurement: some 0.5 ms */
#define PROBES 10

static uint64_t units_per_second; /* 0: not calibrated */

/* steps does UNITS steps of Marsaglia's xorshift64 (Xorshift RNGs, 2003) from STATE, which is never 0. */
static uint64_t
steps(uint64_t state, uint64_t units)
{
	while (units-- > 0) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
	}
	/* No compiler may conclude that nobody looks at it, whatever it can see of the callers. */
	__asm__ volatile("" : "+r"(state));
	return state;
}

uint64_t
cpu_work_run(uint64_t units, const atomic_bool *cancelled)
{
	uint64_t state = SEED;

	while (units > 0 && (cancelled == NULL || !atomic_load_explicit(cancelled, memory_order_relaxed))) {
		uint64_t part = units < BLOCK ? units : BLOCK;

		state = steps(state, part);
		units -= part;
	}
	return state;
}

static uint64_t
thread_cpu_ns(void)
{
	struct timespec used;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	return (uint64_t)used.tv_sec * NS_PER_SEC + (uint64_t)used.tv_nsec;
}

uint64_t
cpu_work_calibrate(void)
{
	uint64_t least_ns = UINT64_MAX;

	for (int probe = 0; probe < PROBES; probe++) {
		uint64_t begun_ns = thread_cpu_ns();
		uint64_t took_ns;

		(void)cpu_work_run(PROBE_UNITS, NULL);
		took_ns = thread_cpu_ns() - begun_ns;
		if (took_ns > 0 && took_ns < least_ns)
			least_ns = took_ns;
	}
	units_per_second = PROBE_UNITS * NS_PER_SEC / least_ns;
	if (units_per_second == 0)
		units_per_second = 1;
	return units_per_second;
}

uint64_t
cpu_work_units(uint64_t cpu_ns)
{
	uint64_t rest = cpu_ns % NS_PER_SEC * units_per_second;

	assert(units_per_second > 0);
	return cpu_ns / NS_PER_SEC * units_per_second + rest / NS_PER_SEC + (rest % NS_PER_SEC != 0);
}
