/* Tests of sleeps on pool threads: not shorter than asked, several at once, cancelled, and refused. */
#include "async_server/pool.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "common/clock.h"

#define JOBS 6
#define THREADS 2
#define SLEEP_NS (20 * NS_PER_MS)

static struct pool_job jobs[JOBS];
static uint64_t done_ns[JOBS]; /* 0: not done */
static size_t done_count;
static int thread_error;

static void
on_done(struct pool_job *job)
{
	done_ns[job - jobs] = clock_now_ns();
	done_count++;
}

/* run makes a pool, queues COUNT jobs of SLEEP_NS, cancels them if told so, and waits until all are done. */
static void
run(size_t count, uint64_t sleep_ns, bool cancel)
{
	struct pool pool;
	uv_loop_t loop;

	memset(done_ns, 0, sizeof(done_ns));
	done_count = 0;
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(pool_init(&pool, &loop, THREADS), 0);
	uv_ref((uv_handle_t *)&pool.async);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(pool_sleep(&pool, &jobs[i], sleep_ns, on_done), 0);
	assert_true(pool.threads_count <= THREADS);
	for (size_t i = 0; cancel && i < count; i++)
		pool_cancel(&pool, &jobs[i]);
	while (done_count < count)
		uv_run(&loop, UV_RUN_ONCE);
	pool_end(&pool);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
}

static void
sleeps_are_not_short_and_share_the_threads(void **state)
{
	uint64_t begun_ns = clock_now_ns();
	uint64_t last_ns = 0;

	(void)state;
	run(JOBS, SLEEP_NS, false);
	for (size_t i = 0; i < JOBS; i++) {
		assert_true(done_ns[i] >= begun_ns + SLEEP_NS);
		if (done_ns[i] > last_ns)
			last_ns = done_ns[i];
	}
	/* Two threads: the last of six waits for two before it. */
	assert_true(last_ns >= begun_ns + JOBS / THREADS * SLEEP_NS);
}

static void
cancelled_jobs_end_whether_begun_or_not(void **state)
{
	(void)state;
	run(JOBS, 3600 * NS_PER_SEC, true);
}

static void
a_pool_that_was_never_used_ends(void **state)
{
	(void)state;
	run(0, 0, false);
}

/* Where the system gives no thread, the caller learns it, and nothing else happens. */
static void
without_threads_the_job_is_refused(void **state)
{
	struct rlimit none = {0, 0}, before;
	struct pool pool;
	uv_loop_t loop;

	(void)state;
#ifdef __SANITIZE_ADDRESS__
	skip(); /* it needs address space itself */
#endif
	/* A stack does not fit into an address space that is used up: this works for root too, unlike RLIMIT_NPROC. */
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(pool_init(&pool, &loop, THREADS), 0);
	assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
	none.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_AS, &none), 0);
	thread_error = pool_sleep(&pool, &jobs[0], 1, on_done);
	assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
	assert_int_equal(thread_error, -EAGAIN);
	pool_end(&pool);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    /* First: later ones leave cached stacks behind, which need no new memory. */
	    cmocka_unit_test(without_threads_the_job_is_refused),
	    cmocka_unit_test(sleeps_are_not_short_and_share_the_threads),
	    cmocka_unit_test(cancelled_jobs_end_whether_begun_or_not),
	    cmocka_unit_test(a_pool_that_was_never_used_ends),
	};

	return cmocka_run_group_tests_name("async_server/pool", tests, NULL, NULL);
}
