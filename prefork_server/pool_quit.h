/* The last moment of a gthread worker that ends without waiting: what was served is logged, what hangs is named. */
#ifndef PREFORK_SERVER_POOL_QUIT_H
#define PREFORK_SERVER_POOL_QUIT_H

#include "common/compiler.h"
#include "prefork_server/pool.h"

/* How long the threads have for it. (gunicorn's ThreadWorker waits as long, for no reason that it gives.) */
#define POOL_QUIT_MS 100

/* pool_quit_prepare lets threads be called while they wait, for pool_quit. Returns 0 or -errno. */
MUST_CHECK int pool_quit_prepare(void);

/*
 * pool_quit is for the main thread, when INT, QUIT or ABRT (SIGNAL) has come:
 * threads end what they are at, if that takes POOL_QUIT_MS at most, begin nothing more, and write
 * their access logs.  At ABRT those in the middle of a longer request do as
 * exchange_abort says.  Afterwards the process can only end.
 */
void pool_quit(struct pool *pool, int signal);

/* pool_quit_mine makes THREAD the one that is called in the calling thread. */
void pool_quit_mine(struct pool_thread *thread);

/* pool_quit_here is where a thread goes when it sees pool->quitting, between two events. */
_Noreturn void pool_quit_here(struct pool_thread *thread);

#endif
