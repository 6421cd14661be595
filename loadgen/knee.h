/* --until-saturated: how far each target can be loaded, and in words what came of it. */
#ifndef LOADGEN_KNEE_H
#define LOADGEN_KNEE_H

#include <stdbool.h>

#include "loadgen/progress.h"
#include "loadgen/sweep.h"

#define KNEE_TEXT_MAX 512

/*
 * knee_find_all searches for the knee of each target and sleep (saturate.h),
 * with a row for each step, and fills sweep->knees and what decides about the exit status: a search
 * fails where no knee is found, or where requests fail at it; beyond it they may.
 */
void knee_find_all(struct sweep *sweep, struct progress *progress);

/*
 * knee_doubtful tells whether loadgen itself kept a step from more: no CPU time to spare, late, or paused.  The
 * other checks fail wherever there is more load than the server takes, which is what a search is for.
 */
bool knee_doubtful(const struct row *row);

/* knee_cell: what KNEE was searched for, its load aside. */
const struct cell *knee_cell(const struct sweep *sweep, const struct knee *knee);

/* knee_load returns the load of a step: connections, or requests per second. */
double knee_load(const struct row *row);

/* knee_throughput returns the good answers of a step (complete, not failed, 2xx) per second. */
double knee_throughput(const struct row *row);

/* knee_end_name: "flat", "broken", "limit", "interrupted", as the JSON says how the climb ended. */
const char *knee_end_name(const struct knee *knee);

/* knee_describe writes what was found, in one to three sentences, in KNEE_TEXT_MAX bytes. */
void knee_describe(const struct sweep *sweep, const struct knee *knee, char *text);

#endif
