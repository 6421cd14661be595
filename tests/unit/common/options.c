/* Unit tests of common/options: what is taken, and what one line a mistake gets. */
#include "common/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct config {
	bool flag;
	int64_t number;
	uint64_t wait_ns;
	uint64_t work_ns;
	uint32_t share;
	const char *text;
	int choice;
	char parsed[16];
};

static int
parse_even(void *config, const char *value, char *error, size_t error_size)
{
	if (strlen(value) % 2 != 0) {
		snprintf(error, error_size, "must have an even length");
		return -1;
	}
	snprintf(((struct config *)config)->parsed, sizeof(((struct config *)config)->parsed), "%s", value);
	return 0;
}

static const struct option_row rows[] = {
    {.type = OPTION_HEADING, .help = "Things"},
    {.type = OPTION_FLAG,
	.short_name = 'f',
	.name = "flag",
	.help = "A flag.",
	.offset = offsetof(struct config, flag)},
    {.type = OPTION_INT,
	.short_name = 'n',
	.name = "number",
	.argument = "N",
	.help = "A number that has quite a long sentence of help, so that it has to be wrapped somewhere.",
	.offset = offsetof(struct config, number),
	.min = 1,
	.max = 100},
    {.type = OPTION_SECONDS,
	.name = "wait",
	.argument = "SECONDS",
	.help = "A time.",
	.offset = offsetof(struct config, wait_ns),
	.max = 60},
    {.type = OPTION_MS,
	.name = "work",
	.argument = "MS",
	.help = "Work.",
	.offset = offsetof(struct config, work_ns),
	.min = 0.5,
	.max = 60000},
    {.type = OPTION_PERCENT,
	.name = "share",
	.argument = "PERCENT",
	.help = "A share.",
	.offset = offsetof(struct config, share),
	.max = 100},
    {.type = OPTION_STRING,
	.name = "text",
	.argument = "TEXT",
	.help = "A text.",
	.offset = offsetof(struct config, text)},
    {.type = OPTION_CHOICE,
	.name = "choice",
	.argument = "WHICH",
	.help = "A choice.",
	.offset = offsetof(struct config, choice),
	.choices = "red|green|blue"},
    {.type = OPTION_PARSE, .short_name = 'e', .argument = "EVEN", .help = "Even.", .parse = parse_even},
    {.type = OPTION_HELP, .short_name = 'h', .name = "help", .help = "This help."},
    {.type = OPTION_VERSION, .name = "version", .help = "The version."},
    {.type = OPTION_END},
};
static const struct options_program program = {
    .name = "prog",
    .synopsis = "[OPTION ...] [FILE ...]",
    .summary = "Does things.",
    .rows = rows,
};

/* run parses a command line (blank-separated) in a child and returns its exit status, -1 for a normal return; its output goes to OUT. */
static int
run(const char *line, struct config *config, char *out, size_t size)
{
	char copy[256], *argv[16] = {NULL};
	int pipe_fds[2], argc = 0, status;
	size_t used = 0;
	ssize_t got;
	pid_t pid;

	snprintf(copy, sizeof(copy), "prog %s", line);
	for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " "))
		argv[argc++] = word;
	assert_int_equal(pipe(pipe_fds), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		dup2(pipe_fds[1], STDOUT_FILENO);
		dup2(pipe_fds[1], STDERR_FILENO);
		close(pipe_fds[0]);
		options_parse(&program, config, argc, argv);
		_exit(99);
	}
	close(pipe_fds[1]);
	while (used < size - 1 && (got = read(pipe_fds[0], out + used, size - 1 - used)) > 0)
		used += (size_t)got;
	out[used] = '\0';
	close(pipe_fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status) == 99 ? -1 : WEXITSTATUS(status);
}

