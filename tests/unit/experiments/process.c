/* Child processes: their output, their end, their groups, and nothing left behind. */
#include "tests/unit/experiments/sample.h"

#include <signal.h>
#include <sys/wait.h>

#include "common/clock.h"
#include "experiments/process.h"

#define PATIENCE_NS (20 * NS_PER_SEC)

static void
pause_ms(unsigned ms)
{
	clock_sleep_until_ns(clock_now_ns() + ms * NS_PER_MS);
}

/* start runs a shell command as a process of ours. */
static void
start(struct process *process, const struct keeper *keeper, const char *command, bool apart)
{
	char *argv[] = {(char *)(uintptr_t) "/bin/sh", (char *)(uintptr_t) "-c", (char *)(uintptr_t)command, NULL};

	assert_int_equal(process_spawn(process, keeper, argv, NULL, apart), 0);
}

/* wait_until_gone reaps until the process and its group are gone. */
static void
wait_until_gone(struct process *process)
{
	uint64_t due = clock_now_ns() + PATIENCE_NS;

	while (!process_is_gone(process)) {
		pid_t pid;
		int status;

		while ((pid = process_reap_next(&status)) > 0)
			if (pid == process->pid)
				process_ended(process, status);
		assert_true(clock_now_ns() < due);
		pause_ms(1);
	}
}

static void
wait_until_dead(pid_t pid)
{
	uint64_t due = clock_now_ns() + PATIENCE_NS;

	while (kill(pid, 0) == 0) {
		int status;

		while (process_reap_next(&status) > 0)
			;
		assert_true(clock_now_ns() < due);
		pause_ms(1);
	}
}

static void
test_output_and_end_are_kept(void **state)
{
	struct keeper none = {0};
	struct process process;
	struct text out = {0};
	char lines[256], how[64];

	(void)state;
	start(&process, &none, "echo one; echo two; echo three >&2; printf 'f\\001ur\\n' >&2; exit 3", true);
	wait_until_gone(&process);
	process_read(process.output, &out, 1000);
	assert_string_equal(out.at, "one\ntwo\n");
	assert_string_equal(process_last_lines(process.errors, lines, sizeof(lines)), "three | f ur");
	assert_string_equal(process_describe(&process, how, sizeof(how)), "ended with status 3");
	text_deinit(&out);
	process_close(&process, &none);
	start(&process, &none, "for i in 1 2 3 4 5 6; do echo line $i; done; kill -TERM $$", false);
	wait_until_gone(&process);
	assert_string_equal(process_last_lines(process.errors, lines, sizeof(lines)), "line 4 | line 5 | line 6");
	assert_has(process_describe(&process, how, sizeof(how)), "was killed by signal 15");
	process_close(&process, &none);
	start(&process, &none, "exit 0", false);
	wait_until_gone(&process);
	assert_string_equal(process_last_lines(process.errors, lines, sizeof(lines)), "it wrote nothing");
	process_close(&process, &none);
}

static void
test_what_cannot_be_started_is_told(void **state)
{
	struct keeper none = {0};
	struct process process;
	char *argv[] = {(char *)(uintptr_t) "/no/such/program", NULL};

	(void)state;
	assert_int_equal(process_spawn(&process, &none, argv, NULL, false), -ENOENT);
	assert_int_equal(process.pid, 0);
	argv[0] = (char *)(uintptr_t) "/dev/null";
	assert_int_equal(process_spawn(&process, &none, argv, NULL, false), -EACCES);
}

static void
test_a_process_stays_on_its_cpus(void **state)
{
	char *argv[] = {(char *)(uintptr_t) "/bin/sh", (char *)(uintptr_t) "-c",
	    (char *)(uintptr_t) "grep Cpus_allowed_list /proc/self/status", NULL};
	struct keeper none = {0};
	struct process process;
	struct text out = {0};
	cpu_set_t all, one;
	char expected[64];
	size_t first = 0;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	while (!CPU_ISSET(first, &all))
		first++;
	CPU_ZERO(&one);
	assert_int_equal(process_spawn(&process, &none, argv, &one, true), -EINVAL); /* no CPU at all */
	CPU_SET(first, &one);
	assert_int_equal(process_spawn(&process, &none, argv, &one, true), 0);
	wait_until_gone(&process);
	process_read(process.output, &out, 1000);
	snprintf(expected, sizeof(expected), "Cpus_allowed_list:\t%zu\n", first);
	assert_string_equal(text_string(&out), expected);
	text_deinit(&out);
	process_close(&process, &none);
}

/* child_pid waits until a process has written the number of a child, and returns it. */
static pid_t
child_pid(const struct process *process)
{
	uint64_t due = clock_now_ns() + PATIENCE_NS;
	struct text out = {0};
	pid_t pid;

	do {
		text_deinit(&out);
		pause_ms(1);
		process_read(process->output, &out, 100);
		assert_true(clock_now_ns() < due);
	} while (strchr(text_string(&out), '\n') == NULL);
	pid = (pid_t)strtol(out.at, NULL, 10);
	text_deinit(&out);
	return pid;
}

