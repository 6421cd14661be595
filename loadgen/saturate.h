/* --until-saturated: which load to try next, and which is the knee. Knows figures alone, not how they are measured. */
#ifndef LOADGEN_SATURATE_H
#define LOADGEN_SATURATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SATURATE_STEPS_MAX 48
#define SATURATE_GROWTH 1.05 /* a step that brings less than this over the best before it has not grown */
#define SATURATE_SHARE 0.95  /* of the best throughput, which the knee reaches */
#define SATURATE_WIDTH 0.05  /* of its upper end: an interval of loads that is not cut any more */

/* One load that was tried: connections, or thousandths of a request per second. */
struct step {
	uint64_t load;
	double throughput; /* good answers per second */
	bool holds;        /* all expectations did, and the server kept up with a rate */
};

/* How the climb ended. */
enum saturate_end {
	SATURATE_CLIMBING,
	SATURATE_FLAT,   /* throughput did not grow, twice in a row */
	SATURATE_BROKEN, /* an expectation did not hold */
	SATURATE_LIMIT,  /* the highest load was reached, and throughput still grew */
};

/*
 * The search climbs first: from one load on by doubling, until throughput does not
 * grow twice in a row or an expectation breaks.  Then it cuts the interval that the knee lies
 * in by bisection, and, where an expectation broke, the one in which it does.
 */
struct saturate {
	uint64_t lowest, highest, first; /* loads */
	enum saturate_end end;
	unsigned flat;                         /* steps in a row that have not grown */
	double top;                            /* the best throughput of the climb */
	struct step steps[SATURATE_STEPS_MAX]; /* by load */
	size_t len;
};

/* saturate_init begins a search from FIRST on, between LOWEST and HIGHEST (1 <= LOWEST <= FIRST <= HIGHEST). */
void saturate_init(struct saturate *search, uint64_t first, uint64_t lowest, uint64_t highest);

/* saturate_next says which load to try next; 0: nothing is left to find out. */
uint64_t saturate_next(const struct saturate *search);

/* saturate_record takes what came of the load that saturate_next named. */
void saturate_record(struct saturate *search, const struct step *step);

/*
 * saturate_knee returns the lowest load that reaches SATURATE_SHARE of the best throughput
 * while all expectations hold, there and at every load below it; NULL: none did.
 * saturate_best returns the step of that best throughput, and saturate_beyond the lowest one at which they
 * do not hold, above those where they do; NULL: there is none.
 */
const struct step *saturate_knee(const struct saturate *search);
const struct step *saturate_best(const struct saturate *search);
const struct step *saturate_beyond(const struct saturate *search);

#endif
