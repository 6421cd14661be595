/* Unit tests of prefork_server/scoreboard. */
#include "prefork_server/scoreboard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
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
	struct scoreboard_row *row = &board->rows[SCOREBOARD_SLOTS - 1];

	heartbeat_beat(&row->heartbeat);
	metrics_add(&row->lanes[0].metrics.requests_begun, 1);
	metrics_add(&row->lanes[CONFIG_THREADS_MAX - 1].metrics.requests_begun, 2);
}

static void
test_slots_survive_fork(void **state)
{
	struct scoreboard board;

	(void)state;
	assert_int_equal(scoreboard_open(&board), 0);
	assert_int_equal(atomic_load(&board.rows[SCOREBOARD_SLOTS - 1].heartbeat.beats), 0);
	assert_int_equal(in_child(use_last_slot, &board), 0);
	assert_int_equal(atomic_load(&board.rows[SCOREBOARD_SLOTS - 1].heartbeat.beats), 1);
	assert_int_equal(atomic_load(&board.rows[SCOREBOARD_SLOTS - 1].lanes[0].metrics.requests_begun), 1);
	assert_int_equal(atomic_load(&board.rows[0].heartbeat.beats), 0);
	scoreboard_close(&board);
	assert_null(board.notice);
}

/* last_slot returns what a dead worker of the last slot left, taken together. */
static struct metrics_totals
last_slot(const struct scoreboard *board)
{
	struct metrics_totals totals = {0};

	metrics_sum(&totals, &board->rows[SCOREBOARD_SLOTS - 1].lanes[0].metrics, 1);
	metrics_sum(&totals, &board->rows[SCOREBOARD_SLOTS - 1].lanes[CONFIG_THREADS_MAX - 1].metrics, 1);
	return totals;
}

static void
test_a_slot_taken_over_keeps_its_counters_and_settles_its_gauges(void **state)
{
	struct scoreboard board;

	(void)state;
	assert_int_equal(scoreboard_open(&board), 0);
	scoreboard_take(&board, SCOREBOARD_SLOTS - 1, CONFIG_THREADS_MAX);
	assert_int_equal(in_child(use_last_slot, &board), 0);
	assert_int_equal(last_slot(&board).requests_ended, 0);
	scoreboard_begin(&board, SCOREBOARD_SLOTS - 1);
	assert_int_equal(last_slot(&board).requests_begun, 3);
	assert_int_equal(last_slot(&board).requests_ended, 3);
	scoreboard_close(&board);
}

static void
test_the_gauges_of_slots_without_a_worker_are_settled(void **state)
{
	const size_t other = SCOREBOARD_SLOTS - 2;
	struct scoreboard board;

	(void)state;
	assert_int_equal(scoreboard_open(&board), 0);
	scoreboard_take(&board, other, 1);
	scoreboard_take(&board, other + 1, CONFIG_THREADS_MAX);
	metrics_add(&board.rows[other].lanes[0].metrics.requests_begun, 2);
	assert_int_equal(in_child(use_last_slot, &board), 0);
	scoreboard_settle_free(&board);
	assert_int_equal(last_slot(&board).requests_ended, 0);
	scoreboard_leave(&board, other + 1);
	scoreboard_settle_free(&board);
	assert_int_equal(last_slot(&board).requests_begun, 3);
	assert_int_equal(last_slot(&board).requests_ended, 3);
	assert_int_equal(atomic_load(&board.rows[other].lanes[0].metrics.requests_ended), 0);
	scoreboard_close(&board);
}

static void
test_all_rows_and_lanes_that_were_ever_used_are_summed(void **state)
{
	struct metrics_totals totals = {0};
	struct scoreboard board;

	(void)state;
	assert_int_equal(scoreboard_open(&board), 0);
	scoreboard_sum(&board, &totals);
	assert_int_equal(totals.requests_begun, 0);
	for (size_t slot = 0; slot < 3; slot++) {
		scoreboard_take(&board, slot, 4 - slot);
		for (size_t i = 0; i < 4 - slot; i++)
			metrics_add(&board.rows[slot].lanes[i].metrics.requests_begun, 1U << (4 * slot + i));
		scoreboard_leave(&board, slot);
	}
	scoreboard_sum(&board, &totals);
	assert_int_equal(totals.requests_begun, 0x37f);
	scoreboard_close(&board);
}

/* resident returns how many KiB of the shared memory this process has touched. */
static long
resident(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[256];
	long kib = -1;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL)
		(void)sscanf(line, "RssShmem: %ld", &kib);
	fclose(file);
	assert_true(kib >= 0);
	return kib;
}

static void
test_what_nobody_uses_costs_no_memory(void **state)
{
	struct metrics_totals totals = {0};
	struct scoreboard board;
	long before = resident();

	(void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	skip(); /* they keep notes of their own about all that is read */
#endif
	assert_int_equal(scoreboard_open(&board), 0);
	for (size_t slot = 0; slot < 16; slot++) {
		scoreboard_take(&board, slot, 1);
		scoreboard_begin(&board, slot);
		scoreboard_leave(&board, slot);
	}
	scoreboard_settle_free(&board);
	scoreboard_sum(&board, &totals);
	assert_in_range(resident() - before, 1, 16 * 8 + 64);
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
	metrics = &board.rows[0].lanes[0].metrics;
	pid = fork();
	if (pid == 0) {
		settle_for_ever(&board);
		_exit(0);
	}
	assert_true(pid > 0);
	for (uint64_t life = 0; life < 1000000; life++) {
		scoreboard_take(&board, 0, 1);
		scoreboard_begin(&board, 0);
		for (int i = 0; i < 3; i++) {
			metrics_add(&metrics->requests_begun, 1);
			if (i < 2)
				metrics_add(&metrics->requests_ended, 1);
			disturbed += atomic_load(&metrics->requests_ended) != 3 * life + (i < 2 ? (unsigned)i + 1 : 2);
		}
		scoreboard_leave(&board, 0);
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

/* Under a limit to the size of files, as a test of a full log sets it. */
static void
open_without_files(struct scoreboard *board)
{
	struct rlimit none = {.rlim_cur = 0, .rlim_max = 0};

	signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &none) != 0)
		_exit(2);
	if (scoreboard_open(board) != 0)
		_exit(1);
	heartbeat_beat(&board->rows[SCOREBOARD_SLOTS - 1].heartbeat);
	scoreboard_close(board);
}

static void
test_it_needs_no_file(void **state)
{
	struct scoreboard board;

	(void)state;
	assert_int_equal(in_child(open_without_files, &board), 0);
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
	    cmocka_unit_test(test_all_rows_and_lanes_that_were_ever_used_are_summed),
	    cmocka_unit_test(test_what_nobody_uses_costs_no_memory),
	    cmocka_unit_test(test_a_new_worker_is_not_disturbed),
	    cmocka_unit_test(test_a_child_reads_the_notice_and_cannot_write_it),
	    cmocka_unit_test(test_it_needs_no_file),
	    cmocka_unit_test(test_no_memory_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
