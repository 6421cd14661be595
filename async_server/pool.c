/* Blocking sleeps on libuv's thread pool: what aiohttp's run_in_executor(None, time.sleep, S) does. */
#include "async_server/pool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"

int
pool_configure(int threads)
{
	char text[16];

	/* libuv reads its only setting for this from the environment, at the first job. */
	snprintf(text, sizeof(text), "%d", threads);
	return setenv("UV_THREADPOOL_SIZE", text, 1) == 0 ? 0 : -errno;
}

/* In a thread of the pool. The sleep begins when the thread does, however long the job had to wait for it. */
static void
on_work(uv_work_t *work)
{
	struct pool_job *job = work->data;

	clock_sleep_until_ns(clock_now_ns() + job->sleep_ns);
}

static void
on_worked(uv_work_t *work, int status)
{
	struct pool_job *job = work->data;

	(void)status; /* a cancelled job ends like any other: its owner knows why */
	job->done(job);
}

int
pool_sleep(uv_loop_t *loop, struct pool_job *job, uint64_t sleep_ns, pool_fn *done)
{
	job->work.data = job;
	job->sleep_ns = sleep_ns;
	job->done = done;
	return uv_queue_work(loop, &job->work, on_work, on_worked);
}

void
pool_cancel(struct pool_job *job)
{
	(void)uv_cancel((uv_req_t *)&job->work);
}
