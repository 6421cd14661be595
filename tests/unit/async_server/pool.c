/* Tests of jobs on pool threads: not shorter than asked, several at once, cancelled, counted, and refused. */
#include "async_server/pool.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/cpu_work.h"

#define JOBS 6
#define THREADS 2
#define SLEEP_NS (20 * NS_PER_MS)
#define LONG_NS (3600 * NS_PER_SEC) /* longer than any test may take: such a job ends because it is cancelled */
#define PATIENCE_NS (60 * NS_PER_SEC)

static uv_loop_t loop;
static struct pool pool;
static struct pool_job jobs[JOBS];
static uint64_t done_ns[JOBS]; /* 0: not done */
static size_t done_count;

static void
on_done(struct pool_job *job)
{
	assert_int_equal(done_ns[job - jobs], 0);
	done_ns[job - jobs] = clock_now_ns();
	done_count++;
}

static void
forget(void)
{
	memset(done_ns, 0, sizeof(done_ns));
	done_count = 0;
}

static void
begin(size_t threads_max, size_t queue_max)
{
	forget();
	assert_int_equal(uv_loop_init(&loop), 0);
	memset(&pool, 0, sizeof(pool));
	assert_int_equal(pool_init(&pool, &loop, threads_max, queue_max), 0);
	uv_ref((uv_handle_t *)&pool.async);
}

static int
run(size_t index, uint64_t sleep_ns)
{
	return pool_run(&pool, &jobs[index], 0, sleep_ns, on_done);
}

static void
wait_for(size_t count)
{
	while (done_count < count)
		uv_run(&loop, UV_RUN_ONCE);
}

static void
end(void)
{
	assert_int_equal(pool_waiting(&pool), 0);
	assert_int_equal(pool_busy(&pool), 0);
	pool_end(&pool);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
}

static void
wait_until_busy(size_t count)
{
	uint64_t late_ns = clock_now_ns() + PATIENCE_NS;

	while (pool_busy(&pool) != count)
		assert_true(clock_now_ns() < late_ns);
}

static void
sleeps_are_not_short_and_share_the_threads(void **state)
{
	uint64_t begun_ns = clock_now_ns();
	uint64_t last_ns = 0;

	(void)state;
	begin(THREADS, JOBS);
	for (size_t i = 0; i < JOBS; i++)
		assert_int_equal(run(i, SLEEP_NS), 0);
	assert_int_equal(pool.threads_count, THREADS);
	wait_for(JOBS);
	for (size_t i = 0; i < JOBS; i++) {
		assert_true(done_ns[i] >= begun_ns + SLEEP_NS);
		if (done_ns[i] > last_ns)
			last_ns = done_ns[i];
	}
	/* Two threads: the last of six waits for two before it. */
	assert_true(last_ns >= begun_ns + JOBS / THREADS * SLEEP_NS);
	end();
}

static void
cancelled_jobs_end_whether_begun_or_not(void **state)
{
	(void)state;
	begin(THREADS, JOBS);
	for (size_t i = 0; i < JOBS; i++)
		assert_int_equal(run(i, LONG_NS), 0);
	wait_until_busy(THREADS);
	for (size_t i = 0; i < JOBS; i++)
		pool_cancel(&pool, &jobs[i]);
	assert_int_equal(done_count, 0); /* never from pool_cancel itself */
	wait_for(JOBS);
	end();
}

/* A client that hangs up frees its place at once, though all threads stay busy; and no other sleep ends with it. */
static void
cancelling_a_job_ends_that_one_alone(void **state)
{
	(void)state;
	begin(THREADS, 2);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(run(i, LONG_NS), 0);
	wait_until_busy(THREADS);
	assert_int_equal(run(4, LONG_NS), -EAGAIN);
	pool_cancel(&pool, &jobs[2]);
	assert_int_equal(pool_waiting(&pool), 1);
	assert_int_equal(run(4, LONG_NS), 0);
	wait_for(1);
	assert_true(done_ns[2] != 0);
	pool_cancel(&pool, &jobs[0]);
	wait_for(2);
	assert_true(done_ns[0] != 0);
	/* The oldest that waited has the thread now, and the one that came last still waits. */
	wait_until_busy(THREADS);
	assert_int_equal(jobs[3].state, POOL_JOB_BEGUN);
	assert_int_equal(jobs[4].state, POOL_JOB_WAITING);
	assert_int_equal(done_count, 2);
	pool_cancel(&pool, &jobs[1]);
	pool_cancel(&pool, &jobs[4]);
	pool_cancel(&pool, &jobs[3]);
	pool_cancel(&pool, &jobs[3]); /* twice is once */
	wait_for(5);
	end();
}

static void
cancel_another(struct pool_job *job)
{
	on_done(job);
	pool_cancel(&pool, &jobs[job == &jobs[0] ? 1 : 0]);
}

