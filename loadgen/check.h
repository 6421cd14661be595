/* loadgen's own health: whether a cell's figures tell of the server, or of the client that measured it. */
#ifndef LOADGEN_CHECK_H
#define LOADGEN_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cell;
struct summary;

/*
 * When each fails.  A cell of less than 0.2 s, one that did not end by itself
 * or by a signal, and one without an answer are not judged, but for CHECK_RATE, which needs no answer.
 *
 * CHECK_CPU: the busiest thread used more than 95% of a CPU.  What is left
 * is what a thread sleeps between answers: with less, answers wait in their
 * sockets for loadgen, and that time is counted as the server's.
 *
 * CHECK_LAG (open loop): 99 in 100 requests that found a free connection left
 * within 1 ms of when they were due, or within a tenth of the median service
 * time where that is more, so that p99 tells of the server within a tenth.
 * From 100 requests on, without those whose connect failed.
 *
 * CHECK_CONNECTIONS.  Closed loop: fewer connections stood at one time than
 * were asked for, though the server kept them open and each had two requests
 * or more to do in a run.  Open loop: more than half of the requests that were due found all
 * connections busy; the server then met a closed loop of as many connections.
 *
 * CHECK_RATE (open loop): more than 1% of the requests that were due, and more
 * than one, had not left when time was up; or they left at a rate more than
 * 1% below that at which they were due, the last more than 0.1 s behind.
 *
 * CHECK_ARRIVALS (Poisson): the distance of the gaps from the exponential
 * distribution (fit.h) is above what chance explains (fit_limit), plus 1%,
 * plus what lateness explains.  A gap that moves by D mean gaps shifts the
 * distribution by at most the mean of |D|, because its density is at most 1;
 * two lags move a gap, so that is twice the mean lag times a thread's rate.
 * A request that waited for a connection spoils the gap before it and the one
 * behind.  Where that comes to 0.5 or more nothing is left to judge.
 *
 * CHECK_LITTLE (closed loop): Little's law, requests under way = throughput x
 * time.  The times of all requests sum up to less than 95% of the time in which
 * connections had requests to do: loadgen left connections waiting between
 * requests.  For each connection that is closed after a request, the limit allows
 * 30 us, up to half of the time: closing is between requests, and took 8 to 12 us
 * where this was measured.  Not judged where connects failed, which takes time that is no
 * request's, nor with --pipeline in a run so short that its end, when
 * there is less to do than there is room for, weighs: 40 requests for each place.
 *
 * CHECK_PAUSED: a thread, once all its connections had begun, did not run (heartbeat.h) for more than 0.1 s at a
 * time, and for more than a tenth of the median service time: it was stopped, or others had the CPU.  What was under
 * way then counts as that much slower.
 */
enum check_kind {
	CHECK_CPU,         /* the busiest thread had CPU time to spare */
	CHECK_LAG,         /* open loop: requests left when they were due */
	CHECK_CONNECTIONS, /* closed loop: as many connections stood as were asked for; open: one was free when needed */
	CHECK_RATE,        /* open loop: as many requests left as were due */
	CHECK_ARRIVALS,    /* Poisson: gaps were exponential */
	CHECK_LITTLE,      /* closed loop: concurrency = throughput x time: connections were not left waiting */
	CHECK_PAUSED,      /* all threads ran when they had to */
	CHECK_KINDS,
};

enum check_state { CHECK_NONE /* does not apply, or too short a run */, CHECK_OK, CHECK_FAILED };

struct check {
	enum check_state state;
	/*
	 * CHECK_CPU: of a CPU, at most.  CHECK_LAG: milliseconds, at most.
	 * CHECK_CONNECTIONS: connections, at least; open loop: share of requests that waited, at most.
	 * CHECK_RATE: share of due requests that left, or of their rate, at least.
	 * CHECK_ARRIVALS: distance, at most.  CHECK_LITTLE: share of the time, at least.
	 * CHECK_PAUSED: milliseconds, at most.
	 */
	double measured, limit;
	bool open_loop;   /* what the cell was */
	uint32_t threads; /* it had */
	double waited;    /* open loop: share of the requests due that found all connections busy */
};

/* check_name: "cpu", "send_lag", "connections", "rate", "arrivals", "littles_law", "paused", as the JSON calls them. */
const char *check_name(enum check_kind kind);

/* check_all fills CHECKS[CHECK_KINDS] for a cell. Returns how many failed. */
size_t check_all(struct check *checks, const struct cell *cell, const struct summary *summary);

#define CHECK_SENTENCE_MAX 512 /* bytes that take any of them */

/* check_sentence writes what a failed check means and what to do: one line. */
void check_sentence(enum check_kind kind, const struct check *check, char *text, size_t size);

#endif
