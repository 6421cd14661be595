/* Runs one cell: its threads, their start and end, signals meanwhile, and one result out of all. */
#ifndef LOADGEN_RUNNER_H
#define LOADGEN_RUNNER_H

#include "common/compiler.h"
#include "loadgen/cell.h"
#include "loadgen/progress.h"

/*
 * runner_run performs CELL, over TLS (NULL where no target wants it), and fills RESULT, which the caller passes to
 * runner_free.  Interruption (interrupt.h) ends it early.  Returns 0, whatever the requests came to, or -errno when
 * the load could not even start.
 */
MUST_CHECK int runner_run(
    const struct cell *cell, struct tls_context *tls, struct progress *progress, struct result *result);
void runner_free(struct result *result);

#endif
