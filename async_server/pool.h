/* Work on a pool of threads, computing and then sleeping: what aiohttp's run_in_executor(None, time.sleep, S) does. */
#ifndef ASYNC_SERVER_POOL_H
#define ASYNC_SERVER_POOL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "common/compiler.h"

struct pool_job;
typedef void pool_fn(struct pool_job *job);

enum pool_job_state {
	POOL_JOB_WAITING, /* for a thread, in the queue */
	POOL_JOB_BEGUN,   /* a thread has it */
	POOL_JOB_OVER,    /* its owner is told next */
};

/* One job; it lies inside what waits for it, and must stay there until `done` is called. */
struct pool_job {
	struct pool_job *next;  /* in the list that it is in */
	struct pool_job **link; /* what points to it there */
	uint64_t cpu_ns;
	uint64_t sleep_ns;
	pool_fn *done;
	struct pool_thread *thread; /* that has it */
	enum pool_job_state state;
	atomic_bool cancelled;
};

/* First in, first out. */
struct pool_list {
	struct pool_job *first;
	struct pool_job **end;
};

/* Each thread sleeps on a condition of its own, so that ending one sleep wakes no other thread. */
struct pool_thread {
	struct pool *pool;
	pthread_t id;
	pthread_cond_t cancelled;
};

/*
 * As Python's ThreadPoolExecutor: a thread is begun when a job comes and all
 * others are busy, up to the limit, and then stays.  Python's queue has no
 * limit; this one has.  libuv's own pool is not used because it aborts the
 * process where a thread cannot be begun, and because a sleep there cannot be
 * ended.
 */
struct pool {
	pthread_mutex_t lock;   /* of all but `async`, `threads_max` and `queue_max` */
	pthread_cond_t queued;  /* a job came, or the end */
	struct pool_list queue; /* not begun */
	struct pool_list done;  /* over, and their owners not told yet */
	size_t free;            /* threads without a job: they wait for one, or are only just begun */
	atomic_size_t waiting;  /* jobs in the queue; written under the lock, read by anybody */
	atomic_size_t busy;     /* jobs that threads have; the same */
	uint64_t waiting_ns;    /* what the jobs in the queue take together */
	uint64_t busy_due_ns;   /* the sum (modulo 2^64) of the moments at which the jobs of threads should be over */
	struct pool_thread *threads;
	size_t threads_count;
	size_t threads_max;
	size_t queue_max;
	bool ending;
	uv_async_t async; /* tells the loop that `done` is not empty */
};

/*
 * pool_init prepares a pool of at most THREADS_MAX threads (from 1) for LOOP,
 * whose queue has room for QUEUE_MAX jobs; none is begun yet, and it does not
 * keep the loop alive.  POOL is all zero; others may ask for its numbers already.
 * Returns 0 or -errno.
 */
MUST_CHECK int pool_init(struct pool *pool, uv_loop_t *loop, size_t threads_max, size_t queue_max);

/*
 * pool_run gives JOB to the pool: once a thread is free it computes for CPU_NS
 * of processor time there, then sleeps SLEEP_NS, and then DONE is called in
 * the loop's thread.  Where CPU_NS is not 0, cpu_work must be calibrated.
 * O(1).  Returns 0; -EAGAIN when QUEUE_MAX jobs already wait for a busy thread
 * (one that a free thread is about to take does not count, so that QUEUE_MAX 0
 * still lets every thread work); -ENOMEM when there is no thread and none can
 * be begun.
 */
MUST_CHECK int pool_run(struct pool *pool, struct pool_job *job, uint64_t cpu_ns, uint64_t sleep_ns, pool_fn *done);

/*
 * pool_cancel ends JOB: one that waits leaves the queue, one that computes or
 * sleeps stops.  DONE is called all the same, a little later and never from
 * here.  In the loop's thread, before DONE was called.  O(1).
 */
void pool_cancel(struct pool *pool, struct pool_job *job);

/*
 * pool_wait_estimate_ns tells how long a job that comes now would wait for a
 * thread, if no job is cancelled and all threads get the processors they need:
 * what is left to do, shared among the threads.  0 when one is free.  O(1).
 */
uint64_t pool_wait_estimate_ns(struct pool *pool);

/* pool_waiting and pool_busy count jobs without a thread and with one. Any thread may ask; each is right by itself. */
size_t pool_waiting(struct pool *pool);
size_t pool_busy(struct pool *pool);

/* pool_end ends the threads and closes the pool, in the loop's thread. No job may be left; the loop then closes the rest. */
void pool_end(struct pool *pool);

#endif
