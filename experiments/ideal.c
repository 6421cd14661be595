/* The ideal: what a server would measure if nothing but the sleep took time. */
#include "experiments/ideal.h"

#include <math.h>

/* at_a_time returns how many requests can sleep at the same time; NAN where that is not known. */
static double
at_a_time(const struct server *server, int concurrency)
{
	switch (server->ideal) {
	case IDEAL_LOOP:
		return concurrency;
	case IDEAL_BLOCKED_LOOP:
		return 1;
	case IDEAL_WORKERS:
		return fmin((double)server->workers, concurrency);
	case IDEAL_NONE:
		break;
	}
	return (double)NAN;
}

double
ideal_rps(const struct server *server, double sleep_s, int concurrency, int64_t requests)
{
	if (!(sleep_s > 0))
		return (double)NAN;
	return (double)requests / (ceil((double)requests / at_a_time(server, concurrency)) * sleep_s);
}

double
ideal_time_ms(const struct server *server, double sleep_s, int concurrency, int64_t requests)
{
	return 1000 * concurrency / ideal_rps(server, sleep_s, concurrency, requests);
}

double
ideal_duration_s(const struct server *server, double sleep_s, int concurrency, int64_t requests)
{
	return (double)requests / ideal_rps(server, sleep_s, concurrency, requests);
}
