/* Unit tests of prefork_server/duty. */
#include "prefork_server/duty.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "prefork_server/signals.h"

#define BEAT_MS 50

/* What the arbiter has in the notice, and a place for what children saw. */
struct memory {
	_Atomic uint64_t workers, epoch;
	_Atomic int seen;
};

static struct memory *memory;
static struct duty duty;

static int
set_up(void **state)
{
	(void)state;
	memory = mmap(NULL, sizeof(*memory), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(memory, MAP_FAILED);
	atomic_store(&memory->workers, 10);
	assert_int_equal(duty_open(&duty, 1, &memory->workers, &memory->epoch), 0);
	return duty_begin(&duty, BEAT_MS);
}

static int
tear_down(void **state)
{
	(void)state;
	duty_close(&duty);
	return munmap(memory, sizeof(*memory));
}

/* start runs BODY in a child, which exits with what it returns. */
static pid_t
start(int (*body)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		alarm(20);
		_exit(body());
	}
	assert_true(pid > 0);
	return pid;
}

static int
end_of(pid_t pid)
{
	int status = -1;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* take returns 0 with a turn, 1 where it was time to beat, else 2. */
static int
take(void)
{
	int error = duty_take(&duty);

	return error == 0 ? (duty_is_mine() ? 0 : 2) : error == -EAGAIN ? 1 : 2;
}

static int
take_and_give_back(void)
{
	int result = take();

	duty_leave();
	return result == 0 && duty_is_mine() ? 2 : result;
}

static int
take_and_tell(void)
{
	int result = take();

	atomic_store(&memory->seen, 1);
	while (result == 0)
		pause();
	return result;
}

static void
wait_until_seen(void)
{
	while (!atomic_load(&memory->seen))
		usleep(1000);
	atomic_store(&memory->seen, 0);
}

static void
end(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(end_of(pid), 128 + SIGKILL);
}

static void
test_a_turn_that_was_given_back_is_there_for_the_next(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(end_of(start(take_and_give_back)), 0);
}

static void
test_there_are_no_more_turns_than_made(void **state)
{
	pid_t first = start(take_and_tell);

	(void)state;
	wait_until_seen();
	assert_int_equal(end_of(start(take)), 1);
	end(first);
}

static void
test_a_turn_that_died_with_its_worker_comes_back(void **state)
{
	pid_t first = start(take_and_tell);

	(void)state;
	wait_until_seen();
	end(first);
	assert_int_equal(end_of(start(take)), 1);
	duty_renew(&duty);
	assert_int_equal(end_of(start(take_and_give_back)), 0);
}

static int
leave_on_usr1(void)
{
	sigset_t set;
	int number;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (take() != 0)
		return 2;
	atomic_store(&memory->seen, 1);
	sigwait(&set, &number);
	duty_leave();
	return 0;
}

static void
test_turns_of_an_older_epoch_are_worth_nothing(void **state)
{
	pid_t old = start(leave_on_usr1);
	pid_t next;

	(void)state;
	wait_until_seen();
	duty_renew(&duty);
	next = start(take_and_tell);
	wait_until_seen();
	kill(old, SIGUSR1);
	assert_int_equal(end_of(old), 0);
	assert_int_equal(end_of(start(take)), 1); /* and there are not two of them now */
	end(next);
}

static void
test_many_renewals_leave_as_many_turns_as_one(void **state)
{
	pid_t first;

	(void)state;
	for (int i = 0; i < 100; i++)
		duty_renew(&duty);
	first = start(take_and_tell);
	wait_until_seen();
	assert_int_equal(end_of(start(take)), 1);
	end(first);
}

/* keep_for_a_round wants its turn back at once; it is somebody else's by then. */
static int
keep_for_a_round(void)
{
	for (int i = 0; i < DUTY_ROUND; i++) {
		if (take() != 0)
			return 2;
		duty_accepted(&duty);
	}
	while (atomic_load(&duty.page->waiting) == 0)
		usleep(1000);
	usleep(10000);
	return take() == 1 ? 0 : 3;
}

static int
wait_and_keep(void)
{
	int result;

	while ((result = take()) == 1)
		;
	usleep(4 * BEAT_MS * 1000);
	return result;
}

static void
test_a_round_is_the_end_of_a_turn(void **state)
{
	pid_t first = start(keep_for_a_round);
	pid_t second;

	(void)state;
	while (atomic_load(&duty.page->accepted) < DUTY_ROUND)
		usleep(1000);
	second = start(wait_and_keep);
	assert_int_equal(end_of(first), 0);
	assert_int_equal(end_of(second), 0);
}

static void
test_few_workers_need_no_turn(void **state)
{
	pid_t first = start(take_and_tell);

	(void)state;
	wait_until_seen();
	atomic_store(&memory->workers, 1);
	assert_int_equal(duty_take(&duty), 0);
	assert_false(duty_is_mine());
	end(first);
}

static int
claim(void)
{
	if (take() != 1)
		return 2;
	duty_claim(&duty);
	return duty_is_mine() ? 0 : 1;
}

static int
accept_for_ever(void)
{
	if (duty_take(&duty) != 0)
		return 2;
	atomic_store(&memory->seen, 1);
	for (;;) {
		duty_accepted(&duty);
		usleep(1000);
	}
}

static void
test_a_turn_can_be_claimed_only_while_nobody_is_accepted(void **state)
{
	pid_t busy = start(accept_for_ever);
	pid_t stopped;

	(void)state;
	wait_until_seen();
	assert_int_equal(end_of(start(claim)), 1);
	end(busy);
	duty_renew(&duty);
	stopped = start(take_and_tell);
	wait_until_seen();
	assert_int_equal(end_of(start(claim)), 0);
	end(stopped);
}

static void
do_nothing(int signal)
{
	(void)signal;
}

static void
do_nothing_too(void)
{
}

static int
take_until_term(void)
{
	int error;

	signals_init(do_nothing, do_nothing_too);
	if (signals_break_on_term(duty.take_fd) != 0)
		return 2;
	atomic_store(&memory->seen, 1);
	while ((error = duty_take(&duty)) == -EAGAIN)
		;
	return error == -ENOTSOCK && signals_term() ? 0 : 1;
}

static void
test_term_ends_the_wait(void **state)
{
	pid_t first = start(take_and_tell);
	pid_t second;

	(void)state;
	wait_until_seen();
	second = start(take_until_term);
	wait_until_seen();
	usleep(5000);
	kill(second, SIGTERM);
	assert_int_equal(end_of(second), 0);
	end(first);
}

static void
test_the_default_is_one_for_each_cpu(void **state)
{
	(void)state;
	assert_in_range(duty_default_turns(), 1, DUTY_TURNS_MAX);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_a_turn_that_was_given_back_is_there_for_the_next),
	    TEST(test_there_are_no_more_turns_than_made),
	    TEST(test_a_turn_that_died_with_its_worker_comes_back),
	    TEST(test_turns_of_an_older_epoch_are_worth_nothing),
	    TEST(test_many_renewals_leave_as_many_turns_as_one),
	    TEST(test_a_round_is_the_end_of_a_turn),
	    TEST(test_few_workers_need_no_turn),
	    TEST(test_a_turn_can_be_claimed_only_while_nobody_is_accepted),
	    TEST(test_term_ends_the_wait),
	    cmocka_unit_test(test_the_default_is_one_for_each_cpu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
