/* Child processes: each in its own group, its output kept in memory, ended and reaped whatever happens. */
#ifndef EXPERIMENTS_PROCESS_H
#define EXPERIMENTS_PROCESS_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/compiler.h"
#include "experiments/keeper.h"
#include "experiments/text.h"

struct process {
	pid_t pid;          /* and its process group; 0: none */
	int output, errors; /* memory files of its output and error, the same when joined; -1: none */
	bool running;       /* the process itself has not ended yet */
	int status;         /* as waitpid(2) gives it, once it has */
};

/*
 * process_spawn starts ARGV[0] (a path) with standard input from /dev/null, on
 * CPUS (NULL: any), and waits until it runs.  Its output goes to memory; errors are kept apart
 * when APART is set.  When the lab dies the process gets SIGKILL, and its
 * group too, through KEEPER.  Returns 0 or -errno of what failed, execve too.
 */
MUST_CHECK int process_spawn(
    struct process *process, const struct keeper *keeper, char *const *argv, const cpu_set_t *cpus, bool apart);

/*
 * process_reap_next reaps one child that has ended, and stores its status.
 * What is left of its group is killed first, while its process id still belongs to it.  Returns its
 * id, or 0 when no child has ended.  Orphans that the lab adopted (process_adopt) come too.
 */
pid_t process_reap_next(int *status);

/* process_ended stores what process_reap_next returned. */
void process_ended(struct process *process, int status);

/* process_signal sends SIGNAL to the process alone; process_kill kills its whole group. */
void process_signal(const struct process *process, int signal);
void process_kill(const struct process *process);

/* process_is_gone tells whether the process was reaped and its group is empty. */
bool process_is_gone(const struct process *process);

/* process_close forgets a process that is gone: KEEPER is told, its output is freed. */
void process_close(struct process *process, const struct keeper *keeper);

/* process_read reads what the process has written so far, at most MAX bytes of its end, from OUTPUT or ERRORS. */
void process_read(int memory, struct text *text, size_t max);

/*
 * process_last_lines writes the last lines (at most three) that it wrote to
 * ERRORS on one line, " | " between them, unprintable characters replaced.
 * Returns LINES.
 */
const char *process_last_lines(int memory, char *lines, size_t size);

/* process_describe writes how it ended: "ended with status 1", "was killed by signal 11 (Segmentation fault)". */
const char *process_describe(const struct process *process, char *how, size_t size);

/*
 * process_run runs ARGV[0] to its end, at most until SECONDS have passed (it
 * is killed then), with INPUT (NULL: none) as its standard input.  Its standard output
 * goes to OUTPUT, its error to ERRORS; either may be NULL.  Returns its exit status, or -errno, or
 * -ETIMEDOUT, or -EINTR when a signal ended it.
 */
int process_run(const struct keeper *keeper, char *const *argv, const struct text *input, struct text *output,
    struct text *errors, double seconds);

/* process_adopt makes orphans of our children ours, so that they can be reaped.  Returns 0 or -errno. */
MUST_CHECK int process_adopt(void);

/* process_sweep kills and reaps every child that is left but the keeper: what left its group, and then its parent. */
void process_sweep(const struct keeper *keeper);

#endif
