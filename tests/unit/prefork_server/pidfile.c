/* Unit tests of prefork_server/pidfile. */
#include "prefork_server/pidfile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/loopfork-pidfile-XXXXXX";
static char path[64];

static int
set_up(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/pid", folder);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder); /* fails when a temporary file was left behind */
}

static void
put(const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void
assert_holds(pid_t pid)
{
	char expected[32], text[32] = "";
	FILE *file = fopen(path, "r");

	assert_non_null(file);
	snprintf(expected, sizeof(expected), "%d\n", (int)pid);
	assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
	fclose(file);
	assert_string_equal(text, expected);
}

static pid_t
dead_pid(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return pid;
}

static void
test_it_holds_our_pid_and_goes(void **state)
{
	char error[256];
	struct stat status;

	(void)state;
	assert_int_equal(pidfile_create(path, error, sizeof(error)), 0);
	assert_holds(getpid());
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0644);
	pidfile_remove(path);
	assert_int_equal(access(path, F_OK), -1);
}

static void
test_a_live_pid_is_left_alone(void **state)
{
	char error[256], text[32];

	(void)state;
	snprintf(text, sizeof(text), "%d\n", (int)getppid());
	put(text);
	assert_int_equal(pidfile_create(path, error, sizeof(error)), -EEXIST);
	assert_non_null(strstr(error, "already running on PID"));
	assert_holds(getppid());
	pidfile_remove(path); /* it is not ours */
	assert_holds(getppid());
}

static void
test_what_is_no_pid_file_is_left_alone(void **state)
{
	static const char *const foreign[] = {"precious\n", "12x\n", "1234567890123456789012345678901234567890\n"};
	char error[256], text[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
		FILE *file;
		size_t len;

		put(foreign[i]);
		assert_int_equal(pidfile_create(path, error, sizeof(error)), -EEXIST);
		assert_non_null(strstr(error, "no pid file"));
		file = fopen(path, "r");
		assert_non_null(file);
		len = fread(text, 1, sizeof(text) - 1, file);
		text[len] = '\0';
		fclose(file);
		assert_string_equal(text, foreign[i]);
	}
	assert_int_equal(pidfile_create(folder, error, sizeof(error)), -EEXIST);
	unlink(path);
}

static void
test_what_is_stale_is_replaced(void **state)
{
	char error[256], dead[32], own[32];
	const char *stale[] = {"", "\n", "0\n", "-1\n", "99999999999999999999\n", dead, own};

	(void)state;
	snprintf(dead, sizeof(dead), "%d\n", (int)dead_pid());
	snprintf(own, sizeof(own), "%d\n", (int)getpid()); /* the same small pid again, in a container */
	for (size_t i = 0; i < sizeof(stale) / sizeof(stale[0]); i++) {
		put(stale[i]);
		assert_int_equal(pidfile_create(path, error, sizeof(error)), 0);
		assert_holds(getpid());
		pidfile_remove(path);
	}
}

static void
test_a_folder_that_is_not_there(void **state)
{
	char error[256], elsewhere[96], endless[5000];

	(void)state;
	snprintf(elsewhere, sizeof(elsewhere), "%s/nowhere/pid", folder);
	assert_int_equal(pidfile_create(elsewhere, error, sizeof(error)), -ENOENT);
	assert_non_null(strstr(error, elsewhere));
	memset(endless, 'x', sizeof(endless));
	endless[sizeof(endless) - 1] = '\0';
	assert_int_equal(pidfile_create(endless, error, sizeof(error)), -ENAMETOOLONG);
	pidfile_remove(elsewhere);
}

static void
test_a_folder_in_its_place(void **state)
{
	char error[256];

	(void)state;
	assert_int_equal(mkdir(path, 0700), 0);
	assert_true(pidfile_create(path, error, sizeof(error)) < 0);
	assert_non_null(strstr(error, path));
	assert_int_equal(rmdir(path), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_it_holds_our_pid_and_goes),
	    cmocka_unit_test(test_a_live_pid_is_left_alone),
	    cmocka_unit_test(test_what_is_no_pid_file_is_left_alone),
	    cmocka_unit_test(test_what_is_stale_is_replaced),
	    cmocka_unit_test(test_a_folder_that_is_not_there),
	    cmocka_unit_test(test_a_folder_in_its_place),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
