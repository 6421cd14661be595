/* All cells of a run: every target at every sleep, rate and concurrency, one after the other. */
#ifndef LOADGEN_SWEEP_H
#define LOADGEN_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"
#include "loadgen/cell.h"
#include "loadgen/config.h"
#include "loadgen/saturate.h"
#include "loadgen/summary.h"
#include "loadgen/variant.h"

#define SWEEP_TARGETS_MAX 26 /* named A to Z in the table */

/* The figures of one repetition; the times are NAN where nothing was complete. */
struct repeat {
	double rps, mean_ns, p50_ns, p99_ns;
	uint64_t failed;
	bool measured;
};

struct row {
	struct cell cell;
	struct summary summary;              /* of all repetitions together */
	struct stats stats;                  /* that it was made of; kept for .hgrm and the series */
	struct repeat *repeats;              /* config->repeats of them */
	struct interval rps, mean, p50, p99; /* of the repetitions; times in nanoseconds */
	/* rps over that of the same cell of the first target: the geometric mean of the repetitions' ratios, and its interval. */
	double ratio; /* 0: there is nothing to compare with */
	struct interval ratio_interval;
	bool measured; /* the cell has run, and its figures count */
	bool broken;   /* a run of it ended before its time; its figures are among these where there are no others */
};

/* What a target was left with by cells before: requests that nobody waits for any more, in its server's queue. */
struct leftover {
	const struct cell *cell; /* which left them, or another of the same requests; NULL: there are none */
	bool stuck;              /* nothing was answered: they are not waited for as long */
};

/* What --until-saturated found out about a target with one sleep. */
struct knee {
	size_t first, len;        /* its steps among the rows, by load */
	enum saturate_end end;    /* of the climb; SATURATE_CLIMBING: it was interrupted */
	const struct row *row;    /* the knee; NULL: there is none */
	const struct row *best;   /* the highest throughput while all expectations held; NULL: there is none */
	const struct row *beyond; /* the lowest step at which they did not, or which broke off; NULL: there is none */
};

struct sweep {
	const struct config *config;
	struct target targets[SWEEP_TARGETS_MAX];
	bool down[SWEEP_TARGETS_MAX]; /* could not be reached: its further cells are left out */
	struct leftover leftovers[SWEEP_TARGETS_MAX];
	size_t targets_len;
	struct variant *variants; /* targets_len for each sleep */
	size_t variants_len;
	struct row
	    *rows; /* by sleep, rate, concurrency, target: what is compared stands together; or by knee, then load */
	size_t rows_len, rows_size;
	size_t *order;             /* of the rows in a repetition */
	struct repeat *repeats;    /* of all rows */
	struct knee *knees;        /* one for each variant, with --until-saturated */
	size_t knees_len;          /* that were searched for */
	uint32_t most_connections; /* that a search can go up to: the limit of open files */
	uint64_t started_ns;       /* CLOCK_REALTIME */
	struct tls_context *tls;   /* NULL: no target is https */
	struct result result;      /* of the last cell */
	struct sample *samples;    /* of all repetitions with -g; else NULL */
	size_t samples_len;
	bool failed;   /* a request failed, or a cell could not be measured; in a search: not beyond the knee */
	bool doubtful; /* a check of loadgen itself failed */
	bool unmet;    /* an expectation was not met */
	bool interrupted;
};

/*
 * sweep_init is part of start-up: it reads and resolves the URLs and builds
 * the requests.  On a mistake it prints one line and returns the exit status:
 * 2 for a URL that is wrong, 1 for a name that cannot be resolved or too low a
 * limit of open files.  Returns 0 on success.  sweep_deinit frees everything
 * (also after a failure).
 */
MUST_CHECK int sweep_init(struct sweep *sweep, const struct config *config);
void sweep_deinit(struct sweep *sweep);

/* sweep_run measures the cells, and says on standard error why one could not be. */
void sweep_run(struct sweep *sweep);

/*
 * sweep_add_row appends the row of a cell: VARIANT at CONCURRENCY, and at RATE thousandths of a request
 * per second (0: none).  There is room for all cells, or for all steps of all searches.
 */
struct row *sweep_add_row(struct sweep *sweep, size_t variant, uint64_t concurrency, uint64_t rate);

/* sweep_measured counts the rows that have figures. */
size_t sweep_measured(const struct sweep *sweep);

#endif
