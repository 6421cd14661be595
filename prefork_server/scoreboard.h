/* The memory that the arbiter, its workers and the admin process share. */
#ifndef PREFORK_SERVER_SCOREBOARD_H
#define PREFORK_SERVER_SCOREBOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"
#include "common/metrics.h"
#include "prefork_server/config.h"
#include "prefork_server/heartbeat.h"

/* A reload runs two full sets of workers at once. */
#define SCOREBOARD_SLOTS (2 * CONFIG_WORKERS_MAX)

/* What the arbiter tells the others.  It alone can write here: its children have the page read-only. */
struct scoreboard_notice {
	_Atomic uint64_t workers;             /* that live and are not told to end */
	_Atomic uint64_t deaths;              /* of workers that nobody told to end */
	_Atomic uint64_t timeouts;            /* workers that were overdue */
	_Atomic bool taken[SCOREBOARD_SLOTS]; /* has a worker, from just before its birth until it is reaped */
	_Atomic bool stopping; /* the whole server ends: what waits to be accepted has nobody else to serve it */
};

struct scoreboard {
	struct scoreboard_notice *notice;
	struct heartbeat *heartbeats; /* one a slot; written by the slot's worker */
	struct metrics *metrics;      /* the same; while the slot has no worker, scoreboard_settle_free */
};

/* scoreboard_open maps everything, zeroed. Returns 0 or -errno. scoreboard_close unmaps it. */
MUST_CHECK int scoreboard_open(struct scoreboard *board);
void scoreboard_close(struct scoreboard *board);

/* scoreboard_protect takes the right to write to the notice from the calling process: every child does that first. */
void scoreboard_protect(struct scoreboard *board);

/*
 * scoreboard_settle_free makes the gauges of all slots without a worker zero:
 * one that was killed left requests that nobody will end.  For one process that
 * is not the arbiter.  A new worker may take a slot at the same time and is not disturbed, if it calls
 * metrics_settle before it counts.  Async-signal-safe.
 */
void scoreboard_settle_free(struct scoreboard *board);

#endif
