/* When requests are due in an open loop: at a rate, with constant or exponential gaps, or along a ramp. */
#include "loadgen/schedule.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "loadgen/config.h"
#include "loadgen/splitmix.h"

/* exponential draws a gap with a mean of 1. */
static double
exponential(uint64_t *random)
{
	/* 53 bits, each value in the middle of its step: never 0, never 1. */
	return -log(((double)(splitmix_next(random) >> 11) + 0.5) * 0x1p-53);
}

static double
in_seconds(uint64_t ns)
{
	return (double)ns / (double)NS_PER_SEC;
}

/*
 * seconds_of_ramp returns how long after the lead EXPECTED arrivals have come; infinity when they never do.  Within
 * the ramp it solves the quadratic in the form that has no difference of nearly equal numbers in it
 * but the rate's square, which is that of the rate at the time asked for.
 */
static double
seconds_of_ramp(const struct ramp *ramp, double expected)
{
	double duration = in_seconds(ramp->duration_ns), during = (ramp->from + ramp->to) / 2 * duration, square;

	if (expected >= during)
		return ramp->to > 0 ? duration + (expected - during) / ramp->to : INFINITY;
	if (expected <= 0)
		return 0;
	square = ramp->from * ramp->from + 2 * (ramp->to - ramp->from) / duration * expected;
	return 2 * expected / (ramp->from + sqrt(fmax(0, square)));
}

/* seconds_until is the inverse of schedule_expected. */
static double
seconds_until(const struct ramp *ramp, double expected)
{
	double lead = in_seconds(ramp->lead_ns), before = ramp->from * lead;

	return expected < before ? expected / ramp->from : lead + seconds_of_ramp(ramp, expected - before);
}

static void
find_next(struct schedule *schedule)
{
	double ns = seconds_until(&schedule->ramp, schedule->expected) * (double)NS_PER_SEC;

	schedule->next_ns = ns < 0x1p63 ? (uint64_t)(ns + 0.5) : SCHEDULE_NEVER;
}

void
schedule_init(struct schedule *schedule, enum arrivals arrivals, const struct ramp *ramp, uint32_t index,
    uint32_t count, uint64_t seed)
{
	*schedule = (struct schedule){
	    .arrivals = arrivals,
	    .ramp = *ramp,
	    .expected = index,
	    .step = count,
	    .random = splitmix_begin(seed, index),
	};
	if (arrivals == ARRIVALS_POISSON)
		schedule->expected = schedule->step * exponential(&schedule->random);
	find_next(schedule);
}

void
schedule_advance(struct schedule *schedule)
{
	if (schedule->next_ns == SCHEDULE_NEVER)
		return;
	if (schedule->arrivals == ARRIVALS_POISSON)
		schedule->expected += schedule->step * exponential(&schedule->random);
	else
		schedule->expected += schedule->step; /* whole numbers: exact up to 2^53 */
	find_next(schedule);
}

void
schedule_skip(struct schedule *schedule, uint64_t count)
{
	schedule->expected += schedule->step * (double)(count - 1);
	schedule_advance(schedule);
}

double
schedule_expected(const struct ramp *ramp, uint64_t at_ns)
{
	double duration = in_seconds(ramp->duration_ns), before = ramp->from * in_seconds(ramp->lead_ns), at, rate;

	if (at_ns < ramp->lead_ns)
		return ramp->from * in_seconds(at_ns);
	at_ns -= ramp->lead_ns;
	at = in_seconds(at_ns);
	if (at_ns >= ramp->duration_ns)
		return before + (ramp->from + ramp->to) / 2 * duration + ramp->to * (at - duration);
	rate = ramp->from + (ramp->to - ramp->from) * (at / duration);
	return before + (ramp->from + rate) / 2 * at;
}

/* next_field copies TEXT up to the next colon to FIELD and moves *TEXT behind it; false when it is missing or too long. */
static bool
next_field(const char **text, char *field, size_t size)
{
	size_t len;

	if (*text == NULL)
		return false;
	len = strcspn(*text, ":");
	snprintf(field, size, "%.*s", (int)(len < size ? len : size), *text);
	*text = (*text)[len] == ':' ? *text + len + 1 : NULL;
	return len > 0 && len < size;
}

static bool
parse_rate(const char **text, double *rate)
{
	char field[32];
	uint64_t thousandths;

	if (!next_field(text, field, sizeof(field)) ||
	    !list_parse_rate(field, 0, (uint64_t)CONFIG_RATE_MAX * LIST_RATE_UNIT, &thousandths))
		return false;
	*rate = (double)thousandths / LIST_RATE_UNIT;
	return true;
}

int
schedule_parse_ramp(struct ramp *ramp, const char *text, char *error, size_t error_size)
{
	const char *rest = text;
	char seconds[32];

	if (!parse_rate(&rest, &ramp->from) || !parse_rate(&rest, &ramp->to) ||
	    !next_field(&rest, seconds, sizeof(seconds)) || rest != NULL ||
	    clock_parse_seconds(seconds, (uint64_t)(SCHEDULE_RAMP_MAX_S * (double)NS_PER_SEC), &ramp->duration_ns) !=
		0 ||
	    ramp->duration_ns == 0) {
		snprintf(error, error_size, "must be FROM:TO:SECONDS, as in 0:1000:30; at most %d:%d:%.0f",
		    CONFIG_RATE_MAX, CONFIG_RATE_MAX, SCHEDULE_RAMP_MAX_S);
		return -EINVAL;
	}
	if (ramp->from == 0 && ramp->to == 0) {
		snprintf(error, error_size, "that asks for no request; one of the two rates must be above 0");
		return -EINVAL;
	}
	return 0;
}
