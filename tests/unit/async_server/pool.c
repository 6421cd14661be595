/* Tests of sleeps on pool threads: not shorter than asked, several at once, and cancelled before they begin. */
#include "async_server/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"

#define JOBS 6
#define SLEEP_NS (20 * NS_PER_MS)

static struct pool_job jobs[JOBS];
static uint64_t done_ns[JOBS]; /* 0: not done */

static void
on_done(struct pool_job *job)
{
	done_ns[job - jobs] = clock_now_ns();
}

static void
sleeps_are_not_short_and_share_the_threads(void **state)
{
	uint64_t begun_ns = clock_now_ns();
	uint64_t last_ns = 0;
	uv_loop_t loop;

	(void)state;
	memset(done_ns, 0, sizeof(done_ns));
	assert_int_equal(uv_loop_init(&loop), 0);
	for (size_t i = 0; i < JOBS; i++)
		assert_int_equal(pool_sleep(&loop, &jobs[i], SLEEP_NS, on_done), 0);
	uv_run(&loop, UV_RUN_DEFAULT);
	for (size_t i = 0; i < JOBS; i++) {
		assert_true(done_ns[i] >= begun_ns + SLEEP_NS);
		if (done_ns[i] > last_ns)
			last_ns = done_ns[i];
	}
	/* Two threads: the last of six waits for two before it. */
	assert_true(last_ns >= begun_ns + 3 * SLEEP_NS);
	assert_int_equal(uv_loop_close(&loop), 0);
}

static void
a_job_that_no_thread_has_begun_can_be_cancelled(void **state)
{
	uint64_t begun_ns = clock_now_ns();
	uv_loop_t loop;

	(void)state;
	memset(done_ns, 0, sizeof(done_ns));
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(pool_sleep(&loop, &jobs[0], 10 * SLEEP_NS, on_done), 0);
	assert_int_equal(pool_sleep(&loop, &jobs[1], 10 * SLEEP_NS, on_done), 0);
	assert_int_equal(pool_sleep(&loop, &jobs[2], 3600 * NS_PER_SEC, on_done), 0);
	pool_cancel(&jobs[2]);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_true(done_ns[0] >= begun_ns + 10 * SLEEP_NS);
	assert_true(done_ns[2] != 0);
	assert_int_equal(uv_loop_close(&loop), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sleeps_are_not_short_and_share_the_threads),
	    cmocka_unit_test(a_job_that_no_thread_has_begun_can_be_cancelled),
	};

	if (pool_configure(2) != 0)
		return 1;
	return cmocka_run_group_tests_name("async_server/pool", tests, NULL, NULL);
}
