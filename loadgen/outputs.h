/* The files of a run: whether they can be written is found out before it. */
#ifndef LOADGEN_OUTPUTS_H
#define LOADGEN_OUTPUTS_H

#include <stdbool.h>

#include "common/compiler.h"
#include "loadgen/sweep.h"

/*
 * outputs_check finds out before the run whether the files can be
 * written, and the plot drawn.  Returns false after saying which one cannot.
 */
MUST_CHECK bool outputs_check(const struct config *config);

/* outputs_write writes all files that were asked for. Returns false after saying which could not be written. */
MUST_CHECK bool outputs_write(const struct sweep *sweep);

#endif
