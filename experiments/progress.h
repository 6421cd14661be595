/* How far a run is, on standard error: one line that changes on a terminal, one line a cell elsewhere. */
#ifndef EXPERIMENTS_PROGRESS_H
#define EXPERIMENTS_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "experiments/plan.h"
#include "experiments/scheduler.h"

struct progress {
	bool quiet; /* says nothing */
	bool terminal;
	size_t done, total; /* cells */
	uint64_t drawn_ns;  /* when the line was drawn last; 0: there is none */
};

void progress_init(struct progress *progress, bool quiet, size_t total);

/* progress_cell tells that CELL has its result. progress_tick redraws the line, at most twice a second. */
void progress_cell(struct progress *progress, const struct cell *cell);
void progress_tick(struct progress *progress, const struct scheduler *scheduler);

/* progress_end takes the line away. */
void progress_end(struct progress *progress);

#endif
