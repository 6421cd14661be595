/* Unit tests of prefork_server/process_use. */
#include "prefork_server/process_use.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_SEC 1000000000ULL
#define REST " S 4242 1 1 0 -1 4194560 100 0 7 0 150 50 0 0 20 0 3 0 12345 999424 250 18446744073709551615 1 1 0\n"

static void
test_a_line_as_the_kernel_writes_it(void **state)
{
	struct process_use use;

	(void)state;
	assert_int_equal(process_use_parse("17 (prefork_server)" REST, &use), 0);
	assert_int_equal(use.parent, 4242);
	assert_int_equal(use.cpu_ns, 200 * (NS_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK)));
	assert_int_equal(use.rss_kib, 250 * sysconf(_SC_PAGESIZE) / 1024);
}

static void
test_a_name_that_looks_like_the_rest(void **state)
{
	struct process_use use;

	(void)state;
	assert_int_equal(process_use_parse("17 (a) S 1 2 3 (4)" REST, &use), 0);
	assert_int_equal(use.parent, 4242);
	assert_int_equal(use.rss_kib, 250 * sysconf(_SC_PAGESIZE) / 1024);
}

static void
test_what_is_no_such_line(void **state)
{
	static const char *const lines[] = {"", "17", "17 (a)", "17 (a) S x", "17 (a S 1 1 1 1",
	    "17 (a) S 4242 1 1 0 -1 4194560 100 0 7 0 150 50 0 0 20 0 3 0 12345 999424",
	    "17 (a) S 4242 1 1 0 -1 4194560 100 0 7 0 150 50 0 0 20 0 3 0 12345 999424 -1"};
	struct process_use use;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_int_equal(process_use_parse(lines[i], &use), -EPROTO);
}

static void
test_memory_is_seen_to_grow_and_time_to_pass(void **state)
{
	const size_t size = 16 << 20;
	struct process_use before, after;
	clock_t begun = clock();
	char *map;

	(void)state;
	assert_int_equal(prctl(PR_SET_NAME, ") R 1 (\n"), 0);
	assert_int_equal(process_use_read(getpid(), &before), 0);
	assert_int_equal(before.parent, getppid());
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	memset(map, 1, size);
	while (clock() - begun < CLOCKS_PER_SEC / 10)
		;
	assert_int_equal(process_use_read(getpid(), &after), 0);
	assert_true(after.rss_kib >= before.rss_kib + 12 * 1024);
	assert_true(after.cpu_ns > before.cpu_ns);
	munmap(map, size);
}

static void
test_a_process_that_is_gone(void **state)
{
	struct process_use use;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(process_use_read(pid, &use), -ENOENT);
	assert_int_equal(process_use_read(0, &use), -ENOENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_line_as_the_kernel_writes_it),
	    cmocka_unit_test(test_a_name_that_looks_like_the_rest),
	    cmocka_unit_test(test_what_is_no_such_line),
	    cmocka_unit_test(test_memory_is_seen_to_grow_and_time_to_pass),
	    cmocka_unit_test(test_a_process_that_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
