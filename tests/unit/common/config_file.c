/* Unit tests of common/config_file: what a file may say, what one line a mistake gets, and that the command line wins. */
#include "common/config_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEFAULT_TEXT "default"

struct config {
	const char *file;
	const char *text;
	const char *other;
	int64_t number;
	bool flag;
	char even[32];
};

static int
parse_even(void *config, const char *value, char *error, size_t error_size)
{
	if (strlen(value) % 2 != 0) {
		snprintf(error, error_size, "must have an even length");
		return -1;
	}
	snprintf(((struct config *)config)->even, sizeof(((struct config *)config)->even), "%s", value);
	return 0;
}

static const struct option_row rows[] = {
    {.type = OPTION_HEADING, .name = NULL, .help = "Things"},
    {.type = OPTION_STRING, .name = "config", .argument = "FILE", .help = "", .offset = offsetof(struct config, file)},
    {.type = OPTION_STRING, .name = "text", .argument = "T", .help = "", .offset = offsetof(struct config, text)},
    {.type = OPTION_STRING, .name = "other", .argument = "T", .help = "", .offset = offsetof(struct config, other)},
    {.type = OPTION_INT,
	.name = "number",
	.argument = "N",
	.help = "",
	.offset = offsetof(struct config, number),
	.min = 1,
	.max = 100},
    {.type = OPTION_FLAG, .short_name = 'f', .name = "flag", .help = "", .offset = offsetof(struct config, flag)},
    {.type = OPTION_PARSE, .name = "even", .argument = "E", .help = "", .parse = parse_even},
    {.type = OPTION_HELP, .name = "help", .help = ""},
    {.type = OPTION_VERSION, .name = "version", .help = ""},
    {.type = OPTION_END},
};
static const struct options_program program = {
    .name = "prog", .synopsis = "[OPTION ...]", .summary = "Does things.", .rows = rows};

static char dir[] = "/tmp/config_file_XXXXXX";
static char path[64]; /* of the file that all tests write */

static int
make_dir(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL || chdir(dir) != 0)
		return -1;
	snprintf(path, sizeof(path), "%s/x.ini", dir);
	return 0;
}

