/* Unit tests of prefork_server/scoreboard. */
#include "prefork_server/scoreboard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/metrics.h"

/* in_child runs BODY in a forked child; returns the status of waitpid(2). */
static int
in_child(void (*body)(struct scoreboard *), struct scoreboard *board)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		body(board);
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void
use_last_slot(struct scoreboard *board)
{
	heartbeat_beat(&board->heartbeats[SCOREBOARD_SLOTS - 1]);
	metrics_add(&board->metrics[SCOREBOARD_SLOTS - 1].requests_begun, 3);
}

static void
test_slots_survive_fork(void **state)
{
	struct scoreboard board;

	(void)state;
	assert_int_equal(scoreboard_open(&board), 0);
	assert_int_equal(atomic_load(&board.heartbeats[SCOREBOARD_SLOTS - 1].beats), 0);
	assert_int_equal(in_child(use_last_slot, &board), 0);
	assert_int_equal(atomic_load(&board.heartbeats[SCOREBOARD_SLOTS - 1].beats), 1);
	assert_int_equal(atomic_load(&board.metrics[SCOREBOARD_SLOTS - 1].requests_begun), 3);
	assert_int_equal(atomic_load(&board.heartbeats[0].beats), 0);
	scoreboard_close(&board);
	assert_null(board.notice);
}

static void
test_a_slot_taken_over_keeps_its_counters_and_settles_its_gauges(void **state)
{
	struct scoreboard board;

	(void)state;
	assert_int_equal(scoreboard_open(&board), 0);
	assert_int_equal(in_child(use_last_slot, &board), 0);
	metrics_settle(&board.metrics[SCOREBOARD_SLOTS - 1]);
	assert_int_equal(atomic_load(&board.metrics[SCOREBOARD_SLOTS - 1].requests_begun), 3);
	assert_int_equal(atomic_load(&board.metrics[SCOREBOARD_SLOTS - 1].requests_ended), 3);
	scoreboard_close(&board);
}

static void
test_the_gauges_of_slots_without_a_worker_are_settled(void **state)
{
	const size_t other = SCOREBOARD_SLOTS - 2;
	struct scoreboard board;

	(void)state;
	assert_int_equal(scoreboard_open(&board), 0);
	atomic_store(&board.notice->taken[other], true);
	metrics_add(&board.metrics[other].requests_begun, 2);
	assert_int_equal(in_child(use_last_slot, &board), 0);
	scoreboard_settle_free(&board);
	assert_int_equal(atomic_load(&board.metrics[SCOREBOARD_SLOTS - 1].requests_begun), 3);
	assert_int_equal(atomic_load(&board.metrics[SCOREBOARD_SLOTS - 1].requests_ended), 3);
	assert_int_equal(atomic_load(&board.metrics[other].requests_ended), 0);
	scoreboard_close(&board);
}

static void
settle_for_ever(struct scoreboard *board)
{
	while (!atomic_load(&board->notice->stopping))
		scoreboard_settle_free(board);
}

/* Lives and deaths in one slot, while another process settles: no worker finds its own counters changed. */
static void
test_a_new_worker_is_not_disturbed(void **state)
{
	struct scoreboard board;
	struct metrics *metrics;
	unsigned disturbed = 0;
	pid_t pid;

	(void)state;
	assert_int_equal(scoreboard_open(&board), 0);
	metrics = board.metrics;
	pid = fork();
	if (pid == 0) {
		settle_for_ever(&board);
		_exit(0);
	}
	assert_true(pid > 0);
	for (uint64_t life = 0; life < 1000000; life++) {
		atomic_store(&board.notice->taken[0], true);
		metrics_settle(metrics);
		for (int i = 0; i < 3; i++) {
			metrics_add(&metrics->requests_begun, 1);
			if (i < 2)
				metrics_add(&metrics->requests_ended, 1);
			disturbed += atomic_load(&metrics->requests_ended) != 3 * life + (i < 2 ? (unsigned)i + 1 : 2);
		}
		atomic_store(&board.notice->taken[0], false);
	}
	atomic_store(&board.notice->stopping, true);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(disturbed, 0);
	scoreboard_settle_free(&board);
	assert_int_equal(atomic_load(&metrics->requests_ended), 3000000);
	scoreboard_close(&board);
}

static void
read_notice(struct scoreboard *board)
{
	scoreboard_protect(board);
	if (atomic_load(&board->notice->workers) != 5)
		_exit(1);
}

static void
write_notice(struct scoreboard *board)
{
	signal(SIGSEGV, SIG_DFL); /* also under a sanitizer */
	scoreboard_protect(board);
	atomic_store(&board->notice->workers, 6);
}

static void
test_a_child_reads_the_notice_and_cannot_write_it(void **state)
{
	struct scoreboard board;
	int status;

	(void)state;
	assert_int_equal(scoreboard_open(&board), 0);
	atomic_store(&board.notice->workers, 5);
	assert_int_equal(in_child(read_notice, &board), 0);
	status = in_child(write_notice, &board);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	assert_int_equal(atomic_load(&board.notice->workers), 5);
	atomic_store(&board.notice->workers, 4); /* the arbiter still can */
	scoreboard_close(&board);
}

static void
open_without_room(struct scoreboard *board)
{
	struct rlimit none = {.rlim_cur = 0, .rlim_max = 0};

	if (setrlimit(RLIMIT_AS, &none) != 0)
		_exit(2);
	_exit(scoreboard_open(board) < 0 && board->notice == NULL ? 0 : 1);
}

static void
test_no_memory_is_an_error(void **state)
{
	struct scoreboard board;

	(void)state;
#ifdef __SANITIZE_ADDRESS__
	skip(); /* its run-time needs address space of its own */
#endif
	assert_int_equal(in_child(open_without_room, &board), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_slots_survive_fork),
	    cmocka_unit_test(test_a_slot_taken_over_keeps_its_counters_and_settles_its_gauges),
	    cmocka_unit_test(test_the_gauges_of_slots_without_a_worker_are_settled),
	    cmocka_unit_test(test_a_new_worker_is_not_disturbed),
	    cmocka_unit_test(test_a_child_reads_the_notice_and_cannot_write_it),
	    cmocka_unit_test(test_no_memory_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
