/* Command templates: words, quotes, placeholders, and where programs are found. */
#include "tests/unit/experiments/sample.h"

#include <sys/stat.h>

#include "experiments/command.h"

static const struct command_values values = {
    .host = "127.0.0.1",
    .port = 8088,
    .sleep_s = 0.25,
    .concurrency = 40,
    .requests = 100,
    .bin = "/a b/bin",
    .experiments = "/e",
};

static void
expect_words(const char *template, const char *const *words)
{
	char error[COMMAND_ERROR_MAX] = "";
	char **argv = command_split(template, &values, error);
	size_t i = 0;

	if (argv == NULL)
		fail_msg("%s: %s", template, error);
	for (; words[i] != NULL; i++) {
		assert_non_null(argv[i]);
		assert_string_equal(argv[i], words[i]);
	}
	assert_null(argv[i]);
	command_free(argv);
}

static void
test_words_and_placeholders(void **state)
{
	(void)state;
	expect_words("a  b\tc\nd ", (const char *[]){"a", "b", "c", "d", NULL});
	expect_words("x --bind {address} -s={sleep} {host}:{port}",
	    (const char *[]){"x", "--bind", "127.0.0.1:8088", "-s=0.25", "127.0.0.1:8088", NULL});
	expect_words("{concurrency} {requests} {experiments}/x", (const char *[]){"40", "100", "/e/x", NULL});
	/* A value with a blank in it stays one word. */
	expect_words("{bin}/x y", (const char *[]){"/a b/bin/x", "y", NULL});
	expect_words("a 'b c' \"d  e\" f'g h'i \"\" }", (const char *[]){"a", "b c", "d  e", "fg hi", "", "}", NULL});
	expect_words("a '{port}'", (const char *[]){"a", "8088", NULL});
	/* Nothing here means anything to us, as there is no shell. */
	expect_words("a $HOME;`b` > *", (const char *[]){"a", "$HOME;`b`", ">", "*", NULL});
}

static void
expect_error(const char *template, const char *what)
{
	char error[COMMAND_ERROR_MAX] = "";

	assert_null(command_split(template, &values, error));
	assert_has(error, what);
}

static void
test_mistakes_in_a_template(void **state)
{
	char error[COMMAND_ERROR_MAX] = "";

	(void)state;
	expect_error("", "no program");
	expect_error("  \n", "no program");
	expect_error("a {nope}", "unknown placeholder {nope}; use any of {address}");
	expect_error("a {port", "a { without its }");
	expect_error("a 'b", "a ' without its end");
	expect_error("a b\"", "a \" without its end");
	assert_null(command_expand("http://{where}/", &values, error));
	assert_has(error, "{where}");
}

static void
test_python_can_be_another_one(void **state)
{
	(void)state;
	unsetenv("LOOPFORK_PYTHON");
	expect_words("{python}", (const char *[]){COMMAND_PYTHON, NULL});
	setenv("LOOPFORK_PYTHON", "/opt/python", 1);
	expect_words("{python} -V", (const char *[]){"/opt/python", "-V", NULL});
	unsetenv("LOOPFORK_PYTHON");
}

static void
test_programs_are_found_beside_ours_first(void **state)
{
	char *folder = sample_folder(), *ours = memory_print("%s/sh", folder),
	     *plain = memory_print("%s/plain", folder);
	char *found;
	FILE *file;

	(void)state;
	found = command_find("sh", folder);
	assert_non_null(found);
	assert_string_not_equal(found, ours);
	free(found);
	file = fopen(ours, "w");
	assert_non_null(file);
	fclose(file);
	assert_int_equal(chmod(ours, 0755), 0);
	found = command_find("sh", folder);
	assert_non_null(found);
	assert_string_equal(found, ours);
	free(found);
	/* A file that is not executable, a folder and nothing at all are no programs. */
	file = fopen(plain, "w");
	assert_non_null(file);
	fclose(file);
	assert_int_equal(chmod(plain, 0644), 0);
	assert_null(command_find("plain", folder));
	assert_null(command_find(folder, folder));
	assert_null(command_find("no-such-program-anywhere", folder));
	free(ours);
	free(plain);
	sample_remove(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_words_and_placeholders),
	    cmocka_unit_test(test_mistakes_in_a_template),
	    cmocka_unit_test(test_python_can_be_another_one),
	    cmocka_unit_test(test_programs_are_found_beside_ours_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