static int
remove_dir(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

static void
write_bytes(const char *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	close(fd);
}

static void
write_file(const char *text)
{
	write_bytes(text, strlen(text));
}

/* A file that is at fault leaves a line in `error`, and nothing to free. */
static char error[256];

static int
read_config(struct config *config, struct config_file *file)
{
	int result;

	*config = (struct config){.text = DEFAULT_TEXT};
	*error = '\0';
	result = config_file_read("x.ini", &program, config, file, error, sizeof(error));
	if (result != 0) {
		assert_null(file->text);
		assert_true(*error != '\0');
	}
	return result;
}

static void
check_text(const char *source, const char *text)
{
	struct config_file file;
	struct config config;

	write_file(source);
	if (read_config(&config, &file) != 0)
		fail_msg("%s: %s", source, error);
	assert_string_equal(config.text, text);
	config_file_free(&file);
}

static void
check_refused(const char *source, const char *message)
{
	struct config_file file;
	struct config config;

	write_file(source);
	assert_int_equal(read_config(&config, &file), -EINVAL);
	assert_string_equal(error, message);
}

static void
a_file_says_what_a_command_line_would(void **state)
{
	struct config_file file;
	struct config config;

	(void)state;
	write_file("# a comment\n"
		   "; another\n"
		   "\n"
		   "text = one two=three:four  \n"
		   "number=7\n"
		   "  flag = yes\n"
		   "\teven: abcd\n"
		   "other = 127.0.0.1:80 ; the third\n");
	assert_int_equal(read_config(&config, &file), 0);
	/* They are the file's own: not parts of what was read and is gone. */
	write_file("");
	assert_string_equal(config.text, "one two=three:four");
	assert_int_equal(config.number, 7);
	assert_true(config.flag);
	assert_string_equal(config.even, "abcd");
	assert_string_equal(config.other, "127.0.0.1:80");
	config_file_free(&file);
	assert_null(file.text);
	config_file_free(&file); /* twice is once */
}

static void
a_flag_says_yes_or_no(void **state)
{
	struct config_file file;
	struct config config;

	(void)state;
	write_file("flag = true");
	assert_int_equal(read_config(&config, &file), 0);
	assert_true(config.flag);
	config_file_free(&file);
	write_file("flag = no");
	config = (struct config){.flag = true};
	assert_int_equal(config_file_read(path, &program, &config, &file, error, sizeof(error)), 0);
	assert_false(config.flag);
	config_file_free(&file);
}

static void
files_of_every_editor_are_read(void **state)
{
	(void)state;
	check_text("", DEFAULT_TEXT);
	check_text("\n\n \t\n", DEFAULT_TEXT);
	check_text("   ", DEFAULT_TEXT);
	check_text("# only this", DEFAULT_TEXT);
	check_text("text = no line end", "no line end");
	check_text("text = DOS\r\n\r\nnumber = 3\r\n", "DOS");
	check_text("\xef\xbb\xbf", DEFAULT_TEXT);
	check_text("\xef\xbb\xbftext = marked\n", "marked");
	check_text("\xef\xbb\xbf# comment\ntext = marked\n", "marked");
	check_text("text = gr\xc3\xbc\xc3\x9f\n", "gr\xc3\xbc\xc3\x9f");
	check_text("text = a;b#c\n", "a;b#c");
	check_text("text = a #b\n", "a #b");
	/* What starts with a blank is a line of its own. */
	check_text("number = 5\n  text = indented\n\f\vother = x", "indented");
}

static void
a_mistake_gets_its_line(void **state)
{
	(void)state;
	check_refused("colour = red\n", "x.ini:1: unknown option colour; see prog --help");
	check_refused("\n# x\nnumber = 7\nnumbers = 8\n", "x.ini:4: unknown option numbers; see prog --help");
	check_refused("Things = 1\n", "x.ini:1: unknown option Things; see prog --help");
	check_refused("\nnumber = 101\n", "x.ini:2: number = 101: must be a whole number from 1 to 100");
	check_refused("number = 7 # seven\n", "x.ini:1: number = 7 # seven: must be a whole number from 1 to 100");
	check_refused("flag = maybe\n", "x.ini:1: flag = maybe: must be true or false");
	check_refused("even = abc\n", "x.ini:1: even = abc: must have an even length");
	check_refused("text = a\nother = b\ntext = a\n", "x.ini:3: text is there already, in line 1");
	check_refused("text =\n", "x.ini:1: text has no value");
	check_refused("text = ; none\n", "x.ini:1: text has no value");
	check_refused("[server]\ntext = a\n", "x.ini:1: there are no sections; write option = value");
	check_refused("text = a\n [server", "x.ini:2: there are no sections; write option = value");
	check_refused("\xef\xbb\xbf[server]\n", "x.ini:1: there are no sections; write option = value");
	check_refused("help = true\n", "x.ini:1: help means something on the command line alone");
	check_refused("version = 1\n", "x.ini:1: version means something on the command line alone");
	check_refused("config = x.ini\n", "x.ini:1: config means something on the command line alone");
	check_refused("text = a\nflag\n", "x.ini:2: neither option = value nor # comment");
	check_refused("text = a\n  b\n", "x.ini:2: neither option = value nor # comment");
	check_refused("-f\n", "x.ini:1: neither option = value nor # comment");
	check_refused("--text = a\n", "x.ini:1: unknown option --text; see prog --help");
	/* The first of several. */
	check_refused("flag\nnumber = 0\n", "x.ini:1: neither option = value nor # comment");
	check_refused("number = 0\nflag\n", "x.ini:1: number = 0: must be a whole number from 1 to 100");
	check_refused("flag\n[section]\n", "x.ini:1: neither option = value nor # comment");
}

/* The longest line has 198 bytes; no shorter one is cut and no longer one taken. */
static void
a_line_is_whole_or_refused(void **state)
{
	char line[512], value[451];

	(void)state;
	for (int len = 150; len < 450; len++) {
		struct config_file file;
		struct config config;
		int result;

		memset(value, 'v', (size_t)len);
		value[len] = '\0';
		snprintf(line, sizeof(line), "\ntext = %s", value);
		write_file(line);
		result = read_config(&config, &file);
		if (strlen("text = ") + (size_t)len <= 198) {
			assert_int_equal(result, 0);
			assert_string_equal(config.text, value);
			config_file_free(&file);
		} else {
			assert_int_equal(result, -EINVAL);
			assert_string_equal(error, "x.ini:2: longer than 198 bytes");
		}
	}
	/* A comment as well: inih would take its end for an option. */
	memset(line, '#', 300);
	snprintf(line + 300, sizeof(line) - 300, "\ntext = a\n");
	check_refused(line, "x.ini:1: longer than 198 bytes");
	/* A long message is cut, and stays in its room. */
	snprintf(line, sizeof(line), "%0190d = 1\n", 0);
	write_file(line);
	{
		struct config_file file;
		struct config config;
		char small[16];

		assert_int_equal(config_file_read("x.ini", &program, &config, &file, small, sizeof(small)), -EINVAL);
		assert_string_equal(small, "x.ini:1: unknow");
		assert_int_equal(config_file_read("x.ini", &program, &config, &file, small, 5), -EINVAL);
		assert_string_equal(small, "x.in");
	}
}

static void
many_lines_are_read_and_too_many_refused(void **state)
{
	char *source = malloc(CONFIG_FILE_MAX + 2);
	struct config_file file;
	struct config config;

	(void)state;
	assert_non_null(source);
	for (size_t i = 0; i < CONFIG_FILE_MAX + 1; i++)
		source[i] = i % 100 == 99 ? '\n' : '#';
	memcpy(source + CONFIG_FILE_MAX - 9, "\ntext = z\n", 10);
	write_bytes(source, CONFIG_FILE_MAX);
	assert_int_equal(read_config(&config, &file), 0);
	assert_string_equal(config.text, "z");
	config_file_free(&file);
	write_bytes(source, CONFIG_FILE_MAX + 1);
	assert_int_equal(read_config(&config, &file), -EFBIG);
	assert_string_equal(error, "x.ini: longer than 65536 bytes");
	free(source);
}

static void
a_file_that_is_none_is_refused(void **state)
{
	struct config_file file;
	struct config config;

	(void)state;
	unlink(path);
	assert_int_equal(read_config(&config, &file), -ENOENT);
	assert_string_equal(error, "x.ini: No such file or directory");
	assert_int_equal(config_file_read("", &program, &config, &file, error, sizeof(error)), -ENOENT);
	assert_int_equal(config_file_read("/", &program, &config, &file, error, sizeof(error)), -EISDIR);
	assert_string_equal(error, "/: Is a directory");
	/* A pipe that nobody writes to would hold the server for ever. */
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(read_config(&config, &file), -EINVAL);
	assert_string_equal(error, "x.ini: not a file");
	unlink(path);
	write_bytes("text = a\0b\n", 11);
	assert_int_equal(read_config(&config, &file), -EINVAL);
	assert_string_equal(error, "x.ini: not a text file: it holds a NUL byte");
	write_bytes("\xff\xfet\0e\0x\0t\0", 10); /* UTF-16 */
	assert_int_equal(read_config(&config, &file), -EINVAL);
	/* What never ends is too long. */
	assert_int_equal(config_file_read("/dev/zero", &program, &config, &file, error, sizeof(error)), -EFBIG);
	assert_int_equal(config_file_read("/dev/null", &program, &config, &file, error, sizeof(error)), 0);
	config_file_free(&file);
	/* It opens well and cannot be read. */
	assert_int_equal(config_file_read("/proc/self/mem", &program, &config, &file, error, sizeof(error)), -EIO);
	assert_string_equal(error, "/proc/self/mem: Input/output error");
}

static void
a_file_that_may_not_be_read_is_refused(void **state)
{
	bool root = geteuid() == 0;
	struct config_file file;
	struct config config;
	int result;

	(void)state;
	unlink(path);
	write_file("text = a");
	assert_int_equal(chmod(path, 0), 0);
	if (root && seteuid(65534) != 0)
		skip(); /* root may read it, and cannot be another here */
	result = read_config(&config, &file);
	if (root)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(result, -EACCES);
	assert_string_equal(error, "x.ini: Permission denied");
}

/* As when all descriptors are taken by connections, and SIGHUP comes. */
static void
without_a_descriptor_the_file_is_not_read(void **state)
{
	struct rlimit none, before;
	struct config_file file;
	struct config config;
	int result;

	(void)state;
	write_file("text = a");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	result = read_config(&config, &file);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(result, -EMFILE);
	assert_string_equal(error, "x.ini: Too many open files");
}

/* load reads a command line, and what it names. */
static int
load(char **argv, struct config *config, struct config_file *file)
{
	struct config_source source = {
	    .program = &program,
	    .argv = argv,
	    .size = sizeof(*config),
	    .path_offset = offsetof(struct config, file),
	};

	while (argv[source.argc] != NULL)
		source.argc++;
	*config = (struct config){.text = DEFAULT_TEXT, .other = DEFAULT_TEXT, .number = 1};
	return config_load(&source, config, file, error, sizeof(error));
}

static void
the_command_line_is_above_the_file_and_the_file_above_defaults(void **state)
{
	char *argv[] = {"prog", "--text", "typed", "--config=x.ini", "-f", NULL};
	struct config_file file, second_file;
	struct config config, second;

	(void)state;
	write_file("text = written\nnumber = 7\nflag = no\n");
	assert_int_equal(load(argv, &config, &file), 0);
	assert_string_equal(config.text, "typed");
	assert_string_equal(config.other, DEFAULT_TEXT);
	assert_int_equal(config.number, 7);
	assert_true(config.flag);
	/* Again, as at SIGHUP. What the file no longer says is as by default; what was read before stays as it was. */
	write_file("other = now\n");
	assert_int_equal(load(argv, &second, &second_file), 0);
	assert_string_equal(second.text, "typed");
	assert_string_equal(second.other, "now");
	assert_int_equal(second.number, 1);
	assert_true(second.flag);
	assert_int_equal(config.number, 7);
	assert_string_equal(config.other, DEFAULT_TEXT);
	config_file_free(&file);
	assert_string_equal(second.other, "now");
	config_file_free(&second_file);
}

static void
without_a_file_there_is_the_command_line(void **state)
{
	char *argv[] = {"prog", "--number=9", NULL};
	struct config_file file;
	struct config config;

	(void)state;
	assert_int_equal(load(argv, &config, &file), 0);
	assert_int_equal(config.number, 9);
	assert_string_equal(config.text, DEFAULT_TEXT);
	assert_null(file.text);
}

/* The last of several counts, as for every option. */
static void
the_last_file_counts(void **state)
{
	char *argv[] = {"prog", "--config", "/no/such/file", "--config", "x.ini", NULL};
	struct config_file file;
	struct config config;

	(void)state;
	write_file("text = written\n");
	assert_int_equal(load(argv, &config, &file), 0);
	assert_string_equal(config.text, "written");
	assert_string_equal(config.file, "x.ini");
	config_file_free(&file);
}

static void
a_load_that_fails_says_why(void **state)
{
	char *bad_file[] = {"prog", "--config=x.ini", NULL};
	char *bad_option[] = {"prog", "--config=x.ini", "--number=0", NULL};
	char *operand[] = {"prog", "--config=x.ini", "what", "--number=2", NULL};
	struct config_file file;
	struct config config;

	(void)state;
	write_file("number = 700\n");
	assert_int_equal(load(bad_file, &config, &file), -EINVAL);
	assert_string_equal(error, "x.ini:1: number = 700: must be a whole number from 1 to 100");
	assert_null(file.text);
	/* A mistake that was typed is told before one that was written. */
	assert_int_equal(load(bad_option, &config, &file), -EINVAL);
	assert_string_equal(error, "--number 0: must be a whole number from 1 to 100");
	assert_int_equal(load(operand, &config, &file), -EINVAL);
	assert_string_equal(error, "unexpected argument what; see prog --help");
	assert_null(file.text);
	unlink(path);
	assert_int_equal(load(bad_file, &config, &file), -ENOENT);
	assert_string_equal(error, "x.ini: No such file or directory");
}

/* start is config_start in a child: returns its status, or 99 where it got as far as text "written"; it prints to OUT. */
static int
start(const char *argument, char *out, size_t size)
{
	char copy[64], *argv[] = {"prog", "--config=x.ini", copy, NULL};
	struct config_source source = {
	    .program = &program,
	    .argc = argument != NULL ? 3 : 2,
	    .argv = argv,
	    .size = sizeof(struct config),
	    .path_offset = offsetof(struct config, file),
	};
	int pipe_fds[2], status;
	size_t used = 0;
	ssize_t got;
	pid_t pid;

	snprintf(copy, sizeof(copy), "%s", argument != NULL ? argument : "");
	assert_int_equal(pipe(pipe_fds), 0);
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct config config = {.text = DEFAULT_TEXT};
		struct config_file file;
		bool written;

		dup2(pipe_fds[1], STDOUT_FILENO);
		dup2(pipe_fds[1], STDERR_FILENO);
		close(pipe_fds[0]);
		config_start(&source, &config, &file);
		written = strcmp(config.text, "written") == 0;
		config_file_free(&file);
		exit(written ? 99 : 98);
	}
	close(pipe_fds[1]);
	while (used < size - 1 && (got = read(pipe_fds[0], out + used, size - 1 - used)) > 0)
		used += (size_t)got;
	out[used] = '\0';
	close(pipe_fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
a_start_ends_with_one_line_where_something_is_wrong(void **state)
{
	char out[1024];

	(void)state;
	write_file("text = written\n");
	assert_int_equal(start(NULL, out, sizeof(out)), 99);
	assert_string_equal(out, "");
	assert_int_equal(start("--number=5x", out, sizeof(out)), 2);
	assert_string_equal(out, "prog: --number 5x: must be a whole number from 1 to 100\n");
	assert_int_equal(start("what", out, sizeof(out)), 2);
	assert_string_equal(out, "prog: unexpected argument what; see prog --help\n");
	write_file("\nnumber = x\n");
	assert_int_equal(start(NULL, out, sizeof(out)), 2);
	assert_string_equal(out, "prog: x.ini:2: number = x: must be a whole number from 1 to 100\n");
	/* Who asks for help gets it, whatever the file says. */
	assert_int_equal(start("--help", out, sizeof(out)), 0);
	assert_non_null(strstr(out, "usage: prog [OPTION ...]\n"));
	assert_int_equal(start("--version", out, sizeof(out)), 0);
	assert_memory_equal(out, "prog ", 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_file_says_what_a_command_line_would),
	    cmocka_unit_test(a_flag_says_yes_or_no),
	    cmocka_unit_test(files_of_every_editor_are_read),
	    cmocka_unit_test(a_mistake_gets_its_line),
	    cmocka_unit_test(a_line_is_whole_or_refused),
	    cmocka_unit_test(many_lines_are_read_and_too_many_refused),
	    cmocka_unit_test(a_file_that_is_none_is_refused),
	    cmocka_unit_test(a_file_that_may_not_be_read_is_refused),
	    cmocka_unit_test(without_a_descriptor_the_file_is_not_read),
	    cmocka_unit_test(the_command_line_is_above_the_file_and_the_file_above_defaults),
	    cmocka_unit_test(without_a_file_there_is_the_command_line),
	    cmocka_unit_test(the_last_file_counts),
	    cmocka_unit_test(a_load_that_fails_says_why),
	    cmocka_unit_test(a_start_ends_with_one_line_where_something_is_wrong),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
