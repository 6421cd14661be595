/* loadgen's own health: whether a cell's figures tell of the server, or of the client that measured it. */
#ifndef LOADGEN_CHECK_H
#define LOADGEN_CHECK_H

#include <stdbool.h>
#include <stddef.h>

struct cell;
struct summary;

enum check_kind {
	CHECK_CPU,         /* the busiest thread had CPU time to spare */
	CHECK_LAG,         /* open loop: requests left when they were due */
	CHECK_CONNECTIONS, /* as many connections stood as were asked for */
	CHECK_RATE,        /* open loop: as many requests left as were due */
	CHECK_ARRIVALS,    /* Poisson: gaps were exponential */
	CHECK_LITTLE,      /* closed loop: concurrency = throughput x time: connections were not left waiting */
	CHECK_KINDS,
};

enum check_state { CHECK_NONE /* does not apply, or too short a run */, CHECK_OK, CHECK_FAILED };

struct check {
	enum check_state state;
	double measured, limit; /* in the unit that check_sentence prints */
};

/* check_name: "cpu", "send_lag", "connections", "rate", "arrivals", "littles_law", as the JSON calls them. */
const char *check_name(enum check_kind kind);

/* check_all fills CHECKS[CHECK_KINDS] for a cell. Returns how many failed. */
size_t check_all(struct check *checks, const struct cell *cell, const struct summary *summary);

/* check_sentence writes what a failed check means and what to do: one line. */
void check_sentence(enum check_kind kind, const struct check *check, char *text, size_t size);

#endif
