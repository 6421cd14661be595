/* How far the run is, on standard error: ab's lines for one cell, or a block of lines on a terminal, redrawn in place. */
#ifndef LOADGEN_PROGRESS_H
#define LOADGEN_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "loadgen/cell.h"
#include "loadgen/config.h"
#include "loadgen/screen.h"
#include "loadgen/series.h"

#define PROGRESS_HISTORY 160 /* seconds that the sparkline can show */

/* Up to so many requests ab shows no progress. */
#define PROGRESS_AB_QUIET 150

enum progress_style {
	PROGRESS_NONE,
	PROGRESS_LINES, /* "Completed 100 requests", as ab */
	PROGRESS_BLOCK, /* bar, rates, times and a sparkline, for as long as the run takes */
};

/* What the present cell has come to by now. */
struct progress_now {
	uint64_t begin_ns;         /* when its figures and its series begin; in the future during the warm-up */
	uint64_t complete, errors; /* since then; complete: failed ones too; errors: stats.h */
	uint32_t open;             /* connections that stand at this moment */
	const struct series *const *series; /* of its threads */
	size_t series_len;                  /* 0: times are not shown */
};

struct progress {
	enum progress_style style;
	FILE *out;
	const struct config *config;
	const struct cell *cell; /* the present one */
	size_t cells;            /* of one repetition; 0: nobody knows yet (--until-saturated) */
	size_t cells_done;       /* of all repetitions */
	uint64_t step, next;     /* PROGRESS_LINES: requests between lines, and at the next one */
	uint64_t start_ns;       /* of the run */
	uint64_t cell_start_ns;  /* of the cell: its warm-up too */
	const char *awaited;     /* the URL of a server that serves what the last cell left; NULL: none is waited for */
	uint64_t awaited_since_ns;
	double shown;                     /* share of the run that is done, as it was drawn last: never goes back */
	struct screen screen;             /* PROGRESS_BLOCK */
	struct series_figures last;       /* of the last whole second; of the first one while it lasts */
	double rps;                       /* in it */
	size_t seconds;                   /* whole ones since begin_ns that stand in `history` */
	double history[PROGRESS_HISTORY]; /* rps of the last of them, oldest first */
};

/*
 * progress_choose returns the style for CONFIG: on a terminal the block,
 * unless -v prints things during the run that it would stand in the way of.
 * Where there is no block and the report is ab's (AB), ab's lines from ab's
 * number of requests on.  Nothing with -q.
 */
enum progress_style progress_choose(const struct config *config, bool ab);

/*
 * progress_init prepares for config->repeats times CELLS cells (0: as many as it takes).  CONFIG must live
 * as long as PROGRESS.
 */
void progress_init(
    struct progress *progress, enum progress_style style, FILE *out, const struct config *config, size_t cells);

/* progress_interval_ms: how often progress_update wants to be called; -1: never. */
int progress_interval_ms(const struct progress *progress);

/* progress_cell_begin: CELL begins, and lives until progress_cell_end, which also counts a cell that is left out. */
void progress_cell_begin(struct progress *progress, const struct cell *cell);
void progress_update(struct progress *progress, const struct progress_now *now);
void progress_cell_end(struct progress *progress);

/*
 * progress_await has updates say that nothing is loaded, but URL waited for, where that takes longer than a moment; with NULL
 * they are of a cell again.
 */
void progress_await(struct progress *progress, const char *url);

/* progress_clear wipes the block, so that something else can be printed; the next update draws it again. */
void progress_clear(struct progress *progress);

/* progress_end is progress_clear for good: nothing is shown from now on. */
void progress_end(struct progress *progress);

#endif
