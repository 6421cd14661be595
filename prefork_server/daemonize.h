/* --daemon: the server goes on in the background, and whoever started it hears whether it could. */
#ifndef PREFORK_SERVER_DAEMONIZE_H
#define PREFORK_SERVER_DAEMONIZE_H

#include "common/compiler.h"

/*
 * daemonize_begin forks twice and begins a session in between, so that the
 * process has no terminal and can get none.  It returns in the grandchild: 0,
 * and the end of a pipe in *TELL_FD.  The caller's process stays until daemonize_tell, so
 * that start-up can complain where it is seen, and exits with what it is told; with 1 where
 * nothing comes.  The umask is 022 from then on.  Returns -errno, in the caller's process, where it could not begin.
 */
MUST_CHECK int daemonize_begin(int *tell_fd);

/*
 * daemonize_tell ends the start with the exit STATUS that the first process
 * has; 0: the server runs, and this one's standard input, output and error are /dev/null from now on.
 */
void daemonize_tell(int tell_fd, int status);

#endif