static void
test_a_group_ends_with_its_leader(void **state)
{
	struct keeper none = {0};
	struct process process;
	pid_t child;

	(void)state;
	start(&process, &none, "sleep 100 & echo $!; exit 0", false);
	child = child_pid(&process);
	wait_until_gone(&process);
	wait_until_dead(child);
	process_close(&process, &none);
}

static void
test_a_process_that_will_not_go_is_killed_with_its_group(void **state)
{
	struct keeper none = {0};
	struct process process;
	pid_t child;

	(void)state;
	start(&process, &none, "trap '' TERM; sleep 100 & echo $!; while :; do wait; done", false);
	child = child_pid(&process);
	process_signal(&process, SIGTERM);
	pause_ms(20);
	assert_false(process_is_gone(&process));
	process_kill(&process);
	wait_until_gone(&process);
	wait_until_dead(child);
	process_close(&process, &none);
}

static void
test_a_daemon_is_swept(void **state)
{
	struct keeper none = {0};
	struct process process;
	pid_t daemon;

	(void)state;
	assert_int_equal(process_adopt(), 0);
	start(&process, &none, "setsid sh -c 'echo $$; exec sleep 100' & sleep 0.2", false);
	daemon = child_pid(&process);
	wait_until_gone(&process);
	assert_int_equal(kill(daemon, 0), 0);
	process_sweep(&none);
	assert_int_equal(kill(daemon, 0), -1);
	process_close(&process, &none);
}

static void
test_the_keeper_kills_what_a_dead_lab_leaves(void **state)
{
	int fds[2];
	pid_t lab, pids[2] = {0};

	(void)state;
	assert_int_equal(pipe(fds), 0);
	lab = fork();
	if (lab == 0) {
		struct keeper keeper;
		struct process process;

		if (keeper_start(&keeper) != 0)
			_exit(1);
		start(&process, &keeper, "sleep 100 & echo $!; exec sleep 100", false);
		pids[0] = process.pid;
		pids[1] = child_pid(&process);
		if (write(fds[1], pids, sizeof(pids)) < 0)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(fds[0], pids, sizeof(pids)), sizeof(pids));
	assert_int_equal(kill(pids[1], 0), 0);
	assert_int_equal(kill(lab, SIGKILL), 0);
	assert_int_equal(waitpid(lab, NULL, 0), lab);
	wait_until_dead(pids[0]);
	wait_until_dead(pids[1]);
	close(fds[0]);
	close(fds[1]);
}

static void
test_the_keeper_leaves_alone_what_is_gone(void **state)
{
	struct keeper keeper;
	struct process process, other;

	(void)state;
	assert_int_equal(keeper_start(&keeper), 0);
	start(&process, &keeper, "exit 0", false);
	wait_until_gone(&process);
	process_close(&process, &keeper);
	/* Told that the group is gone, the keeper must not touch one that has its number by now. */
	start(&other, &keeper, "sleep 100", false);
	keeper_note(&keeper, other.pid, false);
	keeper_stop(&keeper);
	assert_int_equal(kill(other.pid, 0), 0);
	process_kill(&other);
	wait_until_gone(&other);
	process_close(&other, &keeper);
	keeper_stop(&keeper);
}

static void
test_run_feeds_waits_and_gives_up(void **state)
{
	struct keeper none = {0};
	struct text in = {0}, out = {0}, err = {0};
	char *cat[] = {(char *)(uintptr_t) "/bin/sh", (char *)(uintptr_t) "-c",
	    (char *)(uintptr_t) "cat; echo x >&2; exit 7", NULL};
	char *sleeper[] = {
	    (char *)(uintptr_t) "/bin/sh", (char *)(uintptr_t) "-c", (char *)(uintptr_t) "sleep 100 & wait", NULL};
	char *killed[] = {
	    (char *)(uintptr_t) "/bin/sh", (char *)(uintptr_t) "-c", (char *)(uintptr_t) "kill -9 $$", NULL};
	char *nothing[] = {(char *)(uintptr_t) "/no/such", NULL};

	(void)state;
	text_add(&in, "hello");
	assert_int_equal(process_run(&none, cat, &in, &out, &err, 20), 7);
	assert_string_equal(out.at, "hello");
	assert_string_equal(err.at, "x\n");
	assert_int_equal(process_run(&none, sleeper, NULL, NULL, NULL, 0.05), -ETIMEDOUT);
	assert_int_equal(process_run(&none, killed, NULL, NULL, NULL, 20), -EINTR);
	assert_int_equal(process_run(&none, nothing, NULL, NULL, NULL, 20), -ENOENT);
	text_deinit(&in);
	text_deinit(&out);
	text_deinit(&err);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_output_and_end_are_kept),
	    cmocka_unit_test(test_what_cannot_be_started_is_told),
	    cmocka_unit_test(test_a_process_stays_on_its_cpus),
	    cmocka_unit_test(test_a_group_ends_with_its_leader),
	    cmocka_unit_test(test_a_process_that_will_not_go_is_killed_with_its_group),
	    cmocka_unit_test(test_a_daemon_is_swept),
	    cmocka_unit_test(test_the_keeper_kills_what_a_dead_lab_leaves),
	    cmocka_unit_test(test_the_keeper_leaves_alone_what_is_gone),
	    cmocka_unit_test(test_run_feeds_waits_and_gives_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
