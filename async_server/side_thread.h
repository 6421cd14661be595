/* A thread beside the loop that does not slow down the loop's system calls. */
#ifndef ASYNC_SERVER_SIDE_THREAD_H
#define ASYNC_SERVER_SIDE_THREAD_H

#include <pthread.h>
#include <stdbool.h>

#include "common/compiler.h"

/*
 * side_thread_start runs RUN(ARGUMENT) in a thread with a table of file
 * descriptors of its own, a copy of the present one: where threads share a
 * table, Linux counts each use of a descriptor with locked instructions, which
 * costs the loop 2% of its time.  The thread sees the descriptors that are
 * open now under their present numbers, and none that is opened or closed
 * later; it keeps open what it has, so it is to be started before the
 * listening socket is opened.  Where the system forbids it (a sandbox), the
 * table stays shared: what one closes is closed for all.
 *
 * Returns 0, once the thread has its table, or -errno.
 */
MUST_CHECK int side_thread_start(pthread_t *thread, void *(*run)(void *argument), void *argument);

/* side_thread_has_own_files tells whether the thread that asks is one of those, and got its table. */
bool side_thread_has_own_files(void);

#endif
