/* Blocking sleeps on a pool of threads: what aiohttp's run_in_executor(None, time.sleep, S) does. */
#ifndef ASYNC_SERVER_POOL_H
#define ASYNC_SERVER_POOL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "common/compiler.h"

struct pool_job;
typedef void pool_fn(struct pool_job *job);

/* One sleep; it lies inside what waits for it, and must stay there until `done` is called. */
struct pool_job {
	struct pool_job *next;
	uint64_t sleep_ns;
	pool_fn *done;
	bool cancelled;
};

/* First in, first out. */
struct pool_list {
	struct pool_job *first;
	struct pool_job **end;
};

/*
 * As Python's ThreadPoolExecutor: a thread is begun when a job comes and all
 * others are busy, up to the limit, and then stays.  libuv's own pool is not
 * used because it aborts the process where a thread cannot be begun, and
 * because a sleep there cannot be ended.
 */
struct pool {
	pthread_mutex_t lock;     /* of all but `async` and `threads_max` */
	pthread_cond_t queued;    /* a job came, or the end */
	pthread_cond_t cancelled; /* a job was cancelled */
	struct pool_list queue;   /* not begun */
	struct pool_list done;    /* over, and their owners not told yet */
	size_t waiting;           /* jobs in the queue */
	size_t idle;              /* threads that wait for one */
	pthread_t *threads;
	size_t threads_count;
	size_t threads_max;
	bool ending;
	uv_async_t async; /* tells the loop that `done` is not empty */
};

/*
 * pool_init prepares a pool of at most THREADS_MAX threads for LOOP; none is
 * begun yet, and it does not keep the loop alive.  Returns 0 or -errno.
 */
MUST_CHECK int pool_init(struct pool *pool, uv_loop_t *loop, size_t threads_max);

/*
 * pool_sleep queues JOB: once a thread is free it sleeps SLEEP_NS there, and
 * then DONE is called in the loop's thread.  O(1).  Returns 0, or -errno when
 * there is no thread and none can be begun.
 */
MUST_CHECK int pool_sleep(struct pool *pool, struct pool_job *job, uint64_t sleep_ns, pool_fn *done);

/* pool_cancel ends JOB's sleep, begun or not: DONE is called as soon as a thread gets to it. */
void pool_cancel(struct pool *pool, struct pool_job *job);

/* pool_end ends the threads and closes the pool, in the loop's thread. No job may be left; the loop then closes the rest. */
void pool_end(struct pool *pool);

#endif
