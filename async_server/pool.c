/* Blocking sleeps on a pool of threads: what aiohttp's run_in_executor(None, time.sleep, S) does. */
#include "async_server/pool.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "common/clock.h"

/* Enough for a thread that only sleeps: a thousand of them should not take a thousand times 8 MiB. */
#define STACK_BYTES (256 * 1024)

static void
list_init(struct pool_list *list)
{
	list->first = NULL;
	list->end = &list->first;
}

static void
list_push(struct pool_list *list, struct pool_job *job)
{
	job->next = NULL;
	*list->end = job;
	list->end = &job->next;
}

static struct pool_job *
list_pop(struct pool_list *list)
{
	struct pool_job *job = list->first;

	list->first = job->next;
	if (list->first == NULL)
		list->end = &list->first;
	return job;
}

/* sleep_until blocks the thread; the lock, which the caller holds, is free meanwhile. */
static void
sleep_until(struct pool *pool, const struct pool_job *job, uint64_t due_ns)
{
	struct timespec due = {
	    .tv_sec = (time_t)(due_ns / NS_PER_SEC),
	    .tv_nsec = (long)(due_ns % NS_PER_SEC),
	};

	while (!job->cancelled && clock_now_ns() < due_ns)
		pthread_cond_timedwait(&pool->cancelled, &pool->lock, &due);
}

static void *
run_thread(void *argument)
{
	struct pool *pool = argument;

	pthread_mutex_lock(&pool->lock);
	for (;;) {
		struct pool_job *job;

		pool->idle++;
		while (pool->queue.first == NULL && !pool->ending)
			pthread_cond_wait(&pool->queued, &pool->lock);
		pool->idle--;
		if (pool->queue.first == NULL)
			break;
		job = list_pop(&pool->queue);
		pool->waiting--;
		/* The sleep begins now, however long the job had to wait for a thread. */
		sleep_until(pool, job, clock_now_ns() + job->sleep_ns);
		list_push(&pool->done, job);
		uv_async_send(&pool->async);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

/* on_done tells the owners, in the loop's thread. */
static void
on_done(uv_async_t *async)
{
	struct pool *pool = async->data;

	pthread_mutex_lock(&pool->lock);
	while (pool->done.first != NULL) {
		struct pool_job *job = list_pop(&pool->done);

		/* The owner may queue another job. */
		pthread_mutex_unlock(&pool->lock);
		job->done(job);
		pthread_mutex_lock(&pool->lock);
	}
	pthread_mutex_unlock(&pool->lock);
}

int
pool_init(struct pool *pool, uv_loop_t *loop, size_t threads_max)
{
	pthread_condattr_t monotonic;
	int error;

	*pool = (struct pool){.threads_max = threads_max};
	list_init(&pool->queue);
	list_init(&pool->done);
	pool->threads = calloc(threads_max, sizeof(*pool->threads));
	if (pool->threads == NULL)
		return -ENOMEM;
	error = uv_async_init(loop, &pool->async, on_done);
	if (error != 0) {
		free(pool->threads);
		return error;
	}
	pool->async.data = pool;
	uv_unref((uv_handle_t *)&pool->async);
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->queued, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&pool->cancelled, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return 0;
}

/* begin_thread adds a thread; the caller holds the lock. */
static int
begin_thread(struct pool *pool)
{
	pthread_attr_t attributes;
	int error;

	error = pthread_attr_init(&attributes);
	if (error != 0)
		return -error;
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	error = pthread_create(&pool->threads[pool->threads_count], &attributes, run_thread, pool);
	pthread_attr_destroy(&attributes);
	if (error == 0)
		pool->threads_count++;
	return -error;
}

int
pool_sleep(struct pool *pool, struct pool_job *job, uint64_t sleep_ns, pool_fn *done)
{
	int error = 0;

	*job = (struct pool_job){.sleep_ns = sleep_ns, .done = done};
	pthread_mutex_lock(&pool->lock);
	if (pool->waiting >= pool->idle && pool->threads_count < pool->threads_max)
		error = begin_thread(pool);
	/* Where there are some threads, the job waits for one of them. */
	if (pool->threads_count > 0) {
		error = 0;
		list_push(&pool->queue, job);
		pool->waiting++;
		pthread_cond_signal(&pool->queued);
	}
	pthread_mutex_unlock(&pool->lock);
	return error;
}

void
pool_cancel(struct pool *pool, struct pool_job *job)
{
	pthread_mutex_lock(&pool->lock);
	job->cancelled = true;
	pthread_cond_broadcast(&pool->cancelled);
	pthread_mutex_unlock(&pool->lock);
}

void
pool_end(struct pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	assert(pool->queue.first == NULL && pool->done.first == NULL);
	pool->ending = true;
	pthread_cond_broadcast(&pool->queued);
	pthread_mutex_unlock(&pool->lock);
	for (size_t i = 0; i < pool->threads_count; i++)
		pthread_join(pool->threads[i], NULL);
	free(pool->threads);
	pthread_cond_destroy(&pool->queued);
	pthread_cond_destroy(&pool->cancelled);
	pthread_mutex_destroy(&pool->lock);
	uv_close((uv_handle_t *)&pool->async, NULL);
}