static void
test_values_are_stored(void **state)
{
	char *argv[] = {"prog", "-f", "file1", "--number", "7", "--wait=0.25", "--work", "1.5", "--share=0.25",
	    "--text", "x", "--choice", "blue", "-eab", "file2", NULL};
	struct config config = {0};
	int first;

	(void)state;
	first = options_parse(&program, &config, (int)ARRAY_LEN(argv) - 1, argv);
	assert_true(config.flag);
	assert_int_equal(config.number, 7);
	assert_int_equal(config.wait_ns, 250000000);
	assert_int_equal(config.work_ns, 1500000);
	assert_int_equal(config.share, 2500);
	assert_string_equal(config.text, "x");
	assert_int_equal(config.choice, 2);
	assert_string_equal(config.parsed, "ab");
	assert_string_equal(argv[first], "file1");
	assert_string_equal(argv[first + 1], "file2");
}

static void
test_a_mistake_gets_one_line_and_status_2(void **state)
{
	static const struct {
		const char *line, *message;
	} mistakes[] = {
	    {"-n 0", "prog: -n 0: must be a whole number from 1 to 100\n"},
	    {"-n 101", "prog: -n 101: must be a whole number from 1 to 100\n"},
	    {"--number 5x", "prog: --number 5x: must be a whole number from 1 to 100\n"},
	    {"--number=", "prog: --number \"\": must be a whole number from 1 to 100\n"},
	    {"--number +5", "prog: --number +5: must be a whole number from 1 to 100\n"},
	    {"-n=5", "prog: -n =5: must be a whole number from 1 to 100\n"},
	    {"--number 99999999999999999999",
		"prog: --number 99999999999999999999: must be a whole number from 1 to 100\n"},
	    {"--wait -1", "prog: --wait -1: must be a number of seconds from 0 to 60\n"},
	    {"--wait nan", "prog: --wait nan: must be a number of seconds from 0 to 60\n"},
	    {"--wait 61", "prog: --wait 61: must be a number of seconds from 0 to 60\n"},
	    {"--work 0.4", "prog: --work 0.4: must be a number of milliseconds from 0.5 to 60000\n"},
	    {"--work 5ms", "prog: --work 5ms: must be a number of milliseconds from 0.5 to 60000\n"},
	    {"--share 100.1", "prog: --share 100.1: must be a percentage from 0 to 100\n"},
	    {"--share 5%", "prog: --share 5%: must be a percentage from 0 to 100\n"},
	    {"--choice pink", "prog: --choice pink: must be one of red|green|blue\n"},
	    {"--choice re", "prog: --choice re: must be one of red|green|blue\n"},
	    {"-e abc", "prog: -e abc: must have an even length\n"},
	    {"-x", "prog: unknown option -x; see prog --help\n"},
	    {"-fx", "prog: unknown option -x; see prog --help\n"},
	    {"--nope", "prog: unknown or ambiguous option --nope; see prog --help\n"},
	    {"file --nope=1 -f", "prog: unknown or ambiguous option --nope=1; see prog --help\n"},
	    {"-n", "prog: option -n, --number N needs a value; see prog --help\n"},
	    {"--text", "prog: option --text TEXT needs a value; see prog --help\n"},
	    {"--flag=1", "prog: option --flag takes no value; see prog --help\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
		struct config config = {0};
		char out[512];

		assert_int_equal(run(mistakes[i].line, &config, out, sizeof(out)), 2);
		assert_string_equal(out, mistakes[i].message);
	}
}

static void
test_help_fits_80_columns_and_version_is_told(void **state)
{
	struct config config = {0};
	char out[4096];

	(void)state;
	assert_int_equal(run("--help", &config, out, sizeof(out)), 0);
	assert_non_null(strstr(out, "usage: prog [OPTION ...] [FILE ...]\n"));
	assert_non_null(strstr(out, "-n, --number N"));
	assert_non_null(strstr(out, "\nThings:\n"));
	for (char *line = strtok(out, "\n"); line != NULL; line = strtok(NULL, "\n"))
		assert_in_range(strlen(line), 0, 79);
	assert_int_equal(run("--version", &config, out, sizeof(out)), 0);
	assert_memory_equal(out, "prog ", 5);
}

static void
test_a_setting_by_name(void **state)
{
	struct config config = {0};
	char error[128];

	(void)state;
	assert_int_equal(options_set(&program, &config, "number", "9", error, sizeof(error)), 0);
	assert_int_equal(config.number, 9);
	assert_int_equal(options_set(&program, &config, "number", "900", error, sizeof(error)), -EINVAL);
	assert_string_equal(error, "number = 900: must be a whole number from 1 to 100");
	assert_int_equal(options_set(&program, &config, "number", "", error, sizeof(error)), -EINVAL);
	assert_string_equal(error, "number = \"\": must be a whole number from 1 to 100");
	assert_int_equal(options_set(&program, &config, "number", "\t9", error, sizeof(error)), -EINVAL);
	assert_int_equal(options_set(&program, &config, "colour", "1", error, sizeof(error)), -ENOENT);
	assert_string_equal(error, "unknown setting colour");
	assert_int_equal(config.number, 9);
}

static void
test_a_flag_by_name_can_say_no(void **state)
{
	static const char *const yes[] = {"true", "True", "yes", "1"}, *const no[] = {"false", "No", "0"};
	struct config config = {0};
	char error[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		config.flag = false;
		assert_int_equal(options_set(&program, &config, "flag", yes[i], error, sizeof(error)), 0);
		assert_true(config.flag);
	}
	for (size_t i = 0; i < ARRAY_LEN(no); i++) {
		config.flag = true;
		assert_int_equal(options_set(&program, &config, "flag", no[i], error, sizeof(error)), 0);
		assert_false(config.flag);
	}
	assert_int_equal(options_set(&program, &config, "flag", "2", error, sizeof(error)), -EINVAL);
	assert_string_equal(error, "flag = 2: must be true or false");
	assert_int_equal(options_set(&program, &config, "flag", "", error, sizeof(error)), -EINVAL);
	assert_int_equal(options_set(&program, &config, "help", "true", error, sizeof(error)), -EINVAL);
	assert_string_equal(error, "help means something on the command line alone");
}

static size_t abouts;

static void
count_about(const struct options_program *which, const struct option_row *row)
{
	assert_ptr_equal(which, &program);
	assert_true(row->type == OPTION_HELP || row->type == OPTION_VERSION);
	abouts++;
}

/* A server reads its command line again when it reads its configuration file again. */
static void
test_a_command_line_can_be_read_again(void **state)
{
	char *argv[] = {"prog", "file1", "-fn7", "--help", "file2", "--text=x", "--version", NULL};
	int argc = (int)ARRAY_LEN(argv) - 1;
	char error[128];

	(void)state;
	abouts = 0;
	for (int round = 0; round < 3; round++) {
		struct config config = {0};

		assert_int_equal(
		    options_read(&program, &config, argc, argv, round > 0 ? count_about : NULL, error, sizeof(error)),
		    5);
		assert_true(config.flag);
		assert_int_equal(config.number, 7);
		assert_string_equal(config.text, "x");
		assert_string_equal(argv[5], "file1");
		assert_string_equal(argv[6], "file2");
	}
	assert_int_equal(abouts, 4);
}

/* Also after one that ended in the middle of its arguments. */
static void
test_a_mistake_can_be_told_without_an_end(void **state)
{
	static const struct {
		const char *argument, *message;
	} mistakes[] = {
	    {"-fxn7", "unknown option -x; see prog --help"},
	    {"-n101", "-n 101: must be a whole number from 1 to 100"},
	    {"--number=0", "--number 0: must be a whole number from 1 to 100"},
	    {"--nope", "unknown or ambiguous option --nope; see prog --help"},
	    {"--flag=1", "option --flag takes no value; see prog --help"},
	    {"-n", "option -n, --number N needs a value; see prog --help"},
	};
	char error[128], good[] = "-n7";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
		char argument[32], *argv[] = {"prog", argument, NULL};
		struct config config = {0};

		snprintf(argument, sizeof(argument), "%s", mistakes[i].argument);
		assert_int_equal(options_read(&program, &config, 2, argv, NULL, error, sizeof(error)), -EINVAL);
		assert_string_equal(error, mistakes[i].message);
		argv[1] = good;
		assert_int_equal(options_read(&program, &config, 2, argv, NULL, error, sizeof(error)), 2);
		assert_int_equal(config.number, 7);
	}
}

