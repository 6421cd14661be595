/* SIGUSR2: a second arbiter, perhaps of a newer program, starts beside this one and on the same sockets. */
#ifndef PREFORK_SERVER_UPGRADE_H
#define PREFORK_SERVER_UPGRADE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/compiler.h"
#include "prefork_server/listeners.h"

/*
 * As in gunicorn (Arbiter.reexec): the new one is a child that executes the
 * same command line in the directory where the old one was started, with
 * GUNICORN_PID, the old one's pid, and GUNICORN_FD, the numbers of the
 * listening sockets with commas, in its environment.  Both serve until the old one is told to stop; then the
 * new one finds that its parent is gone, and is the master.  Ours besides:
 * LOOPFORK_ADMIN_FD is the admin address's socket.
 */
struct upgrade {
	char **argv;     /* as started; the strings are the process's own */
	char *directory; /* where it was started, by the name that it was entered by; NULL: unknown */
	pid_t child;     /* the arbiter that this one has started; 0: none (gunicorn: reexec_pid) */
	pid_t parent;    /* the one that has started this one and lives still; 0: none (gunicorn: master_pid) */
};

/*
 * upgrade_init remembers how the process was started, and whether by another
 * arbiter: before ARGV is parsed, which may reorder it.  Returns 0, or -errno:
 * -EINVAL for a GUNICORN_PID that is no pid, -ENOMEM.
 */
MUST_CHECK int upgrade_init(struct upgrade *upgrade, char **argv);
void upgrade_deinit(struct upgrade *upgrade);

/*
 * upgrade_inherit takes over what the parent hands on: LISTENERS, and the socket of
 * its admin address into *ADMIN_FD, -1 where it has none.  The environment is
 * not trusted: each must be a stream socket that listens.  The variables are
 * unset.  Returns 0, or -EINVAL or -errno with a sentence in ERROR, and then nothing was taken.
 */
MUST_CHECK int upgrade_inherit(
    struct upgrade *upgrade, struct listeners *listeners, int *admin_fd, char *error, size_t error_size);

/*
 * upgrade_start starts the next arbiter and gives it LISTENERS and, unless it is
 * -1, ADMIN_FD.  What goes wrong after fork the child says in the log, and ends.  Returns 0 or -errno.
 */
MUST_CHECK int upgrade_start(struct upgrade *upgrade, const struct listeners *listeners, int admin_fd);

/*
 * upgrade_reaped is told that child PID ended, with STATUS as waitpid has it.  Returns whether it was
 * the next arbiter: then it has logged how that ended, and this one goes on alone.
 */
bool upgrade_reaped(struct upgrade *upgrade, pid_t pid, int status);

/* upgrade_promoted tells, once, that the parent is gone. */
bool upgrade_promoted(struct upgrade *upgrade);

/* upgrade_is_under_way tells whether another arbiter serves the same sockets. */
bool upgrade_is_under_way(const struct upgrade *upgrade);

#endif
