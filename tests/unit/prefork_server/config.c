/* Unit tests of prefork_server/config. */
#include "prefork_server/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <getopt.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "prefork_server/worker.h"

/* parse gives ARGS, which end with NULL, to config_parse. */
static struct config
parse(const char *const *args)
{
	struct config_file file;
	struct config config;
	char *argv[16];
	int argc = 0;

	argv[argc++] = (char *)(uintptr_t) "prefork_server";
	while (args[argc - 1] != NULL) {
		argv[argc] = (char *)(uintptr_t)args[argc - 1];
		argc++;
	}
	argv[argc] = NULL;
	optind = 0;
	config_parse(&config, &file, argc, argv);
	return config;
}

static void
test_the_defaults_are_gunicorns_and_the_labs(void **state)
{
	struct config config = parse((const char *[]){NULL});

	(void)state;
	assert_int_equal(config.binds.count, 1);
	assert_string_equal(config.binds.addresses[0], "127.0.0.1:8089");
	assert_int_equal(config.backlog, 2048);
	assert_int_equal(config.workers, 1);
	assert_string_equal(worker_classes[config.worker_class]->name, "sync");
	assert_int_equal(config.timeout_ns, 30 * NS_PER_SEC);
	assert_int_equal(config.graceful_timeout_ns, 30 * NS_PER_SEC);
	assert_int_equal(config.sleep_ns, 100 * NS_PER_MS);
	assert_int_equal(config.limits.request_line, 4094);
	assert_int_equal(config.limits.fields, 100);
	assert_int_equal(config.limits.field_size, 8190);
	assert_int_equal(config.log_level, LOG_LEVEL_INFO);
	assert_null(config.pid_file);
	assert_null(config.access_log);
	assert_null(config.admin);
	assert_false(config.reuse_port);
}

static void
test_addresses_add_up(void **state)
{
	struct config config = parse((const char *[]){"-b", "8001,unix:/a", "--bind", "[::1]:8002", NULL});

	(void)state;
	assert_int_equal(config.binds.count, 3);
	assert_string_equal(config.binds.addresses[0], "8001");
	assert_string_equal(config.binds.addresses[1], "unix:/a");
	assert_string_equal(config.binds.addresses[2], "[::1]:8002");
}

static void
test_gunicorns_other_settings(void **state)
{
	struct config config = parse((const char *[]){NULL});

	(void)state;
	assert_int_equal(config.threads, 1);
	assert_int_equal(config.worker_connections, 1000);
	assert_int_equal(config.max_requests, 0);
	assert_int_equal(config.max_requests_jitter, 0);
	assert_int_equal(config.keep_alive_ns, 2 * NS_PER_SEC);
	assert_int_equal(config.umask, CONFIG_UMASK_AS_STARTED);
	assert_false(config.daemon);
	assert_null(config.user);
	config = parse((const char *[]){"-m", "027", "-D", "-u", "nobody", "--max-requests", "7", NULL});
	assert_int_equal(config.umask, 027);
	assert_true(config.daemon);
	assert_string_equal(config.user, "nobody");
	assert_int_equal(config.max_requests, 7);
}

static void
test_what_is_named_is_what_a_handler_does(void **state)
{
	struct config config = parse((const char *[]){NULL});

	(void)state;
	assert_int_equal(config.cpu_ns, 0);
	assert_int_equal(config.max_cpu_ns, 10 * NS_PER_SEC);
	config = parse((const char *[]){"--cpu", "2.5", NULL});
	assert_int_equal(config.cpu_ns, 2500 * NS_PER_US);
	assert_int_equal(config.sleep_ns, 0);
	config = parse((const char *[]){"--sleep", "0.3", "--cpu", "20000", "--max-cpu", "20000", NULL});
	assert_int_equal(config.cpu_ns, 20 * NS_PER_SEC);
	assert_int_equal(config.sleep_ns, 300 * NS_PER_MS);
}

static void
test_no_limit_is_the_whole_headers(void **state)
{
	struct config config =
	    parse((const char *[]){"--limit-request-line", "0", "--limit-request-field_size", "0", NULL});

	(void)state;
	assert_int_equal(config.limits.request_line, CONFIG_HEADER_MAX);
	assert_int_equal(config.limits.field_size, CONFIG_HEADER_MAX);
	assert_int_equal(config.limits.header_size, CONFIG_HEADER_MAX);
}

static void
test_the_whole_header_is_what_its_parts_may_be(void **state)
{
	struct config config = parse((const char *[]){
	    "--limit-request-line", "100", "--limit-request-field_size", "50", "--limit-request-fields", "2", NULL});

	(void)state;
	assert_int_equal(config.limits.header_size, 100 + 2 * (50 + 2) + 4);
	config = parse((const char *[]){"--limit-request-fields", "32768", NULL});
	assert_int_equal(config.limits.header_size, CONFIG_HEADER_MAX);
}

static void
test_the_command_line_goes_before_the_environment(void **state)
{
	(void)state;
	setenv("WEB_CONCURRENCY", "7", 1);
	assert_int_equal(parse((const char *[]){NULL}).workers, 7);
	assert_int_equal(parse((const char *[]){"-w", "3", NULL}).workers, 3);
	unsetenv("WEB_CONCURRENCY");
	assert_int_equal(parse((const char *[]){NULL}).workers, 1);
}

/* gunicorn waits for timeout / 2; ours wakes once a second at least, to see whether its arbiter lives. */
static void
test_a_worker_beats_twice_in_its_timeout(void **state)
{
	(void)state;
	assert_int_equal(worker_beat_ms(&(struct config){.timeout_ns = 30 * NS_PER_SEC}), 1000);
	assert_int_equal(worker_beat_ms(&(struct config){.timeout_ns = NS_PER_SEC}), 500);
	assert_int_equal(worker_beat_ms(&(struct config){.timeout_ns = NS_PER_MS}), 1);
	assert_int_equal(worker_beat_ms(&(struct config){.timeout_ns = 0}), 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_defaults_are_gunicorns_and_the_labs),
	    cmocka_unit_test(test_addresses_add_up),
	    cmocka_unit_test(test_gunicorns_other_settings),
	    cmocka_unit_test(test_what_is_named_is_what_a_handler_does),
	    cmocka_unit_test(test_no_limit_is_the_whole_headers),
	    cmocka_unit_test(test_the_whole_header_is_what_its_parts_may_be),
	    cmocka_unit_test(test_the_command_line_goes_before_the_environment),
	    cmocka_unit_test(test_a_worker_beats_twice_in_its_timeout),
	};

	unsetenv("WEB_CONCURRENCY");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
