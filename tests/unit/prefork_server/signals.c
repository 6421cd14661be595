/* Unit tests of prefork_server/signals. */
#include "prefork_server/signals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/listener.h"

#define LONG_MS 30000

static void
quit(int signal)
{
	_exit(100 + signal);
}

static int reopened;

static void
reopen(void)
{
	reopened++;
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
	signals_init(quit, reopen);
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
	signals_init(quit, reopen);
	raise(SIGUSR1);
	if (reopened != 0)
		_exit(1);
	signals_check();
	signals_check();
	if (reopened != 1)
		_exit(2);
	signals_wait_begin();
	raise(SIGUSR1);
	signals_wait_end();
	if (reopened != 2 || signals_term())
		_exit(3);
}

static void
test_usr1_reopens_once_and_only_where_it_waits(void **state)
{
	(void)state;
	assert_int_equal(in_child(reopen_once), 0);
}

/* Not in the middle of the work, ... */
static void
quit_later(void)
{
	signals_init(quit, reopen);
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
	signals_init(quit, reopen);
	raise(SIGQUIT);
	signals_wait_begin();
	_exit(2);
}

/* ... and in the wait. */
static void
quit_while_waiting(void)
{
	pid_t parent = getpid();

	signals_init(quit, reopen);
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

static volatile bool reopens;

static void
quit_but_not_in_reopen(int signal)
{
	_exit(reopens ? 1 : 100 + signal);
}

static void
reopen_with_quit(void)
{
	reopens = true;
	raise(SIGQUIT);
	reopens = false;
}

static void
quit_in_reopen_before_the_wait(void)
{
	signals_init(quit_but_not_in_reopen, reopen_with_quit);
	raise(SIGUSR1);
	signals_wait_begin();
	_exit(2);
}

static void
quit_in_reopen_in_the_wait(void)
{
	signals_init(quit_but_not_in_reopen, reopen_with_quit);
	signals_wait_begin();
	raise(SIGUSR1);
	_exit(2);
}

static void
reopen_with_usr1(void)
{
	if (++reopened < 3)
		raise(SIGUSR1);
}

static void
usr1_in_reopen_before_the_wait(void)
{
	signals_init(quit, reopen_with_usr1);
	raise(SIGUSR1);
	signals_wait_begin();
	if (reopened != 3)
		_exit(1);
}

static void
test_no_signal_acts_while_another_is_obeyed_and_none_is_lost(void **state)
{
	(void)state;
	assert_int_equal(in_child(quit_in_reopen_before_the_wait), 100 + SIGQUIT);
	assert_int_equal(in_child(quit_in_reopen_in_the_wait), 100 + SIGQUIT);
	assert_int_equal(in_child(usr1_in_reopen_before_the_wait), 0);
}

/* open_listener returns a blocking socket that nobody connects to. */
static int
open_listener(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, 8) != 0)
		_exit(9);
	return fd;
}

/* accept_until_broken leaves with 0 when TERM, and nothing else, ended accept. */
static _Noreturn void
accept_until_broken(int fd)
{
	int accepted = listener_accept(fd, true);

	_exit(accepted == -ENOTSOCK && signals_term() ? 0 : 1);
}

static void
accept_after_term(void)
{
	int fd = open_listener();

	signals_init(quit, reopen);
	if (signals_break_on_term(fd) != 0)
		_exit(2);
	raise(SIGTERM);
	accept_until_broken(fd);
}

static void
accept_with_term_before(void)
{
	int fd = open_listener();

	signals_init(quit, reopen);
	raise(SIGTERM);
	if (signals_break_on_term(fd) != 0)
		_exit(2);
	accept_until_broken(fd);
}

static void
term_in_accept(void)
{
	int fd = open_listener();
	pid_t parent = getpid();

	signals_init(quit, reopen);
	if (signals_break_on_term(fd) != 0)
		_exit(2);
	if (fork() == 0) {
		clock_sleep_until_ns(clock_now_ns() + 20 * NS_PER_MS);
		kill(parent, SIGTERM);
		_exit(0);
	}
	accept_until_broken(fd);
}

static void
test_term_ends_an_accept_whenever_it_comes(void **state)
{
	(void)state;
	assert_int_equal(in_child(accept_after_term), 0);
	assert_int_equal(in_child(accept_with_term_before), 0);
	assert_int_equal(in_child(term_in_accept), 0);
}

static void
ignore_the_arbiters(void)
{
	signals_init(quit, reopen);
	raise(SIGHUP);
	raise(SIGTTIN);
	raise(SIGTTOU);
	raise(SIGUSR2);
	raise(SIGWINCH);
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
	    cmocka_unit_test(test_usr1_reopens_once_and_only_where_it_waits),
	    cmocka_unit_test(test_int_quit_and_abrt_end_the_process_only_where_it_waits),
	    cmocka_unit_test(test_no_signal_acts_while_another_is_obeyed_and_none_is_lost),
	    cmocka_unit_test(test_term_ends_an_accept_whenever_it_comes),
	    cmocka_unit_test(test_the_arbiters_signals_do_nothing_here),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
