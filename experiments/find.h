/* Where things are: the programs beside the lab's own, and the experiments. */
#ifndef EXPERIMENTS_FIND_H
#define EXPERIMENTS_FIND_H

#include <stddef.h>

#include "common/compiler.h"
#include "experiments/definition.h"
#include "experiments/plan.h"

/* find_bin returns the folder of the lab's own program, which the caller frees. */
char *find_bin(void);

/*
 * find_experiments returns the folder of the shipped experiments, which the
 * caller frees: $LOOPFORK_EXPERIMENTS; else, seen from BIN, ../../../experiments
 * (a build in the tree), ../share/loopfork/experiments (installed); else
 * experiments in the working folder.  NULL when there is none.
 */
char *find_experiments(const char *bin);

/*
 * find_names lists the experiments in FOLDER, sorted.  Returns an array of
 * *COUNT names, each of which, and itself, the caller frees.
 */
char **find_names(const char *folder, size_t *count);

/*
 * find_definition loads the experiment that WHAT names: a file when it has a
 * slash or ends with .ini, else FOLDER/WHAT.ini.  Returns as definition_load; an unknown name is -ENOENT
 * with the known ones in ERROR.
 */
MUST_CHECK int find_definition(struct experiment *experiment, const char *folder, const char *what, char *error);

/* find_lender is a plan_find_fn: beside the file that has the `from`, else in the folder CONTEXT. */
plan_find_fn find_lender;

#endif
