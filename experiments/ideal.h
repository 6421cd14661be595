/* The ideal: what a server would measure if nothing but the sleep took time. */
#ifndef EXPERIMENTS_IDEAL_H
#define EXPERIMENTS_IDEAL_H

#include "experiments/definition.h"

/*
 * With S the sleep, c the concurrency, n the requests, and m requests that can
 * sleep at the same time (c in an event loop, 1 in a blocked one, min(w, c) in
 * w workers) there are R = ceil(n / m) rounds of S each:
 *
 *   requests per second = n / (R S): n / (ceil(n/c) S) for the loop, 1 / S for a blocked one
 *   time per request = c / rps, and 1 / rps across all concurrent requests
 *
 * Where m divides n that is m / S; the loop's time per request is then S, and
 * that of workers c S / w.  Each function returns NAN where the kind is IDEAL_NONE or S is 0.
 */
double ideal_rps(const struct server *server, double sleep_s, int concurrency, int64_t requests);
double ideal_time_ms(const struct server *server, double sleep_s, int concurrency, int64_t requests);

/* ideal_duration_s says how long the cell takes then. */
double ideal_duration_s(const struct server *server, double sleep_s, int concurrency, int64_t requests);

#endif
