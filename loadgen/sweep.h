/* All cells of a run: every target at every sleep and concurrency, one after the other. */
#ifndef LOADGEN_SWEEP_H
#define LOADGEN_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"
#include "loadgen/cell.h"
#include "loadgen/config.h"
#include "loadgen/summary.h"

#define SWEEP_TARGETS_MAX 26 /* named A to Z in the table */

/* A target with one sleep: what is sent. */
struct variant {
	char *path; /* of the first request */
	struct request_list requests;
};

/* The figures of one repetition. */
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
	/* rps of this row over that of the same cell of the first target, with the interval of the repetitions' ratios. */
	double ratio; /* 0: there is nothing to compare with */
	struct interval ratio_interval;
	bool measured; /* the cell has run, and its figures count */
};

struct sweep {
	const struct config *config;
	struct target targets[SWEEP_TARGETS_MAX];
	bool down[SWEEP_TARGETS_MAX]; /* could not be reached: its further cells are left out */
	size_t targets_len;
	struct variant *variants; /* targets_len for each sleep */
	size_t variants_len;
	struct row *rows; /* by sleep, then concurrency, then target: what is compared stands together */
	size_t rows_len;
	uint64_t started_ns;     /* CLOCK_REALTIME */
	struct tls_context *tls; /* NULL: no target is https */
	struct result result;    /* of the last cell, for -g */
	bool failed;             /* a request failed, or a cell could not be measured */
	bool doubtful;           /* a check of loadgen itself failed */
	bool unmet;              /* an expectation was not met */
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

/* sweep_measured counts the rows that have figures. */
size_t sweep_measured(const struct sweep *sweep);

#endif
