/* The ideal: what a server would measure if nothing but the sleep took time. */
#ifndef EXPERIMENTS_IDEAL_H
#define EXPERIMENTS_IDEAL_H

#include "experiments/definition.h"

/*
 * With S the sleep, c the concurrency, n the requests, w the workers that can
 * sleep at the same time:
 *
 *   event loop            R = ceil(n / c) rounds of S each:  rps = n / (R S)
 *   workers, blocked loop  one sleep after another on each:   rps = min(w, c) / S   (w = 1 for the loop)
 *   both                   time per request = c / rps, across all concurrent requests = 1 / rps
 *
 * Where c divides n the loop's time per request is S, and the workers' is
 * c S / w.  Each function returns NAN where the kind is IDEAL_NONE or S is 0.
 */
double ideal_rps(const struct server *server, double sleep_s, int concurrency, int64_t requests);
double ideal_time_ms(const struct server *server, double sleep_s, int concurrency, int64_t requests);

/* ideal_duration_s says how long the cell takes then. */
double ideal_duration_s(const struct server *server, double sleep_s, int concurrency, int64_t requests);

#endif
