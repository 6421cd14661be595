/* The open loop of a thread: starts each request when it is due, on a connection that is free. */
#ifndef LOADGEN_PACER_H
#define LOADGEN_PACER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"

struct conn;
struct flight;
struct worker;

/* pacer_init opens the timer. Returns 0 or -errno. */
MUST_CHECK int pacer_init(struct worker *worker);
void pacer_deinit(struct worker *worker);

/* pacer_begin: the load begins at worker->shared->origin_ns; all connections are free. */
void pacer_begin(struct worker *worker);

/* pacer_over tells whether the schedule has come to its end: no request is due any more. */
bool pacer_over(const struct worker *worker);

/* pacer_take fills in the due time of FLIGHT, which starts now, at NOW_NS. Returns false when none is due yet. */
bool pacer_take(struct worker *worker, struct flight *flight, uint64_t now_ns);

/* pacer_freed: a connection is free since NOW_NS; pacer_release: it found nothing due, and waits. */
void pacer_freed(struct worker *worker, uint64_t now_ns);
void pacer_release(struct worker *worker, struct conn *conn);

/*
 * pacer_end counts the requests that were due before END_NS and never started; those older than SLOWEST_NS, the slowest
 * answer, enter the distribution with their age.  There may be more than anybody can wait for: of very many, some that are due
 * one after the other have one age, all within 1 part in 100000.
 */
void pacer_end(struct worker *worker, uint64_t end_ns, uint64_t slowest_ns);

#endif
