/* Unit tests of prefork_server/crew: how soon a worker that died is replaced. */
#include "prefork_server/crew.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"

static struct config config;
static struct scoreboard board;
static struct crew crew;

static int
die_at_once(struct worker *worker)
{
	(void)worker;
	raise(SIGKILL);
	return 0;
}

static int
die_serving(struct worker *worker)
{
	heartbeat_beat(worker->heartbeat);
	raise(SIGKILL);
	return 0;
}

static const struct worker_class dies_at_once = {.name = "dies at once", .run = die_at_once};
static const struct worker_class dies_serving = {.name = "dies serving", .run = die_serving};

static void
in_child(void *context)
{
	(void)context;
}

static int
setup(void **state)
{
	(void)state;
	memset(&crew, 0, sizeof(crew));
	crew.worker.config = &config;
	crew.board = &board;
	crew.in_child = in_child;
	crew.target = 3;
	return scoreboard_open(&board);
}

static int
teardown(void **state)
{
	(void)state;
	scoreboard_close(&board);
	return 0;
}

/* reap waits for the next death, of a worker that was born AGE_NS ago, and tells the crew. */
static void
reap(uint64_t age_ns)
{
	int status;
	pid_t pid = waitpid(-1, &status, 0);

	assert_true(pid > 0);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	for (unsigned i = 0; i < crew.slots; i++)
		if (crew.members[i].pid == pid)
			crew.members[i].born_ns = clock_now_ns() - age_ns;
	assert_int_equal(crew_reaped(&crew, pid, status), 0);
}

/* start_all starts as many as there may be, now. */
static void
start_all(void)
{
	crew.spawn_due_ns = 0;
	crew_manage(&crew);
	assert_int_equal(crew_count(&crew), crew.target);
}

/* assert_delay: the next worker comes DELAY_NS after BEFORE, or the little later that it is now. */
static void
assert_delay(uint64_t before, uint64_t delay_ns)
{
	assert_in_range(crew.spawn_due_ns, before + delay_ns, clock_now_ns() + delay_ns);
}

static void
test_those_that_never_served_are_waited_for_longer_and_longer(void **state)
{
	uint64_t delays_ms[] = {100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000};

	(void)state;
	crew.class = &dies_at_once;
	start_all();
	for (unsigned i = 0; i < crew.target; i++) {
		reap(0);
		assert_int_equal(crew.spawn_due_ns, 0); /* one for each: that need not be a loop */
	}
	for (size_t i = 0; i < sizeof(delays_ms) / sizeof(delays_ms[0]); i++) {
		uint64_t before = clock_now_ns();

		if (i % crew.target == 0)
			start_all();
		reap(0);
		assert_delay(before, delays_ms[i] * NS_PER_MS);
	}
	crew_manage(&crew);
	assert_int_equal(crew_count(&crew), 0);
}

static void
test_those_that_served_are_replaced_at_once_until_it_is_a_loop(void **state)
{
	uint64_t before = clock_now_ns();
	unsigned deaths = 0;

	(void)state;
	crew.class = &dies_serving;
	start_all();
	for (; deaths < crew.target; deaths++) {
		reap(0);
		assert_int_equal(crew.spawn_due_ns, 0);
	}
	while (deaths < 40) {
		crew_manage(&crew);
		while (crew_count(&crew) > 0) {
			reap(0);
			deaths++;
			/* However long the loop has been going on, what waits is only for the last round. */
			assert_true(crew.spawn_due_ns <= clock_now_ns() + crew.target * CREW_PACE_NS);
		}
		clock_sleep_until_ns(crew.spawn_due_ns);
	}
	assert_true(clock_now_ns() - before >= (deaths - crew.target) * CREW_PACE_NS);
	assert_int_equal(crew.early, 0);
}

static void
test_a_loop_that_ends_is_forgotten(void **state)
{
	(void)state;
	crew.class = &dies_serving;
	crew.pace_ns = clock_now_ns() - NS_PER_SEC;
	start_all();
	for (unsigned i = 0; i < crew.target; i++)
		reap(0);
	assert_int_equal(crew.spawn_due_ns, 0);
}

static void
test_one_that_came_to_serve_ends_the_row(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 10; round++) {
		crew.class = &dies_at_once;
		start_all();
		while (crew_count(&crew) > 0)
			reap(0);
		assert_int_equal(crew.early, crew.target);
		crew.class = &dies_serving;
		crew.target = 1;
		start_all();
		reap(2 * CREW_EARLY_NS);
		assert_int_equal(crew.early, 0);
		crew.target = 3;
	}
	assert_int_equal(crew.spawn_due_ns, 0);
}

static void
test_one_that_lived_long_is_no_early_death(void **state)
{
	(void)state;
	crew.class = &dies_at_once; /* and never beat: it was stopped, say */
	for (unsigned i = 0; i < 20; i++) {
		start_all();
		reap(CREW_EARLY_NS);
		reap(CREW_EARLY_NS);
		reap(CREW_EARLY_NS);
	}
	assert_int_equal(crew.early, 0);
	assert_int_equal(crew.spawn_due_ns, 0);
	assert_int_equal(crew.pace_ns, 0);
	assert_int_equal(atomic_load(&board.notice->restarts[SCOREBOARD_CRASH]), 60);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		test_those_that_never_served_are_waited_for_longer_and_longer, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_those_that_served_are_replaced_at_once_until_it_is_a_loop, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_loop_that_ends_is_forgotten, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_one_that_came_to_serve_ends_the_row, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_one_that_lived_long_is_no_early_death, setup, teardown),
	};

	if (log_open("/dev/null", LOG_LEVEL_CRITICAL) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
