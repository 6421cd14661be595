/* Unit tests of prefork_server/recycle, and of how a worker counts towards its end. */
#include "prefork_server/recycle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "prefork_server/signals.h"

static struct config config;
static struct scoreboard board;
static struct crew crew;

static int
wait_for_term(struct worker *worker)
{
	static char ballast[2 << 20];

	explicit_bzero(ballast, sizeof(ballast));
	heartbeat_beat(worker->heartbeat);
	while (!signals_term())
		(void)poll(NULL, 0, 10);
	return 0;
}

static const struct worker_class waits = {.name = "waits", .run = wait_for_term};

static void
in_child(void *context)
{
	(void)context;
}

static int
setup(void **state)
{
	sigset_t set;

	(void)state;
	memset(&config, 0, sizeof(config));
	memset(&crew, 0, sizeof(crew));
	config.threads = 1;
	crew.worker.config = &config;
	crew.class = &waits;
	crew.board = &board;
	crew.in_child = in_child;
	crew.target = 2;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL); /* as in the arbiter: none is lost before a worker can take it */
	return scoreboard_open(&board);
}

static int
teardown(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	crew_kill(&crew, SIGKILL);
	while ((pid = waitpid(-1, &status, 0)) > 0)
		(void)crew_reaped(&crew, pid, status);
	scoreboard_close(&board);
	return 0;
}

static uint64_t
restarts(enum scoreboard_reason reason)
{
	return atomic_load(&board.notice->restarts[reason]);
}

static void
test_a_worker_that_retires_gets_a_successor_before_it_ends(void **state)
{
	(void)state;
	config.max_requests = 10;
	crew_manage(&crew);
	assert_int_equal(crew_count(&crew), 2);
	atomic_store(&board.rows[1].retiring, crew.members[1].pid);
	crew_manage(&crew);
	crew_manage(&crew);
	assert_int_equal(crew_count(&crew), 3);
	assert_true(crew.members[1].ending);
	assert_false(crew.members[0].ending || crew.members[2].ending);
	assert_int_equal(restarts(SCOREBOARD_MAX_REQUESTS), 1);
	assert_int_equal(atomic_load(&board.notice->workers), 2);
}

/* Of a worker that only says so, or of one that has the number and the slot of one that did. */
static void
test_who_says_that_it_retires_ends(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	config.max_requests = 10;
	crew_manage(&crew);
	pid = crew.members[0].pid;
	atomic_store(&board.rows[0].retiring, pid);
	crew_manage(&crew);
	assert_int_equal(crew_count(&crew), 3);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(crew_reaped(&crew, pid, status), 0);
	crew_manage(&crew);
	assert_int_equal(crew_count(&crew), 2);
}

static void
test_its_end_is_no_crash_even_if_it_comes_before_the_arbiter_looks(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	config.max_requests = 10;
	crew_manage(&crew);
	atomic_store(&board.rows[0].retiring, crew.members[0].pid);
	pid = crew.members[0].pid;
	kill(pid, SIGTERM);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(crew_reaped(&crew, pid, status), 0);
	assert_int_equal(restarts(SCOREBOARD_MAX_REQUESTS), 1);
	assert_int_equal(restarts(SCOREBOARD_CRASH), 0);
	assert_int_equal(crew.early + crew.pace_ns + crew.spawn_due_ns, 0);
}

static void
test_who_has_no_limit_cannot_retire(void **state)
{
	(void)state;
	crew_manage(&crew);
	atomic_store(&board.rows[0].retiring, crew.members[0].pid);
	crew_manage(&crew);
	assert_int_equal(crew_count(&crew), 2);
	assert_false(recycle_is_retiring(&crew, &crew.members[0]));
}

static void
test_the_word_of_a_dead_worker_is_not_its_successors(void **state)
{
	(void)state;
	config.max_requests = 10;
	atomic_store(&board.rows[0].retiring, 1);
	crew_manage(&crew);
	crew_manage(&crew);
	assert_int_equal(crew_count(&crew), 2);
	assert_int_equal(restarts(SCOREBOARD_MAX_REQUESTS), 0);
}

/* start_large starts the workers that are missing, and waits until they have the ballast: more than a mebibyte. */
static void
start_large(void)
{
	crew_manage(&crew);
	for (unsigned i = 0; i < crew.slots; i++)
		while (atomic_load(&board.rows[i].heartbeat.beats) == crew.members[i].first_beat)
			(void)poll(NULL, 0, 1);
}

