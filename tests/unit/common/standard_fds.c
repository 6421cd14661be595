/* Unit tests of common/standard_fds. */
#include "common/standard_fds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* in_child runs BODY in a forked child, where what it closes is missed by nobody; returns its exit status. */
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

/* is_null tells whether FD is /dev/null, open for both ways. */
static bool
is_null(int fd)
{
	struct stat null, other;

	return stat("/dev/null", &null) == 0 && fstat(fd, &other) == 0 && S_ISCHR(other.st_mode) &&
	       null.st_rdev == other.st_rdev && (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR;
}

static void
open_all(void)
{
	close(0);
	close(1);
	close(2);
	if (standard_fds_open() != 0 || !is_null(0) || !is_null(1) || !is_null(2))
		_exit(1);
}

/* The one in the middle is missing; the others, and the number of the next that is opened, stay. */
static void
open_one(void)
{
	int ends[2];
	int next = dup(0);

	close(next);
	if (pipe(ends) != 0 || dup2(ends[0], 0) != 0 || dup2(ends[1], 2) != 2)
		_exit(1);
	close(ends[0]);
	close(ends[1]);
	close(1);
	if (standard_fds_open() != 0 || is_null(0) || !is_null(1) || is_null(2))
		_exit(2);
	if (dup(0) != next)
		_exit(3);
}

static void
test_what_is_closed_is_opened_and_nothing_else(void **state)
{
	(void)state;
	assert_int_equal(in_child(open_all), 0);
	assert_int_equal(in_child(open_one), 0);
}

/* All are there: no descriptor is needed, not even for a moment. */
static void
open_none(void)
{
	struct rlimit limit = {.rlim_cur = 3, .rlim_max = 3};

	if (standard_fds_open() != 0 || setrlimit(RLIMIT_NOFILE, &limit) != 0 || standard_fds_open() != 0)
		_exit(1);
}

static void
open_without_room(void)
{
	struct rlimit none = {.rlim_cur = 0, .rlim_max = 0};

	close(0);
	if (setrlimit(RLIMIT_NOFILE, &none) != 0)
		_exit(1);
	if (standard_fds_open() != -EMFILE)
		_exit(2);
}

static void
test_no_room_is_an_error_only_where_one_is_missing(void **state)
{
	(void)state;
	assert_int_equal(in_child(open_none), 0);
	assert_int_equal(in_child(open_without_room), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_is_closed_is_opened_and_nothing_else),
	    cmocka_unit_test(test_no_room_is_an_error_only_where_one_is_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
