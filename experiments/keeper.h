/* The keeper: a small process that outlives the lab for a moment, and ends what the lab could not end itself. */
#ifndef EXPERIMENTS_KEEPER_H
#define EXPERIMENTS_KEEPER_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/compiler.h"

/*
 * The lab tells the keeper each process group that it starts and each that
 * is gone.  When the lab is gone, however it went, the keeper kills the
 * groups that are left, and ends.  So even SIGKILL to the lab leaves no server behind.
 */
struct keeper {
	pid_t pid; /* 0: not running */
	int pipe;  /* the lab's end; the keeper sees its end of file when the lab is gone */
};

/* keeper_start forks the keeper.  Returns 0 or -errno. */
MUST_CHECK int keeper_start(struct keeper *keeper);

/*
 * keeper_note tells it that the process group GROUP starts (ALIVE), or is gone.  Async-signal-
 * safe: a forked child calls it.
 */
void keeper_note(const struct keeper *keeper, pid_t group, bool alive);

/* keeper_stop ends and reaps it. */
void keeper_stop(struct keeper *keeper);

#endif
