/* The memory that the arbiter, its workers and the admin process share. */
#ifndef PREFORK_SERVER_SCOREBOARD_H
#define PREFORK_SERVER_SCOREBOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/compiler.h"
#include "common/metrics.h"
#include "prefork_server/config.h"
#include "prefork_server/heartbeat.h"
#include "prefork_server/lane.h"

/* A reload runs two full sets of workers at once. */
#define SCOREBOARD_SLOTS (2 * CONFIG_WORKERS_MAX)

/* What the arbiter knows of the worker in a slot. */
struct scoreboard_seat {
	_Atomic bool taken; /* from just before a worker's birth until it is reaped: the rest is true only then */
	_Atomic bool ending;
	_Atomic int pid; /* 0: not known yet */
	_Atomic unsigned generation;
	_Atomic uint64_t born_ns; /* CLOCK_MONOTONIC */
};

/* Why a worker ended, or is told to. */
enum scoreboard_reason {
	SCOREBOARD_CRASH,        /* nobody told it to */
	SCOREBOARD_TIMEOUT,      /* it was overdue */
	SCOREBOARD_MAX_REQUESTS, /* --max-requests */
	SCOREBOARD_MAX_RSS,      /* --max-rss */
	SCOREBOARD_RELOAD,       /* a new generation takes over */
	SCOREBOARD_REASONS,      /* the above are restarts: another worker takes its place */
	SCOREBOARD_TOO_MANY = SCOREBOARD_REASONS,
};

/* What the arbiter tells the others.  It alone can write here: its children have the pages read-only. */
struct scoreboard_notice {
	uint64_t started_ns;              /* of the server: CLOCK_MONOTONIC; fixed before the first child */
	_Atomic(const char *) class_name; /* of the workers; static storage */
	_Atomic unsigned target;          /* how many workers there shall be */
	_Atomic unsigned generation;      /* of the workers that stay */
	_Atomic uint64_t workers;         /* that live and are not told to end */
	_Atomic uint64_t epoch;           /* of the turns to accept: duty.h */
	_Atomic uint64_t timeouts;        /* workers that were overdue */
	_Atomic uint64_t restarts[SCOREBOARD_REASONS];
	_Atomic size_t slots;   /* the rows from here on were never used */
	_Atomic size_t threads; /* in every row, the lanes from here on were never used */
	_Atomic bool stopping;  /* the whole server ends */
	/* ... and nobody but these workers, after TERM, serves what waits to be accepted: it could not be drained (drain.h) */
	_Atomic bool serve_last;
	struct scoreboard_seat seats[SCOREBOARD_SLOTS];
};

/* A worker's.  Pages that nobody has touched are not there: a worker costs what its threads use. */
struct scoreboard_row {
	struct heartbeat heartbeat; /* written by the worker */
	_Atomic int retiring;       /* the same: its pid, once it has had its --max-requests and ends by itself */
	struct lane
	    lanes[CONFIG_THREADS_MAX + 1]; /* each by one of its threads; without a worker: scoreboard_settle_free */
};

struct scoreboard {
	struct scoreboard_notice *notice;
	struct scoreboard_row *rows; /* SCOREBOARD_SLOTS */
};

/* scoreboard_open maps everything, zeroed. Returns 0 or -errno. scoreboard_close unmaps it. */
MUST_CHECK int scoreboard_open(struct scoreboard *board);
void scoreboard_close(struct scoreboard *board);

/* scoreboard_protect takes the right to write to the notice from the calling process: every child does that first. */
void scoreboard_protect(struct scoreboard *board);

/*
 * The arbiter's: scoreboard_take before it forks a worker of THREADS threads, main thread included, for SLOT,
 * scoreboard_seat as soon as it knows the PID, scoreboard_leave when the worker has been reaped, or
 * was never born.
 */
void scoreboard_take(struct scoreboard *board, size_t slot, size_t threads);
void scoreboard_seat(struct scoreboard *board, size_t slot, pid_t pid, unsigned generation);
void scoreboard_leave(struct scoreboard *board, size_t slot);

/* scoreboard_end is the arbiter's too: the worker in SLOT ends, or is told to, for REASON. */
void scoreboard_end(struct scoreboard *board, size_t slot, enum scoreboard_reason reason);

/* scoreboard_begin is a new worker's, before it counts: it takes over the lanes of SLOT as another may have left them. */
void scoreboard_begin(struct scoreboard *board, size_t slot);

/*
 * scoreboard_settle_free makes the gauges of all slots without a worker zero:
 * one that was killed left requests that nobody will end.  For one process that
 * is not the arbiter.  A new worker may take a slot at the same time and is not disturbed, if it calls
 * scoreboard_begin before it counts.  Async-signal-safe.
 */
void scoreboard_settle_free(struct scoreboard *board);

/* scoreboard_sum adds to TOTALS what all workers have counted, living and dead. */
void scoreboard_sum(const struct scoreboard *board, struct metrics_totals *totals);

#endif
