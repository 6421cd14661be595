/* A thread of a gthread worker: waits with the others, serves what it gets, and waits again. */
#ifndef PREFORK_SERVER_POOL_THREAD_H
#define PREFORK_SERVER_POOL_THREAD_H

#include "common/compiler.h"
#include "prefork_server/pool.h"

/* pool_thread_init makes the NUMBER-th thread of POOL ready to start. Returns 0 or -ENOMEM. pool_thread_deinit frees what it has. */
MUST_CHECK int pool_thread_init(struct pool_thread *thread, struct pool *pool, unsigned number);
void pool_thread_deinit(struct pool_thread *thread);

/* pool_thread_main is for pthread_create. */
void *pool_thread_main(void *thread);

/*
 * pool_thread_see is the part of worker *SEEN that differs from thread to thread: NUMBER's lane, and a further
 * writer of the access log.  Returns 0 or -ENOMEM.
 */
MUST_CHECK int pool_thread_see(struct worker *seen, const struct worker *worker, unsigned number);

#endif
