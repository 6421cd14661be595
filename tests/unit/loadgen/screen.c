/* Unit tests of loadgen/screen: what it sends to a terminal, and where it sends nothing. */
#include "loadgen/screen.h"

#include <fcntl.h>
#include <signal.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int leader, follower; /* the two ends of a pseudo-terminal */
static FILE *out;

static int
open_terminal(void **state)
{
	(void)state;
	leader = posix_openpt(O_RDWR | O_NOCTTY);
	if (leader == -1 || grantpt(leader) != 0 || unlockpt(leader) != 0)
		return -1;
	follower = open(ptsname(leader), O_RDWR | O_NOCTTY);
	out = follower != -1 ? fdopen(follower, "w") : NULL;
	return out != NULL ? 0 : -1;
}

static int
close_terminal(void **state)
{
	(void)state;
	fclose(out);
	close(leader);
	return 0;
}

/* received returns what the terminal was sent since the last time. The kernel hands it over in pieces. */
static const char *
received(void)
{
	static char text[4096];
	size_t len = 0;

	fputc('!', out); /* the end */
	fflush(out);
	while (len == 0 || text[len - 1] != '!') {
		ssize_t got = read(leader, text + len, sizeof(text) - len);

		assert_true(got > 0);
		len += (size_t)got;
	}
	text[len - 1] = '\0';
	return text;
}

static void
test_a_block_is_drawn_over_itself_and_wiped(void **state)
{
	struct screen screen;

	(void)state;
	screen_init(&screen, out);
	screen_clear(&screen);
	assert_string_equal(received(), ""); /* nothing is there to be wiped */
	screen_draw(&screen, "one\ntwo\n");
	assert_string_equal(
	    received(), "\rone\033[K\r\r\ntwo\033[K\r\r\n\033[J\033[2A"); /* \r\n: the terminal's own \r too */
	screen_draw(&screen, "three\n");
	assert_string_equal(received(), "\rthree\033[K\r\r\n\033[J\033[1A");
	screen_draw(&screen, "");
	assert_string_equal(received(), "\r\033[J");
	screen_clear(&screen);
	assert_string_equal(received(), "\r\033[J");
	screen_clear(&screen);
	assert_string_equal(received(), "");
}

static void
test_the_size_is_asked_for_each_time(void **state)
{
	struct winsize size = {.ws_col = 132, .ws_row = 50};
	struct screen screen;
	size_t columns, rows;

	(void)state;
	screen_init(&screen, out);
	assert_int_equal(ioctl(leader, TIOCSWINSZ, &size), 0);
	screen_size(&screen, &columns, &rows);
	assert_true(columns == 132 && rows == 50);
	size = (struct winsize){.ws_col = 40, .ws_row = 0};
	assert_int_equal(ioctl(leader, TIOCSWINSZ, &size), 0);
	screen_size(&screen, &columns, &rows);
	assert_true(columns == 40 && rows == 24);
}

static void
test_what_is_no_terminal_has_the_usual_size(void **state)
{
	struct screen screen;
	size_t columns, rows;
	int fds[2];
	FILE *no_terminal;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	no_terminal = fdopen(fds[1], "w");
	screen_init(&screen, no_terminal);
	screen_size(&screen, &columns, &rows);
	assert_true(columns == 80 && rows == 24);
	fclose(no_terminal);
	close(fds[0]);
}

static void
test_which_terminals_are_usable(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	setenv("TERM", "xterm", 1);
	assert_true(screen_usable(follower));
	assert_false(screen_usable(fds[1]));
	assert_false(screen_usable(-1));
	setenv("TERM", "dumb", 1);
	assert_false(screen_usable(follower));
	setenv("TERM", "", 1);
	assert_false(screen_usable(follower));
	unsetenv("TERM");
	assert_false(screen_usable(follower));
	close(fds[0]);
	close(fds[1]);
}

