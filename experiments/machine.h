/* The facts that stand beside the numbers: machine, limits, versions, revision (measuring without them says little). */
#ifndef EXPERIMENTS_MACHINE_H
#define EXPERIMENTS_MACHINE_H

#include <stddef.h>

#include "experiments/keeper.h"
#include "experiments/plan.h"

#define FACTS_MAX 24

struct fact {
	char *name;  /* "kernel" */
	char *value; /* "Linux 6.1.0 x86_64" */
};

struct facts {
	struct fact at[FACTS_MAX];
	size_t count;
};

/* facts_add adds copies of NAME and VALUE; what is beyond FACTS_MAX is dropped. */
void facts_add(struct facts *facts, const char *name, const char *value);

/* facts_find returns the value of the fact NAME, or NULL. */
const char *facts_find(const struct facts *facts, const char *name);
void facts_deinit(struct facts *facts);

/*
 * machine_facts gathers what can be known here; what cannot is left out.  It
 * runs git in FOLDER (where the experiments lie) for the revision, and dpkg-query for the versions of the
 * packages that PLAN's servers require, each with a short deadline.
 */
void machine_facts(struct facts *facts, const struct keeper *keeper, const char *folder, const struct plan *plan);

#endif
