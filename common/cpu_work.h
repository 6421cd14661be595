/* A handler that computes: a fixed amount of integer work for so many milliseconds of CPU time. */
#ifndef COMMON_CPU_WORK_H
#define COMMON_CPU_WORK_H

#include <stdatomic.h>
#include <stdint.h>

/*
 * This models CPU-bound work (a template that is rendered, an image that is
 * scaled): unlike a sleep it cannot be waited out elsewhere, so the loop or the worker that
 * does it serves nobody else meanwhile.
 *
 * The work is a chain of integer steps, each of which needs the one before:
 * no memory, no floating point, no system call, the same result everywhere.
 * How much of it makes a millisecond is measured once, at start, and fixed
 * from then on.  So what a request costs does not depend on what else
 * happens: on a busy machine the same work takes longer on the wall clock, and it is
 * never less of it.
 */

/*
 * cpu_work_calibrate measures how many units of work this machine does in a
 * second of CPU time: the best of several short runs, some 5 ms together, on
 * the calling thread's own clock (CLOCK_THREAD_CPUTIME_ID), so that other
 * programs hardly matter.  Call it once, at start, before threads and forks:
 * cpu_work_units goes by it.  Returns the units a second, never 0.
 */
uint64_t cpu_work_calibrate(void);

/* cpu_work_units: the work that takes CPU_NS nanoseconds of CPU time, by the calibration, rounded up. */
uint64_t cpu_work_units(uint64_t cpu_ns);

/*
 * cpu_work_run does UNITS of work in the calling thread, and returns what they
 * come to: always the same number for the same UNITS.  Once *CANCELLED is
 * true it ends early (it looks about every 0.1 ms) with what it has by then;
 * NULL: it cannot be cancelled.
 */
uint64_t cpu_work_run(uint64_t units, const atomic_bool *cancelled);

#endif
