/* Time: one monotonic clock for every deadline, and a sleep that is never short. */
#include "common/clock.h"

#include <errno.h>
#include <limits.h>
#include <time.h>

#include "common/decimal.h"

static uint64_t
read_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * NS_PER_SEC + (uint64_t)now.tv_nsec;
}

uint64_t
clock_now_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t
clock_wall_ns(void)
{
	return read_clock(CLOCK_REALTIME);
}

void
clock_sleep_until_ns(uint64_t due_ns)
{
	struct timespec due = {
	    .tv_sec = (time_t)(due_ns / NS_PER_SEC),
	    .tv_nsec = (long)(due_ns % NS_PER_SEC),
	};

	/* An absolute time, so that a signal in between costs nothing and adds nothing. */
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR)
		;
}

int
clock_ms_until(uint64_t due_ns)
{
	uint64_t now = clock_now_ns();
	uint64_t ms;

	if (due_ns <= now)
		return 0;
	ms = (due_ns - now) / NS_PER_MS + ((due_ns - now) % NS_PER_MS != 0);
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

int
clock_parse_seconds(const char *text, uint64_t max_ns, uint64_t *ns)
{
	return decimal_parse(text, (double)NS_PER_SEC, max_ns, ns);
}
