/* lab run: from names on the command line to a report. */
#ifndef EXPERIMENTS_RUN_H
#define EXPERIMENTS_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct run_options {
	int64_t jobs;        /* 0: scheduler_jobs_default */
	const char *results; /* the folder of results */
	bool no_plots;
	bool quiet;
	const char *command; /* as it was typed, for the record */
};

/* Exit statuses of the lab. */
enum {
	EXIT_OK = 0,
	EXIT_WORLD = 1,  /* a server that does not start, a missing program, a full disk; a cell that failed */
	EXIT_CALLER = 2, /* what was asked for makes no sense */
	EXIT_INTERRUPTED = 130,
};

/*
 * run_experiments measures the COUNT experiments WHAT (names, files, or "all"),
 * stores and reports them.  It returns the lab's exit status, and prints one line on
 * standard error for what went wrong.  When it returns no process that it started is left.
 */
int run_experiments(const struct run_options *options, char *const *what, size_t count);

#endif
