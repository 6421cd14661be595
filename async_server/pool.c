/* Work on a pool of threads, computing and then sleeping: what aiohttp's run_in_executor(None, time.sleep, S) does. */
#include "async_server/pool.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "common/clock.h"
#include "common/cpu_work.h"

/* Enough for a thread that computes and sleeps: a thousand of them should not take a thousand times 8 MiB. */
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
	job->link = list->end;
	*list->end = job;
	list->end = &job->next;
}

static void
list_remove(struct pool_list *list, struct pool_job *job)
{
	*job->link = job->next;
	if (job->next != NULL)
		job->next->link = job->link;
	else
		list->end = job->link;
}

/* leave_queue takes JOB out of the queue; the caller holds the lock, here and below. */
static void
leave_queue(struct pool *pool, struct pool_job *job)
{
	list_remove(&pool->queue, job);
	pool->waiting--;
	pool->waiting_ns -= job->cpu_ns + job->sleep_ns;
}

/* tell hands JOB, which is over, to the loop. */
static void
tell(struct pool *pool, struct pool_job *job)
{
	job->state = POOL_JOB_OVER;
	job->thread = NULL;
	list_push(&pool->done, job);
	uv_async_send(&pool->async);
}

/* compute works for the thread's job; the lock is free meanwhile. */
static void
compute(struct pool *pool, const struct pool_job *job)
{
	pthread_mutex_unlock(&pool->lock);
	(void)cpu_work_run(cpu_work_units(job->cpu_ns), &job->cancelled);
	pthread_mutex_lock(&pool->lock);
}

/* sleep_until blocks the thread; the lock is free meanwhile. */
static void
sleep_until(struct pool_thread *thread, const struct pool_job *job, uint64_t due_ns)
{
	struct timespec due = {
	    .tv_sec = (time_t)(due_ns / NS_PER_SEC),
	    .tv_nsec = (long)(due_ns % NS_PER_SEC),
	};

	while (!job->cancelled && clock_now_ns() < due_ns)
		pthread_cond_timedwait(&thread->cancelled, &thread->pool->lock, &due);
}

/* work does JOB, whose time begins now, however long it had to wait for a thread. */
static void
work(struct pool_thread *thread, struct pool_job *job)
{
	struct pool *pool = thread->pool;
	uint64_t due_ns = clock_now_ns() + job->cpu_ns + job->sleep_ns;

	job->state = POOL_JOB_BEGUN;
	job->thread = thread;
	pool->busy++;
	pool->busy_due_ns += due_ns;
	if (job->cpu_ns > 0)
		compute(pool, job);
	sleep_until(thread, job, clock_now_ns() + job->sleep_ns);
	pool->busy_due_ns -= due_ns;
	pool->busy--;
}

