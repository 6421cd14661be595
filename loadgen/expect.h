/* --expect 'p99<50ms': what a cell must come to. */
#ifndef LOADGEN_EXPECT_H
#define LOADGEN_EXPECT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/compiler.h"

#define EXPECT_MAX 32
#define EXPECT_FIGURE_MAX 32 /* bytes of a figure that expect_format writes */

struct summary;

enum expect_metric {
	EXPECT_PERCENTILE, /* p50, p99.9: of the response time; ms */
	EXPECT_MEAN,       /* of the response time; ms */
	EXPECT_MIN,
	EXPECT_MAX_TIME, /* max */
	EXPECT_RPS,      /* requests per second */
	EXPECT_ERRORS,   /* failed requests, and answers other than 2xx */
	EXPECT_FAILED,   /* failed requests, as ab counts them */
	EXPECT_COMPLETE,
};

enum expect_relation { EXPECT_LESS, EXPECT_AT_MOST, EXPECT_EQUAL, EXPECT_AT_LEAST, EXPECT_MORE };

struct expect {
	const char *text; /* as given; points into argv */
	enum expect_metric metric;
	double percent; /* EXPECT_PERCENTILE */
	enum expect_relation relation;
	double limit;     /* in milliseconds, or a count, or a rate; with share: of all requests, 0 to 1 */
	bool share;       /* "errors<1%" */
	const char *unit; /* as typed, static: "us", "ms", "s", "%", or "" */
	double scale;     /* of that unit in the one of `limit`: 1000 for seconds, 0.01 for % */
};

/*
 * expect_parse reads TEXT: METRIC RELATION VALUE[UNIT], with or without blanks
 * between them.
 *
 *   METRIC    p1 to p99 and p99.9, mean, min, max: of the response time, which
 *             wants a unit: us, ms or s
 *             rps: requests per second
 *             errors (failed requests and answers other than 2xx, each once), failed:
 *             a number of them, or with % a share of all requests
 *             complete: requests
 *   RELATION  < <= = >= >; = for numbers of requests and shares alone, since no
 *             two times or rates are ever the same
 *
 * Returns 0, or -EINVAL with the end of the sentence `--expect p99>>1: ` in ERROR.
 */
MUST_CHECK int expect_parse(struct expect *expect, const char *text, char *error, size_t error_size);

/*
 * expect_holds judges SUMMARY; *MEASURED is the figure, in the unit of `limit`.
 * A time or share is NAN where no request was complete, and then no expectation of it holds.
 */
bool expect_holds(const struct expect *expect, const struct summary *summary, double *measured);

/* expect_unmet returns the first of EXPECTS that does not hold; NULL: all do. */
const struct expect *expect_unmet(const struct expect *expects, size_t len, const struct summary *summary);

/*
 * expect_format writes a figure with its unit as it was typed, in at most
 * EXPECT_FIGURE_MAX bytes: "12.3 ms", "0", "0.4%"; "unknown" for NAN.
 */
void expect_format(const struct expect *expect, double figure, char *text, size_t size);

#endif
