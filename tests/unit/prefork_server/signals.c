/* Unit tests of prefork_server/signals. */
#include "prefork_server/signals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"

#define LONG_MS 30000

static void
quit(int signal)
{
	_exit(100 + signal);
}

static void
block(int signal)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

/* in_child runs BODY in a forked child; returns its exit status. */
static int
in_child(void (*body)(void))
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		body();
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
note_before_init(void)
{
	block(SIGTERM);
	raise(SIGTERM);
	signals_init(quit);
	if (!signals_term())
		_exit(1);
}

static void
test_a_signal_that_came_during_the_start_is_not_lost(void **state)
{
	(void)state;
	assert_int_equal(in_child(note_before_init), 0);
}

static void
reopen_once(void)
{
	signals_init(quit);
	if (signals_take_reopen())
		_exit(1);
	raise(SIGUSR1);
	if (!signals_take_reopen() || signals_take_reopen() || signals_term())
		_exit(2);
}

static void
test_usr1_is_noted_once(void **state)
{
	(void)state;
	assert_int_equal(in_child(reopen_once), 0);
}

/* Not in the middle of the work, ... */
static void
quit_later(void)
{
	signals_init(quit);
	raise(SIGINT);
	if (write(STDERR_FILENO, "", 0) != 0)
		_exit(1);
	signals_check();
	_exit(2);
}

/* ... but before the wait that follows it, ... */
static void
quit_before_waiting(void)
{
	signals_init(quit);
	raise(SIGQUIT);
	signals_wait_begin();
	_exit(2);
}

/* ... and in the wait. */
static void
quit_while_waiting(void)
{
	pid_t parent = getpid();

	signals_init(quit);
	if (fork() == 0) {
		clock_sleep_until_ns(clock_now_ns() + 20 * NS_PER_MS);
		kill(parent, SIGABRT);
		_exit(0);
	}
	signals_wait_begin();
	clock_sleep_until_ns(clock_now_ns() + LONG_MS * NS_PER_MS);
	signals_wait_end();
	_exit(2);
}

static void
test_int_quit_and_abrt_end_the_process_only_where_it_waits(void **state)
{
	(void)state;
	assert_int_equal(in_child(quit_later), 100 + SIGINT);
	assert_int_equal(in_child(quit_before_waiting), 100 + SIGQUIT);
	assert_int_equal(in_child(quit_while_waiting), 100 + SIGABRT);
}

static void
idle_after_term(void)
{
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	uint64_t start = clock_now_ns();

	signals_init(quit);
	raise(SIGTERM);
	signals_idle(epoll_fd, LONG_MS);
	_exit(clock_now_ns() - start < LONG_MS * NS_PER_MS / 2 ? 0 : 1);
}

static void
term_while_idle(void)
{
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	uint64_t start = clock_now_ns();
	pid_t parent = getpid();

	signals_init(quit);
	if (fork() == 0) {
		clock_sleep_until_ns(clock_now_ns() + 20 * NS_PER_MS);
		kill(parent, SIGTERM);
		_exit(0);
	}
	signals_idle(epoll_fd, LONG_MS);
	_exit(signals_term() && clock_now_ns() - start < LONG_MS * NS_PER_MS / 2 ? 0 : 1);
}

static void
test_term_ends_an_idle_wait_whenever_it_comes(void **state)
{
	(void)state;
	assert_int_equal(in_child(idle_after_term), 0);
	assert_int_equal(in_child(term_while_idle), 0);
}

static void
ignore_the_arbiters(void)
{
	signals_init(quit);
	raise(SIGHUP);
	raise(SIGTTIN);
	raise(SIGTTOU);
}

static void
test_the_arbiters_signals_do_nothing_here(void **state)
{
	(void)state;
	assert_int_equal(in_child(ignore_the_arbiters), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_signal_that_came_during_the_start_is_not_lost),
	    cmocka_unit_test(test_usr1_is_noted_once),
	    cmocka_unit_test(test_int_quit_and_abrt_end_the_process_only_where_it_waits),
	    cmocka_unit_test(test_term_ends_an_idle_wait_whenever_it_comes),
	    cmocka_unit_test(test_the_arbiters_signals_do_nothing_here),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
