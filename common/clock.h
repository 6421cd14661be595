/* Time: one monotonic clock for every deadline, and a sleep that is never short. */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdint.h>

#include "common/compiler.h"

#define NS_PER_US 1000ULL
#define NS_PER_MS 1000000ULL
#define NS_PER_SEC 1000000000ULL

/* clock_now_ns returns CLOCK_MONOTONIC in nanoseconds: never set back, never set by hand. */
uint64_t clock_now_ns(void);

/* clock_wall_ns returns the time of day (CLOCK_REALTIME) in nanoseconds since 1970: for people, not for deadlines. */
uint64_t clock_wall_ns(void);

/*
 * clock_sleep_until_ns blocks the calling thread until clock_now_ns() has
 * reached DUE_NS.  Signals do not shorten it (law 4: a sleep is never shorter
 * than asked).
 */
void clock_sleep_until_ns(uint64_t due_ns);

/*
 * clock_ms_until returns the milliseconds from now to DUE_NS, rounded up, as
 * poll(2) and epoll_wait(2) take them: 0 when it has passed, INT_MAX at most.
 */
int clock_ms_until(uint64_t due_ns);

/* clock_parse_seconds reads TEXT, a decimal number of seconds, into *NS, at most MAX_NS.  Errors as decimal_parse. */
MUST_CHECK int clock_parse_seconds(const char *text, uint64_t max_ns, uint64_t *ns);

#endif