/* One owner's end may cancel a job that is over as well, and whose owner is told next. */
static void
a_job_that_is_over_can_be_cancelled(void **state)
{
	uint64_t late_ns = clock_now_ns() + PATIENCE_NS;

	(void)state;
	begin(THREADS, 0);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pool_run(&pool, &jobs[i], 0, 0, cancel_another), 0);
	while (pool_waiting(&pool) + pool_busy(&pool) > 0)
		assert_true(clock_now_ns() < late_ns);
	wait_for(1);
	if (done_count < 2) /* the other one was told in a round of its own */
		wait_for(2);
	end();
}

/* The limit is of those who wait for a busy thread: not of those whom a free thread has not taken yet. */
static void
the_queue_has_a_limit(void **state)
{
	(void)state;
	begin(THREADS, 3);
	for (size_t i = 0; i < THREADS + 3; i++)
		assert_int_equal(run(i, LONG_NS), 0);
	assert_int_equal(run(5, LONG_NS), -EAGAIN);
	wait_until_busy(THREADS);
	assert_int_equal(pool_waiting(&pool), 3);
	assert_int_equal(run(5, LONG_NS), -EAGAIN);
	for (size_t i = 0; i < THREADS + 3; i++)
		pool_cancel(&pool, &jobs[i]);
	wait_for(THREADS + 3);
	end();
}

/* Without a queue there is work for every thread, also when they have waited for it and wake one after another. */
static void
without_a_queue_every_thread_still_works(void **state)
{
	(void)state;
	begin(THREADS, 0);
	for (int round = 0; round < 50; round++) {
		forget();
		for (size_t i = 0; i < THREADS; i++)
			assert_int_equal(run(i, LONG_NS), 0);
		assert_int_equal(run(THREADS, LONG_NS), -EAGAIN);
		for (size_t i = 0; i < THREADS; i++)
			pool_cancel(&pool, &jobs[i]);
		wait_for(THREADS);
		/* Threads say that they are free before their job's owner hears of its end, or the next round would fail. */
	}
	assert_int_equal(pool.threads_count, THREADS);
	end();
}

static void
a_thread_is_begun_only_when_all_others_are_busy(void **state)
{
	(void)state;
	begin(THREADS, JOBS);
	for (size_t i = 0; i < JOBS; i++) {
		assert_int_equal(run(i, 0), 0);
		wait_for(i + 1);
	}
	assert_int_equal(pool.threads_count, 1);
	end();
}

static void
the_wait_is_what_is_left_to_do_shared_among_the_threads(void **state)
{
	uint64_t estimate_ns;

	(void)state;
	begin(THREADS, JOBS);
	assert_int_equal(pool_wait_estimate_ns(&pool), 0);
	assert_int_equal(run(0, 1000 * NS_PER_SEC), 0);
	assert_int_equal(run(1, 1000 * NS_PER_SEC), 0);
	assert_int_equal(run(2, 2000 * NS_PER_SEC), 0);
	/* 1000 + 1000 + 2000 s for two threads, less what has passed. */
	estimate_ns = pool_wait_estimate_ns(&pool);
	assert_in_range(estimate_ns, 1500 * NS_PER_SEC, 2000 * NS_PER_SEC);
	wait_until_busy(THREADS);
	assert_true(pool_wait_estimate_ns(&pool) <= estimate_ns);
	assert_in_range(pool_wait_estimate_ns(&pool), 1500 * NS_PER_SEC, 2000 * NS_PER_SEC);
	pool_cancel(&pool, &jobs[2]);
	wait_for(1);
	assert_in_range(pool_wait_estimate_ns(&pool), 500 * NS_PER_SEC, 1000 * NS_PER_SEC);
	pool_cancel(&pool, &jobs[1]);
	wait_for(2);
	assert_int_equal(pool_wait_estimate_ns(&pool), 0); /* a thread is free */
	pool_cancel(&pool, &jobs[0]);
	wait_for(3);
	end();
}

static size_t rounds, repeats;

static void
on_check(uv_check_t *check)
{
	(void)check;
	rounds++;
}

static void
run_again(struct pool_job *job)
{
	done_count++;
	if (repeats-- > 0)
		assert_int_equal(pool_run(&pool, job, 0, 0, run_again), 0);
}

/* Clients that ask again as soon as they are answered do not keep the loop from all others. */
static void
new_jobs_of_owners_wait_for_the_next_round_of_the_loop(void **state)
{
	uv_check_t check;

	(void)state;
	begin(1, 1);
	assert_int_equal(uv_check_init(&loop, &check), 0);
	assert_int_equal(uv_check_start(&check, on_check), 0);
	rounds = 0;
	repeats = 200;
	assert_int_equal(pool_run(&pool, &jobs[0], 0, 0, run_again), 0);
	wait_for(201);
	assert_true(rounds >= 201);
	uv_close((uv_handle_t *)&check, NULL);
	end();
}

static void
a_pool_that_was_never_used_ends(void **state)
{
	(void)state;
	begin(THREADS, 0);
	end();
}

