/* Blocking sleeps on libuv's thread pool: what aiohttp's run_in_executor(None, time.sleep, S) does. */
#ifndef ASYNC_SERVER_POOL_H
#define ASYNC_SERVER_POOL_H

#include <stdint.h>
#include <uv.h>

#include "common/compiler.h"

struct pool_job;
typedef void pool_fn(struct pool_job *job);

/* One sleep; it lies inside what waits for it, and must stay there until `done` was called. */
struct pool_job {
	uv_work_t work;
	uint64_t sleep_ns;
	pool_fn *done;
};

/* pool_configure sets the number of threads (1 to 1024); call it before the first pool_sleep and before any thread. */
MUST_CHECK int pool_configure(int threads);

/*
 * pool_sleep queues JOB: once a thread is free it sleeps SLEEP_NS there, and
 * then DONE is called in LOOP's thread.  O(1).  Returns 0 or -errno.
 */
MUST_CHECK int pool_sleep(uv_loop_t *loop, struct pool_job *job, uint64_t sleep_ns, pool_fn *done);

/* pool_cancel ends a job that no thread has begun: DONE is called soon. A sleep that has begun goes on. */
void pool_cancel(struct pool_job *job);

#endif