static void
test_large_workers_are_replaced_and_waited_longer_for_each_time(void **state)
{
	uint64_t waited_ns = 0;

	(void)state;
	config.max_rss_mib = 1;
	for (unsigned look = 0; look < 8; look++) {
		start_large();
		crew.recycle_due_ns = 0;
		recycle_large(&crew);
		assert_int_equal(restarts(SCOREBOARD_MAX_RSS), 2 * (look + 1));
		assert_true(crew.recycle_due_ns >= clock_now_ns() + waited_ns - NS_PER_SEC);
		waited_ns = crew.recycle_due_ns - clock_now_ns();
		assert_true(waited_ns <= RECYCLE_WAIT_MAX_NS);
		recycle_large(&crew);
		assert_int_equal(restarts(SCOREBOARD_MAX_RSS), 2 * (look + 1));
	}
	assert_true(waited_ns > RECYCLE_WAIT_MAX_NS - NS_PER_SEC);
	assert_int_equal(crew.outgrown, 8);
}

static void
test_workers_that_grew_slowly_are_replaced_at_every_look(void **state)
{
	(void)state;
	config.max_rss_mib = 1;
	crew.outgrown = 3;
	for (unsigned look = 0; look < 3; look++) {
		start_large();
		for (unsigned i = 0; i < crew.slots; i++)
			crew.members[i].born_ns = clock_now_ns() - RECYCLE_EARLY_NS;
		recycle_large(&crew);
		assert_int_equal(restarts(SCOREBOARD_MAX_RSS), 2 * (look + 1));
		assert_int_equal(crew.outgrown, 0);
	}
}

static void
test_a_worker_that_is_gone_is_left_to_be_reaped(void **state)
{
	siginfo_t info;

	(void)state;
	config.max_rss_mib = 1;
	crew.target = 1;
	start_large();
	kill(crew.members[0].pid, SIGKILL);
	/* A zombie has no memory. */
	assert_int_equal(waitid(P_PID, (id_t)crew.members[0].pid, &info, WEXITED | WNOWAIT), 0);
	recycle_large(&crew);
	assert_int_equal(restarts(SCOREBOARD_MAX_RSS), 0);
	assert_false(crew.members[0].ending);
}

/* Eight threads count; exactly one of them comes upon the limit, and all know from then on. (Nobody is their arbiter.) */
#define COUNTS 1000

static void *
count_on(void *context)
{
	struct worker *worker = context;
	uintptr_t kept = 0;

	for (int i = 0; i < COUNTS; i++)
		kept += worker_count_request(worker);
	return (void *)kept; /* NOLINT(performance-no-int-to-ptr): a number is all it returns */
}

static void
test_threads_count_together(void **state)
{
	static _Atomic int retiring;
	struct worker worker = {.config = &config, .retiring = &retiring, .requests_max = 3 * COUNTS};
	pthread_t threads[8];
	uintptr_t kept = 0;
	sigset_t pending;
	int number;

	(void)state;
	for (int i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count_on, &worker), 0);
	for (int i = 0; i < 8; i++) {
		void *result;

		assert_int_equal(pthread_join(threads[i], &result), 0);
		kept += (uintptr_t)result;
	}
	assert_int_equal(kept, 3 * COUNTS - 1);
	assert_int_equal(atomic_load(&retiring), getpid());
	sigpending(&pending);
	assert_true(sigismember(&pending, SIGTERM));
	sigemptyset(&pending);
	sigaddset(&pending, SIGTERM);
	assert_int_equal(sigwait(&pending, &number), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		test_a_worker_that_retires_gets_a_successor_before_it_ends, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_who_says_that_it_retires_ends, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_its_end_is_no_crash_even_if_it_comes_before_the_arbiter_looks, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_who_has_no_limit_cannot_retire, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_the_word_of_a_dead_worker_is_not_its_successors, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_large_workers_are_replaced_and_waited_longer_for_each_time, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_workers_that_grew_slowly_are_replaced_at_every_look, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_worker_that_is_gone_is_left_to_be_reaped, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_threads_count_together, setup, teardown),
	};

	if (log_open("/dev/null", LOG_LEVEL_CRITICAL) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
