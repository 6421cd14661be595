/* How far the run is, on standard error: ab's lines for one cell, one redrawn line for a sweep on a terminal. */
#ifndef LOADGEN_PROGRESS_H
#define LOADGEN_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum progress_style {
	PROGRESS_NONE,
	PROGRESS_LINES, /* "Completed 100 requests", as ab */
	PROGRESS_BAR,   /* " 42%  17 s left  cell 4 of 8" */
};

struct progress {
	enum progress_style style;
	FILE *out;
	size_t cells; /* of the sweep */
	size_t cells_done;
	uint64_t requests;      /* of a cell */
	uint64_t time_limit_ns; /* of a cell; 0: none */
	uint64_t step, next;    /* PROGRESS_LINES: requests between lines, and at the next one */
	uint64_t start_ns, cell_start_ns;
	bool drawn; /* a line stands there that must be wiped */
};

/* progress_init prepares for CELLS cells of REQUESTS requests and at most TIME_LIMIT_NS (0: any time) each. */
void progress_init(struct progress *progress, enum progress_style style, FILE *out, size_t cells, uint64_t requests,
    uint64_t time_limit_ns);

/* progress_interval_ms: how often progress_update wants to be called; -1: never. */
int progress_interval_ms(const struct progress *progress);

void progress_cell_begin(struct progress *progress);
void progress_update(struct progress *progress, uint64_t complete);
void progress_cell_end(struct progress *progress);

/* progress_clear wipes the line, so that something else can be printed. */
void progress_clear(struct progress *progress);

#endif
