/* Unit tests of experiments/cpus. */
#include "experiments/cpus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static void
test_servers_and_loadgen_never_share_where_there_are_two(void **state)
{
	cpu_set_t all, both;
	struct cpus cpus;
	char text[128];

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	if (CPU_COUNT(&all) < 2)
		skip();
	cpus_split(&cpus);
	assert_true(cpus.apart);
	assert_int_equal(CPU_COUNT(&cpus.load), 1);
	CPU_AND(&both, &cpus.server, &cpus.load);
	assert_int_equal(CPU_COUNT(&both), 0);
	CPU_OR(&both, &cpus.server, &cpus.load);
	assert_true(CPU_EQUAL(&both, &all));
	cpus_describe(&cpus, text, sizeof(text));
	assert_non_null(strstr(text, "loadgen on CPU "));
	assert_null(strstr(text, "share"));
}

static void
test_on_one_cpu_they_share(void **state)
{
	cpu_set_t all, one;
	struct cpus cpus;
	char text[128];
	size_t first = 0;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	while (!CPU_ISSET(first, &all))
		first++;
	CPU_ZERO(&one);
	CPU_SET(first, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	cpus_split(&cpus);
	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
	assert_false(cpus.apart);
	assert_true(CPU_EQUAL(&cpus.server, &one));
	assert_true(CPU_EQUAL(&cpus.load, &one));
	assert_non_null(strstr(cpus_describe(&cpus, text, sizeof(text)), "share"));
}

static void
test_the_description_names_the_cpus(void **state)
{
	struct cpus cpus = {.apart = true};
	char text[128];

	(void)state;
	CPU_SET(3, &cpus.load);
	CPU_SET(0, &cpus.server);
	assert_string_equal(cpus_describe(&cpus, text, sizeof(text)), "servers on CPU 0, loadgen on CPU 3");
	CPU_SET(2, &cpus.server);
	assert_string_equal(cpus_describe(&cpus, text, sizeof(text)), "servers on 2 CPUs, 0 to 2, loadgen on CPU 3");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_servers_and_loadgen_never_share_where_there_are_two),
	    cmocka_unit_test(test_on_one_cpu_they_share),
	    cmocka_unit_test(test_the_description_names_the_cpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
