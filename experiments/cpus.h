/* Which CPUs the servers and the load generator run on: never the same, where there are two. */
#ifndef EXPERIMENTS_CPUS_H
#define EXPERIMENTS_CPUS_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * The kernel likes to wake a process on the CPU of whoever woke it, and on
 * loopback client and server wake each other all the time: left alone they
 * often share one CPU while another idles, and a burst of 40 requests takes twice as long.
 */
struct cpus {
	bool apart;       /* there are two or more; else both sets hold the only one */
	cpu_set_t server; /* all that the lab may use but the last */
	cpu_set_t load;   /* the last */
};

/* cpus_split divides the CPUs that the calling process may run on. */
void cpus_split(struct cpus *cpus);

/* cpus_describe writes "servers on CPU 0, loadgen on CPU 1", or that they share. Returns BUF. */
const char *cpus_describe(const struct cpus *cpus, char *buf, size_t size);

#endif