static void
test_the_environment_says_which_characters_and_whether_colors(void **state)
{
	struct screen screen;

	(void)state;
	unsetenv("NO_COLOR");
	setenv("LC_ALL", "C.UTF-8", 1);
	screen_init(&screen, out);
	assert_true(screen.utf8 && screen.colors);
	setenv("LC_ALL", "C", 1);
	setenv("NO_COLOR", "", 1); /* empty is as good as not set (no-color.org) */
	screen_init(&screen, out);
	assert_true(!screen.utf8 && screen.colors);
	setenv("LC_ALL", "xx_NOWHERE.UTF-8", 1); /* not installed: its characters are nobody's guess */
	setenv("NO_COLOR", "1", 1);
	screen_init(&screen, out);
	assert_true(!screen.utf8 && !screen.colors);
	unsetenv("LC_ALL");
	unsetenv("NO_COLOR");
}

/* background makes the terminal this process's, gives it to another process group, and draws. Never returns. */
static _Noreturn void
background(void)
{
	struct screen screen;
	pid_t other;

	if (setsid() == -1 || ioctl(follower, TIOCSCTTY, 0) != 0)
		_exit(2);
	screen_init(&screen, out);
	screen_draw(&screen, "in front\n");
	other = fork();
	if (other == 0) {
		pause();
		_exit(0);
	}
	signal(SIGTTOU, SIG_IGN); /* or tcsetpgrp would stop us */
	if (setpgid(other, other) != 0 || tcsetpgrp(follower, other) != 0)
		_exit(3);
	screen_draw(&screen, "behind\n");
	screen_clear(&screen);
	if (screen.drawn || tcsetpgrp(follower, getpgrp()) != 0)
		_exit(4);
	screen_draw(&screen, "in front again\n");
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	/* Read here: the terminal hangs up when the leader of its session ends. */
	_exit(strcmp(received(), "\rin front\033[K\r\r\n\033[J\033[1A\rin front again\033[K\r\r\n\033[J\033[1A") != 0);
}

static void
test_a_job_in_the_background_draws_nothing(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	if (child == 0)
		background();
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* The terminal outlives the program here, and a program that drew nothing leaves it alone. */
static void
test_a_signal_that_ends_the_program_wipes_first(void **state)
{
	static const char *const expected[] = {"\rblock\033[K\r\r\n\033[J\033[1A\r\033[J", ""};

	(void)state;
	for (int i = 0; i < 2; i++) {
		pid_t child = fork();
		struct screen screen;
		int status;

		if (child == 0) {
			screen_init(&screen, out);
			if (i == 0)
				screen_draw(&screen, "block\n");
			raise(SIGTERM);
			_exit(0);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
		assert_string_equal(received(), expected[i]);
	}
}

static void
test_a_signal_that_is_ignored_stays_so(void **state)
{
	struct sigaction action;
	struct screen screen;

	(void)state;
	signal(SIGHUP, SIG_IGN);
	screen_init(&screen, out);
	assert_int_equal(sigaction(SIGHUP, NULL, &action), 0);
	assert_true(action.sa_handler == SIG_IGN);
	signal(SIGHUP, SIG_DFL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_a_block_is_drawn_over_itself_and_wiped, open_terminal, close_terminal),
	    cmocka_unit_test_setup_teardown(test_the_size_is_asked_for_each_time, open_terminal, close_terminal),
	    cmocka_unit_test(test_what_is_no_terminal_has_the_usual_size),
	    cmocka_unit_test_setup_teardown(test_which_terminals_are_usable, open_terminal, close_terminal),
	    cmocka_unit_test_setup_teardown(
		test_the_environment_says_which_characters_and_whether_colors, open_terminal, close_terminal),
	    cmocka_unit_test_setup_teardown(
		test_a_signal_that_ends_the_program_wipes_first, open_terminal, close_terminal),
	    cmocka_unit_test_setup_teardown(test_a_signal_that_is_ignored_stays_so, open_terminal, close_terminal),
	    cmocka_unit_test_setup_teardown(test_a_job_in_the_background_draws_nothing, open_terminal, close_terminal),
	};

	return cmocka_run_group_tests_name("loadgen/screen", tests, NULL, NULL);
}