static uint64_t
process_cpu_ns(void)
{
	struct timespec used;

	assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used), 0);
	return (uint64_t)used.tv_sec * NS_PER_SEC + (uint64_t)used.tv_nsec;
}

/* The loop, in epoll_wait, uses no processor meanwhile. */
static void
a_job_computes_and_then_sleeps(void **state)
{
	uint64_t begun_ns, begun_cpu_ns;

	(void)state;
	(void)cpu_work_calibrate();
	begin(THREADS, JOBS);
	begun_ns = clock_now_ns();
	begun_cpu_ns = process_cpu_ns();
	for (size_t i = 0; i < JOBS; i++)
		assert_int_equal(pool_run(&pool, &jobs[i], 2 * SLEEP_NS, SLEEP_NS, on_done), 0);
	assert_int_equal(pool.threads_count, THREADS);
	wait_for(JOBS);
	/* A processor may run faster now than when it was calibrated, but not twice as fast. */
	assert_true(process_cpu_ns() - begun_cpu_ns >= JOBS * SLEEP_NS);
	for (size_t i = 0; i < JOBS; i++)
		assert_true(done_ns[i] >= begun_ns + SLEEP_NS);
	end();
}

/* Each is cancelled where it is by then: waiting, computing, or asleep after it has computed. */
static void
a_job_that_computes_can_be_cancelled(void **state)
{
	(void)state;
	(void)cpu_work_calibrate();
	begin(THREADS, JOBS);
	assert_int_equal(pool_run(&pool, &jobs[0], LONG_NS, 0, on_done), 0);
	assert_int_equal(pool_run(&pool, &jobs[1], LONG_NS, LONG_NS, on_done), 0);
	assert_int_equal(pool_run(&pool, &jobs[2], LONG_NS, 0, on_done), 0);
	assert_int_equal(pool_run(&pool, &jobs[3], NS_PER_MS, LONG_NS, on_done), 0);
	wait_until_busy(THREADS);
	for (size_t i = 0; i < 3; i++)
		pool_cancel(&pool, &jobs[i]);
	wait_for(3);
	wait_until_busy(1);
	clock_sleep_until_ns(clock_now_ns() + 5 * NS_PER_MS);
	pool_cancel(&pool, &jobs[3]);
	wait_for(4);
	end();
}

/* Where the system gives no thread, the caller learns it, and nothing else happens. */
static void
without_threads_the_job_is_refused(void **state)
{
	struct rlimit none = {0, 0}, before;
	int error;

	(void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	skip(); /* they need address space themselves */
#endif
	/* A stack does not fit into an address space that is used up: this works for root too, unlike RLIMIT_NPROC. */
	begin(THREADS, JOBS);
	assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
	none.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_AS, &none), 0);
	error = run(0, 1);
	assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
	assert_int_equal(error, -ENOMEM);
	/* The next one finds the pool as it should be. */
	assert_int_equal(run(0, 1), 0);
	wait_for(1);
	end();
}

/* Where it gives one thread and no second, jobs wait for the first. */
static void
one_thread_does_the_work_of_two(void **state)
{
	struct rlimit none = {0, 0}, before;
	int error;

	(void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	skip(); /* they need address space themselves */
#endif
	begin(THREADS, 1);
	assert_int_equal(run(0, LONG_NS), 0);
	wait_until_busy(1);
	assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
	none.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_AS, &none), 0);
	error = run(1, LONG_NS);
	assert_int_equal(run(2, LONG_NS), -EAGAIN);
	assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
	assert_int_equal(error, 0);
	assert_int_equal(pool.threads_count, 1);
	assert_int_equal(pool_waiting(&pool), 1);
	pool_cancel(&pool, &jobs[0]);
	pool_cancel(&pool, &jobs[1]);
	wait_for(2);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    /* First: later ones leave cached stacks behind, which need no new memory. */
	    cmocka_unit_test(without_threads_the_job_is_refused),
	    cmocka_unit_test(one_thread_does_the_work_of_two),
	    cmocka_unit_test(sleeps_are_not_short_and_share_the_threads),
	    cmocka_unit_test(cancelled_jobs_end_whether_begun_or_not),
	    cmocka_unit_test(cancelling_a_job_ends_that_one_alone),
	    cmocka_unit_test(a_job_that_is_over_can_be_cancelled),
	    cmocka_unit_test(the_queue_has_a_limit),
	    cmocka_unit_test(without_a_queue_every_thread_still_works),
	    cmocka_unit_test(a_thread_is_begun_only_when_all_others_are_busy),
	    cmocka_unit_test(the_wait_is_what_is_left_to_do_shared_among_the_threads),
	    cmocka_unit_test(new_jobs_of_owners_wait_for_the_next_round_of_the_loop),
	    cmocka_unit_test(a_job_computes_and_then_sleeps),
	    cmocka_unit_test(a_job_that_computes_can_be_cancelled),
	    cmocka_unit_test(a_pool_that_was_never_used_ends),
	};

	return cmocka_run_group_tests_name("async_server/pool", tests, NULL, NULL);
}