static void
test_an_option_is_found_by_its_long_name(void **state)
{
	(void)state;
	assert_ptr_equal(options_find(&program, "flag"), &rows[1]);
	assert_null(options_find(&program, "fla"));
	assert_null(options_find(&program, ""));
}

struct two {
	struct config config;
	int64_t pair[2];
};

static const struct option_row two_rows[] = {
    {.type = OPTION_FLAG, .name = "flag", .offset = offsetof(struct two, config.flag)},
    {.type = OPTION_INT, .name = "number", .offset = offsetof(struct two, config.number)},
    {.type = OPTION_SECONDS, .name = "wait", .offset = offsetof(struct two, config.wait_ns)},
    {.type = OPTION_MS, .name = "work", .offset = offsetof(struct two, config.work_ns)},
    {.type = OPTION_PERCENT, .name = "share", .offset = offsetof(struct two, config.share)},
    {.type = OPTION_STRING, .name = "text", .offset = offsetof(struct two, config.text)},
    {.type = OPTION_STRING, .name = "words", .offset = offsetof(struct two, config.text)},
    {.type = OPTION_CHOICE, .name = "choice", .offset = offsetof(struct two, config.choice)},
    {.type = OPTION_PARSE, .name = "even", .parse = parse_even},
    {.type = OPTION_PARSE,
	.name = "pair",
	.parse = parse_even,
	.offset = offsetof(struct two, pair),
	.max = 2 * sizeof(int64_t)},
    {.type = OPTION_HELP, .name = "help"},
    {.type = OPTION_END},
};
static const struct options_program two_program = {.name = "two", .rows = two_rows};

