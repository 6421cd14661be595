/* Unit tests of loadgen/config_options: what is kept of passwords, so that no report shows one. */
#include "loadgen/config_options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

#include "loadgen/config.h"

static bool memory_is_out;
static char error[256];

void *__real_reallocarray(void *memory, size_t count, size_t size);
void *__wrap_reallocarray(void *memory, size_t count, size_t size);

void *
__wrap_reallocarray(void *memory, size_t count, size_t size)
{
	return memory_is_out ? NULL : __real_reallocarray(memory, count, size);
}

static int
read_options(struct config *config, char **argv)
{
	int argc = 0;

	while (argv[argc] != NULL)
		argc++;
	*config = (struct config){0};
	return options_read(&config_options, config, argc, argv, NULL, error, sizeof(error));
}

static void
test_every_password_is_known(void **state)
{
	char *argv[] = {"loadgen", "-A", "a:one", "-Pb:two", "--auth=c:three", "-A", "d:four", NULL};
	struct config config;

	(void)state;
	assert_int_equal(read_options(&config, argv), 7);
	assert_int_equal(config.secrets_len, 4);
	assert_ptr_equal(config.secrets[0], argv[2]);
	assert_ptr_equal(config.secrets[1], argv[3] + 2);
	assert_ptr_equal(config.secrets[2], argv[4] + 7);
	assert_ptr_equal(config.secrets[3], argv[6]);
	assert_string_equal(config.spec.credentials, "d:four");
	assert_string_equal(config.spec.proxy_credentials, "b:two");
	free(config.secrets);
}

static void
test_what_is_no_password_is_refused(void **state)
{
	char *argv[] = {"loadgen", "-A", "a", NULL};
	struct config config;

	(void)state;
	assert_int_equal(read_options(&config, argv), -EINVAL);
	assert_string_equal(error, "-A a: must be user:password");
	assert_int_equal(config.secrets_len, 0);
}

static void
test_without_memory_for_it_there_is_no_run(void **state)
{
	char *argv[] = {"loadgen", "-A", "a:one", NULL};
	struct config config;

	(void)state;
	memory_is_out = true;
	assert_int_equal(read_options(&config, argv), -EINVAL);
	memory_is_out = false;
	assert_string_equal(error, "-A a:one: Cannot allocate memory");
	assert_int_equal(config.secrets_len, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_password_is_known),
	    cmocka_unit_test(test_what_is_no_password_is_refused),
	    cmocka_unit_test(test_without_memory_for_it_there_is_no_run),
	};

	return cmocka_run_group_tests_name("loadgen/config_options", tests, NULL, NULL);
}
