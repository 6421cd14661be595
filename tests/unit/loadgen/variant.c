/* Unit tests of loadgen/variant: what the requests of a cell come to. */
#include "loadgen/variant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"

static struct config config;
static struct target target;

/* load makes config list what TEXT says. */
static void
load(const char *text)
{
	char name[] = "/tmp/loadgen-variant-XXXXXX", error[512];
	int fd = mkstemp(name);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	config = (struct config){.urls_file = "list", .spec = {.body_fd = -1}};
	assert_int_equal(urls_load(&config.listed, name, error, sizeof(error)), 0);
	unlink(name);
}

static int
parse_target(void **state)
{
	char error[256];

	(void)state;
	return target_parse(&target, "http://host/first?x=1", error, sizeof(error));
}

static int
free_target(void **state)
{
	(void)state;
	target_deinit(&target);
	return 0;
}

static void
test_without_a_list_it_is_the_path_of_the_target_with_the_sleep(void **state)
{
	const uint64_t sleep_ns = NS_PER_SEC / 4;
	struct variant variant;

	(void)state;
	config = (struct config){.spec = {.body_fd = -1}};
	assert_int_equal(variant_init(&variant, &config, &target, &sleep_ns), 0);
	assert_int_equal(variant.requests.len, 1);
	assert_string_equal(variant.requests.items[0].path, "/first?x=1&sleep=0.25");
	assert_string_equal(variant.path, "/first?x=1&sleep=0.25");
	assert_false(variant.requests.long_ones);
	variant_deinit(&variant);
}

static void
test_one_long_request_makes_a_list_with_long_ones(void **state)
{
	char text[3 * REQUEST_SEGMENT] = "/a\n/b\tbody=";
	struct variant variant;

	(void)state;
	for (unsigned is_long = 0; is_long < 2; is_long++) {
		load(text);
		assert_int_equal(variant_init(&variant, &config, &target, NULL), 0);
		assert_int_equal(variant.requests.len, 2);
		assert_string_equal(variant.path, "/a and 1 more of list");
		assert_int_equal(variant.requests.long_ones, is_long);
		variant_deinit(&variant);
		urls_deinit(&config.listed);
		memset(text + strlen(text), 'x', REQUEST_SEGMENT);
	}
}

static void
test_the_whole_server_has_no_query(void **state)
{
	const uint64_t sleep_ns = NS_PER_SEC / 4;
	struct variant variant;

	(void)state;
	load("OPTIONS *\n/x");
	assert_int_equal(variant_init(&variant, &config, &target, &sleep_ns), 0);
	assert_string_equal(variant.requests.items[0].path, "*");
	assert_string_equal(variant.requests.items[1].path, "/x?sleep=0.25");
	variant_deinit(&variant);
	urls_deinit(&config.listed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		test_without_a_list_it_is_the_path_of_the_target_with_the_sleep, parse_target, free_target),
	    cmocka_unit_test_setup_teardown(
		test_one_long_request_makes_a_list_with_long_ones, parse_target, free_target),
	    cmocka_unit_test_setup_teardown(test_the_whole_server_has_no_query, parse_target, free_target),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
