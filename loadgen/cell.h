/* One cell of a sweep: one target at one concurrency, and at most one sleep and one rate; and what it came to. */
#ifndef LOADGEN_CELL_H
#define LOADGEN_CELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loadgen/config.h"
#include "loadgen/request.h"
#include "loadgen/stats.h"
#include "loadgen/target.h"

struct cell {
	const struct config *config;
	const struct target *target;
	const struct request_list *requests;
	const char *path; /* of the first request: the target's, with the sleep added */
	bool has_sleep;
	uint64_t sleep_ns;    /* when has_sleep */
	uint32_t concurrency; /* connections; open loop: at most */
	bool open_loop;
	struct ramp ramp; /* open_loop: the rate, which does not change where from equals to */
	uint64_t seed;    /* of the arrivals */
};

/* cell_threads: each has a connection at least. */
static inline uint32_t
cell_threads(const struct cell *cell)
{
	return cell->config->threads < cell->concurrency ? (uint32_t)cell->config->threads : cell->concurrency;
}

#define CELL_TEXT_MAX 96
#define CELL_WHY_MAX 256

/* cell_describe writes what CELL is besides its target, in CELL_TEXT_MAX bytes: "c 10, sleep 0.1 s". */
void cell_describe(const struct cell *cell, char *text);

/* How a cell ended. */
enum cell_end {
	CELL_DONE,        /* all requests, or the time was up */
	CELL_INTERRUPTED, /* SIGINT or SIGTERM: the figures hold for what was done */
	CELL_UNREACHABLE, /* no connection ever came about */
	CELL_CONNECT,     /* CONNECT_FAILURES_MAX connects failed in a row */
	CELL_TLS,         /* so many TLS handshakes failed in a row */
	CELL_BODY,        /* the file of the request's body could not be read any more */
	CELL_RECEIVE,     /* a connection broke, and -r was not given */
	CELL_RESOURCES,   /* this machine is out of memory, files or threads */
};

/* cell_end_measured tells whether the figures of a cell that ended so are good: it did not break off. */
static inline bool
cell_end_measured(enum cell_end end)
{
	return end == CELL_DONE || end == CELL_INTERRUPTED;
}

/* One request as -g wants it. Nanoseconds; start_ns is CLOCK_MONOTONIC. */
struct sample {
	uint64_t start_ns, connect_ns, total_ns, waiting_ns;
};

/* So many gaps between requests in so much time. */
struct pace {
	uint64_t gaps, span_ns;
};

struct result {
	struct stats stats;
	enum cell_end end;
	int error;              /* errno value behind `end`, or 0 */
	char why[CELL_WHY_MAX]; /* where `error` is EPROTO: what TLS or the proxy said */
	uint64_t duration_ns;   /* from before the first connect until after the last response (or until time was up) */
	struct pace due, left;  /* open loop: how fast requests were due, and left */
	uint64_t warmup_ns;     /* cut off before the figures begin */
	uint64_t wall_offset_ns; /* CLOCK_REALTIME minus CLOCK_MONOTONIC */
	int64_t document_len;    /* body length of the first good response; -1: there was none */
	struct sample *samples;  /* with -g: stats.complete + stats.overdue of them; else NULL */
	size_t samples_len;
};

#endif
