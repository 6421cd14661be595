/* What is looked at before anything starts: requirements, programs, ports. */
#ifndef EXPERIMENTS_CHECK_H
#define EXPERIMENTS_CHECK_H

#include <stdbool.h>

#include "common/compiler.h"
#include "experiments/keeper.h"
#include "experiments/plan.h"

#define CHECK_ERROR_MAX 1024

/*
 * check_requirements marks the cells of servers whose requirements are
 * missing as skipped, and says so on standard error with the names of the packages.  An
 * experiment of whose requiring servers all are missing is skipped as a whole: without them it would
 * be another one.
 */
void check_requirements(struct plan *plan, const struct keeper *keeper, const char *bin);

/*
 * check_world looks for loadgen (its path is stored, for the caller to free),
 * gnuplot when PLOTS is set, the program of each server that is not skipped, and whether the ports that definitions
 * name are free.  Returns 0, or -ENOENT or -EADDRINUSE with a sentence in ERROR.
 */
MUST_CHECK int check_world(const struct plan *plan, const char *bin, bool plots, char **loadgen, char *error);

#endif