static void *
run_thread(void *argument)
{
	struct pool_thread *thread = argument;
	struct pool *pool = thread->pool;

	/* It counts as free from the moment it was begun. */
	pthread_mutex_lock(&pool->lock);
	for (;;) {
		struct pool_job *job;

		while (pool->queue.first == NULL && !pool->ending)
			pthread_cond_wait(&pool->queued, &pool->lock);
		if (pool->queue.first == NULL)
			break;
		job = pool->queue.first;
		leave_queue(pool, job);
		pool->free--;
		work(thread, job);
		pool->free++;
		tell(pool, job);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

/*
 * on_done tells the owners, in the loop's thread: of the jobs that are over
 * now.  Their owners may give the pool new ones, and these must not keep the
 * loop here.
 */
static void
on_done(uv_async_t *async)
{
	struct pool *pool = async->data;
	struct pool_job *job;

	pthread_mutex_lock(&pool->lock);
	job = pool->done.first;
	list_init(&pool->done);
	pthread_mutex_unlock(&pool->lock);
	while (job != NULL) {
		struct pool_job *next = job->next;

		job->done(job);
		job = next;
	}
}

int
pool_init(struct pool *pool, uv_loop_t *loop, size_t threads_max, size_t queue_max)
{
	int error;

	pool->threads_max = threads_max;
	pool->queue_max = queue_max;
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
	return 0;
}

/* init_thread makes the condition of THREAD count the clock that all deadlines use. */
static void
init_thread(struct pool *pool, struct pool_thread *thread)
{
	pthread_condattr_t monotonic;

	thread->pool = pool;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&thread->cancelled, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

/* begin_thread adds a thread where one can be had. */
static void
begin_thread(struct pool *pool)
{
	struct pool_thread *thread = &pool->threads[pool->threads_count];
	pthread_attr_t attributes;

	if (pthread_attr_init(&attributes) != 0)
		return;
	init_thread(pool, thread);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	if (pthread_create(&thread->id, &attributes, run_thread, thread) == 0) {
		pool->threads_count++;
		pool->free++;
	} else {
		pthread_cond_destroy(&thread->cancelled);
	}
	pthread_attr_destroy(&attributes);
}

/* make_room sees to a thread for one more job, or else a place in the queue. */
static int
make_room(struct pool *pool)
{
	/* Jobs in the queue are promised to the free threads, which may not have woken yet. */
	if (pool->waiting >= pool->free && pool->threads_count < pool->threads_max)
		begin_thread(pool);
	if (pool->waiting < pool->free)
		return 0;
	if (pool->threads_count == 0)
		return -ENOMEM;
	return pool->waiting - pool->free < pool->queue_max ? 0 : -EAGAIN;
}

int
pool_run(struct pool *pool, struct pool_job *job, uint64_t cpu_ns, uint64_t sleep_ns, pool_fn *done)
{
	int error;

	*job = (struct pool_job){.cpu_ns = cpu_ns, .sleep_ns = sleep_ns, .done = done, .state = POOL_JOB_WAITING};
	pthread_mutex_lock(&pool->lock);
	error = make_room(pool);
	if (error == 0) {
		list_push(&pool->queue, job);
		pool->waiting++;
		pool->waiting_ns += cpu_ns + sleep_ns;
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
	switch (job->state) {
	case POOL_JOB_WAITING:
		leave_queue(pool, job);
		tell(pool, job);
		break;
	case POOL_JOB_BEGUN:
		pthread_cond_signal(&job->thread->cancelled);
		break;
	case POOL_JOB_OVER:
		break;
	}
	pthread_mutex_unlock(&pool->lock);
}

uint64_t
pool_wait_estimate_ns(struct pool *pool)
{
	uint64_t left_ns, estimate_ns = 0;

	pthread_mutex_lock(&pool->lock);
	if (pool->waiting >= pool->free && pool->threads_count > 0) {
		/* Jobs that take longer than they should (there are more threads than processors) can make this negative. */
		left_ns = pool->busy_due_ns - pool->busy * clock_now_ns();
		if ((int64_t)left_ns < 0)
			left_ns = 0;
		estimate_ns = (left_ns + pool->waiting_ns) / pool->threads_count;
	}
	pthread_mutex_unlock(&pool->lock);
	return estimate_ns;
}

size_t
pool_waiting(struct pool *pool)
{
	return atomic_load_explicit(&pool->waiting, memory_order_relaxed);
}

size_t
pool_busy(struct pool *pool)
{
	return atomic_load_explicit(&pool->busy, memory_order_relaxed);
}

void
pool_end(struct pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	assert(pool->queue.first == NULL && pool->done.first == NULL);
	pool->ending = true;
	pthread_cond_broadcast(&pool->queued);
	pthread_mutex_unlock(&pool->lock);
	for (size_t i = 0; i < pool->threads_count; i++) {
		pthread_join(pool->threads[i].id, NULL);
		pthread_cond_destroy(&pool->threads[i].cancelled);
	}
	free(pool->threads);
	pthread_cond_destroy(&pool->queued);
	pthread_mutex_destroy(&pool->lock);
	uv_close((uv_handle_t *)&pool->async, NULL);
}
