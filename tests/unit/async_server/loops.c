/* Tests of the loops: what other threads ask of them before they are there, and before they come to it. */
#include "async_server/loops.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "common/clock.h"

#define LOOPS 2

static struct config config;
static struct config_file config_file;
static struct settings *settings;
static struct metrics *metrics;
static struct loops loops;

static int
set_up(void **state)
{
	static char *arguments[] = {"async_server", "--bind=127.0.0.1:0", "--loops=2", "--shutdown-timeout=1", NULL};
	struct settings_values values = {0};
	struct settings_limits limits = {.modes = 1U << WAIT_ASYNC};

	(void)state;
	config_parse(&config, &config_file, 4, arguments);
	settings = settings_new(values, limits);
	metrics = metrics_new(LOOPS);
	if (settings == NULL || metrics == NULL)
		return -1;
	return loops_init(&loops, &config, settings, metrics, NULL, 0);
}

static int
tear_down(void **state)
{
	(void)state;
	loops_deinit(&loops);
	settings_free(settings);
	metrics_free(metrics, LOOPS);
	config_file_free(&config_file);
	return 0;
}

static void
open_loops(void)
{
	char why[256] = "";
	int status = loops_open(&loops, why, sizeof(why));

	assert_string_equal(why, "");
	assert_int_equal(status, 0);
}

static void
what_is_asked_before_they_are_open_is_done(void **state)
{
	struct config next = config;

	(void)state;
	next.keep_alive_ns = 123 * NS_PER_SEC;
	next.max_connections = 3;
	loops_configure(&loops, &next);
	loops_stop(&loops);
	open_loops();
	loops_run(&loops);
	for (size_t i = 0; i < LOOPS; i++)
		assert_int_equal(loops.all[i].server->config.keep_alive_ns, 123 * NS_PER_SEC);
	assert_int_equal(loops.all[0].server->config.max_connections, 2);
	assert_int_equal(loops.all[1].server->config.max_connections, 1);
}

/* A loop that is blocked has not taken over the new time when the stop begins. */
static void
a_stop_goes_by_the_latest_configuration(void **state)
{
	struct config next = config;
	uint64_t before_ns = clock_now_ns();

	(void)state;
	next.shutdown_timeout_ns = 1000 * NS_PER_SEC;
	open_loops();
	loops_configure(&loops, &next);
	loops_stop(&loops);
	for (size_t i = 0; i < LOOPS; i++)
		assert_true(loops.all[i].server->stop_due_ns >= before_ns + 1000 * NS_PER_SEC);
	loops_run(&loops);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(what_is_asked_before_they_are_open_is_done, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_stop_goes_by_the_latest_configuration, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
