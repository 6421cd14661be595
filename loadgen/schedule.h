/* When requests are due in an open loop: at a rate, with constant or exponential gaps, or along a ramp. */
#ifndef LOADGEN_SCHEDULE_H
#define LOADGEN_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"

#define SCHEDULE_NEVER UINT64_MAX
#define SCHEDULE_RAMP_MAX_S 86400.0

enum arrivals { ARRIVALS_CONSTANT, ARRIVALS_POISSON };

/* The rate goes evenly from one to the other, and stays there. Requests per second. */
struct ramp {
	double from, to;
	uint64_t duration_ns; /* 0: no ramp, the rate is `to` from the start */
	uint64_t lead_ns;     /* for so long the rate is `from` first: the warm-up; 0 without a ramp */
};

/*
 * A thread's part of the arrivals, by time rescaling: on an axis of expected
 * arrivals, they are the whole numbers from 0 on, or a Poisson process of
 * rate 1 (sums of exponential gaps); the inverse of schedule_expected maps
 * them to time.  So a ramp has neither steps nor drift.  Several threads:
 * constant arrivals take turns, and of Poisson arrivals each thread has a
 * process of its own, at a share of the rate, which together are one at the
 * whole rate.
 *
 * A double holds the sum of 10^11 arrivals (a day at 10^6 a second) to within 10^-5 of one.
 */
struct schedule {
	enum arrivals arrivals;
	struct ramp ramp; /* constant rate: from == to */
	double expected;  /* arrivals of all threads expected until next_ns */
	double step;      /* how many of those an arrival of this thread stands for: the number of threads */
	uint64_t next_ns; /* when the next request is due, counted from the start; SCHEDULE_NEVER: the rate came to 0 */
	uint64_t random;  /* state of the generator: splitmix.h */
};

/*
 * schedule_init prepares the arrivals of thread INDEX of COUNT (at least 1)
 * for a total rate along RAMP, and finds the first.  The same SEED gives the
 * same arrivals; of constant ones, the first of thread 0 is due at once.
 */
void schedule_init(struct schedule *schedule, enum arrivals arrivals, const struct ramp *ramp, uint32_t index,
    uint32_t count, uint64_t seed);

/* schedule_advance moves next_ns to the request after it; SCHEDULE_NEVER stays. */
void schedule_advance(struct schedule *schedule);

/*
 * schedule_skip moves it on by COUNT requests (at least 1) at once: constant arrivals exactly so far as so many calls of
 * schedule_advance, and Poisson arrivals by as much as so many take on average.
 */
void schedule_skip(struct schedule *schedule, uint64_t count);

/* schedule_expected returns how many arrivals of all threads are expected from the start until AT_NS after it. */
double schedule_expected(const struct ramp *ramp, uint64_t at_ns);

/*
 * schedule_parse_ramp reads FROM:TO:SECONDS: rates from 0 to CONFIG_RATE_MAX
 * in steps of 0.001, not both 0, and seconds above 0 up to
 * SCHEDULE_RAMP_MAX_S.  Returns 0, or -EINVAL with the end of a sentence in ERROR.
 */
MUST_CHECK int schedule_parse_ramp(struct ramp *ramp, const char *text, char *error, size_t error_size);

#endif