static void
add_name(void *context, const char *name)
{
	strcat(context, name);
	strcat(context, " ");
}

/* check_differ compares B with a configuration that has something everywhere. */
static void
check_differ(const struct two *b, const char *expected)
{
	char text[] = "x", names[128] = "";
	struct two a = {.config = {.flag = true, .number = 5, .wait_ns = 7, .text = text, .choice = 1, .parsed = "ab"},
	    .pair = {1, 2}};

	options_differ(&two_program, &a, b, add_name, names);
	assert_string_equal(names, expected);
	*names = '\0';
	options_differ(&two_program, b, &a, add_name, names);
	assert_string_equal(names, expected);
}

static void
test_what_differs_is_named(void **state)
{
	struct two b = {.config = {.flag = true, .number = 5, .wait_ns = 7, .text = "x", .choice = 1, .parsed = "ab"},
	    .pair = {1, 2}};

	(void)state;
	check_differ(&b, "");
	b.config.flag = false;
	check_differ(&b, "flag ");
	b.config.number = 6;
	check_differ(&b, "flag number ");
	b.config.flag = true;
	b.config.wait_ns = 0;
	check_differ(&b, "number wait ");
	b.config.wait_ns = 7;
	b.config.work_ns = 1;
	b.config.share = 1;
	check_differ(&b, "number work share ");
	b.config.work_ns = 0;
	b.config.share = 0;
	b.config.text = "xy";
	b.pair[1] = 3;
	check_differ(&b, "number text pair ");
	b.config.text = NULL;
	b.config.choice = 2;
	b.config.parsed[0] = 'c'; /* says nothing of its size */
	check_differ(&b, "number text choice pair ");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_values_are_stored),
	    cmocka_unit_test(test_a_mistake_gets_one_line_and_status_2),
	    cmocka_unit_test(test_help_fits_80_columns_and_version_is_told),
	    cmocka_unit_test(test_a_setting_by_name),
	    cmocka_unit_test(test_a_flag_by_name_can_say_no),
	    cmocka_unit_test(test_a_command_line_can_be_read_again),
	    cmocka_unit_test(test_a_mistake_can_be_told_without_an_end),
	    cmocka_unit_test(test_an_option_is_found_by_its_long_name),
	    cmocka_unit_test(test_what_differs_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
