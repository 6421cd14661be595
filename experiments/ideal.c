/* The ideal: what a server would measure if nothing but the sleep took time. */
#include "experiments/ideal.h"

#include <math.h>

double
ideal_rps(const struct server *server, double sleep_s, int concurrency, int64_t requests)
{
	double rounds = ceil((double)requests / concurrency);

	if (!(sleep_s > 0))
		return (double)NAN;
	switch (server->ideal) {
	case IDEAL_LOOP:
		return (double)requests / (rounds * sleep_s);
	case IDEAL_BLOCKED_LOOP:
		return 1 / sleep_s;
	case IDEAL_WORKERS:
		return fmin((double)server->workers, concurrency) / sleep_s;
	case IDEAL_NONE:
		break;
	}
	return (double)NAN;
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
