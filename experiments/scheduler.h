/* Runs the jobs of a plan, several at a time, from one thread with one poll(2). */
#ifndef EXPERIMENTS_SCHEDULER_H
#define EXPERIMENTS_SCHEDULER_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"
#include "experiments/job.h"
#include "experiments/plan.h"

#define SCHEDULER_JOBS_MAX 64

/*
 * Long cells (sleeping servers that answer one request after another) run side
 * by side, for they cost no CPU to speak of and run for seconds.  Short cells run one after
 * another, and only while no process starts or stops: a few milliseconds of somebody else's start
 * would be a percent of theirs.
 */
struct scheduler {
	struct job *jobs;
	size_t job_count;
	size_t at_once; /* jobs that may be active at the same time */
	struct job_world world;
	bool interrupted;       /* SIGINT, SIGTERM or SIGHUP came */
	uint64_t calm_since_ns; /* the last time that a server was started, got ready, or was gone */
	/* on_cell is told each cell that has got its result; on_tick, several times a second, that time goes by. */
	void (*on_cell)(void *context, const struct cell *cell);
	void (*on_tick)(void *context, const struct scheduler *scheduler);
	void *context;
};

/* The signals that scheduler_run listens to through a signalfd: block them before the first child is started. */
void scheduler_signals(sigset_t *signals);

/*
 * scheduler_run runs all jobs to their end, or, on a signal, until everything
 * is stopped (a second signal kills at once).  Returns 0, -EINTR after a signal, or -errno when it
 * could not start; in each case no job runs any more.
 */
MUST_CHECK int scheduler_run(struct scheduler *scheduler);

/* scheduler_time_left_s estimates the seconds to the end. */
double scheduler_time_left_s(const struct scheduler *scheduler);

/* scheduler_jobs_default returns how many jobs to run at once on this machine: four a CPU, at least 4, at most 16. */
size_t scheduler_jobs_default(void);

#endif
