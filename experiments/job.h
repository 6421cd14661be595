/* A job: one server, started, asked whether it is ready, loaded cell by cell, and stopped. */
#ifndef EXPERIMENTS_JOB_H
#define EXPERIMENTS_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/compiler.h"
#include "experiments/cpus.h"
#include "experiments/plan.h"
#include "experiments/process.h"
#include "experiments/ready.h"

enum job_state {
	JOB_QUEUED,   /* nothing started */
	JOB_STARTING, /* the server runs, and is asked whether it is ready */
	JOB_IDLE,     /* ready; the next cell waits for its turn */
	JOB_LOADING,  /* loadgen runs */
	JOB_FINISHED, /* every cell has its result; the server still runs, and waits for a turn to be stopped */
	JOB_STOPPING, /* SIGTERM was sent, and SIGKILL at the deadline */
	JOB_DONE,     /* nothing of it is left */
};

/* What all jobs of a run share. */
struct job_world {
	const struct keeper *keeper;
	const char *bin;     /* the folder of our programs */
	const char *loadgen; /* path of the program */
	struct cpus cpus;
};

struct job {
	enum job_state state;
	struct cell *cells[VALUES_MAX]; /* of one server, measured in this order */
	size_t cell_count;
	size_t next_cell;  /* those before it have their results */
	size_t told;       /* those before it were told to the run (scheduler.h) */
	bool quiet;        /* its cells are short: nothing may start or stop while one is measured */
	double expected_s; /* of all its cells */
	int port;
	struct process server, load;
	struct ready ready;
	uint64_t state_since_ns;
	uint64_t deadline_ns; /* of the present state */
};

/* job_plan makes the jobs of PLAN's cells that have no result yet; the caller frees the array. Longest first. */
struct job *job_plan(struct plan *plan, size_t *count);

/*
 * job_start starts the server.  A failure is the cells' result; the job is
 * then JOB_DONE or on its way there.
 */
void job_start(struct job *job, const struct job_world *world);

/* job_load starts loadgen for the next cell of an idle job. job_stop stops the server of a finished one. */
void job_load(struct job *job, const struct job_world *world);
void job_stop(struct job *job);

/*
 * job_go_on does what can be done without waiting in the present state: asks
 * whether the server is ready, takes loadgen's result, keeps deadlines.
 */
void job_go_on(struct job *job, const struct job_world *world);

/* job_child_ended tells the job that child PID ended; false when it is none of its children. */
bool job_child_ended(struct job *job, pid_t pid, int status);

/*
 * job_abort ends it now: no further results.  HARD kills at once, else the server may stop by
 * itself for a short time.
 */
void job_abort(struct job *job, bool hard);

/* job_due_ns returns when job_go_on wants to be called at the latest; UINT64_MAX when only a child's end can matter. */
uint64_t job_due_ns(const struct job *job);

/* job_is_active: something of it runs. */
bool job_is_active(const struct job *job);

#endif
