/* Unit tests of loadgen/outfile: a file is old or new, never half. */
#include "loadgen/outfile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/loadgen-outfile-XXXXXX";
static char path[PATH_MAX];

static int
write_text(FILE *out, const void *what)
{
	fputs(what, out);
	return 0;
}

static int
write_half(FILE *out, const void *what)
{
	fputs(what, out);
	return -ENOMEM;
}

static const char *
contents(const char *name)
{
	static char text[256];
	FILE *in = fopen(name, "r");
	size_t len;

	assert_non_null(in);
	len = fread(text, 1, sizeof(text) - 1, in);
	text[len] = '\0';
	fclose(in);
	return text;
}

/* files counts what lies in the folder: a temporary file left behind would show. */
static int
files(void)
{
	DIR *dir = opendir(folder);
	int count = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count - 2; /* . and .. */
}

static void
test_a_file_is_made_and_replaced(void **state)
{
	struct stat status;

	(void)state;
	umask(027);
	assert_int_equal(outfile_check(path), 0);
	assert_int_equal(files(), 0);
	assert_int_equal(outfile_write(path, write_text, "one"), 0);
	assert_string_equal(contents(path), "one");
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0640);
	assert_int_equal(outfile_check(path), 0);
	assert_string_equal(contents(path), "one");
	assert_int_equal(outfile_write(path, write_text, "two"), 0);
	assert_string_equal(contents(path), "two");
	assert_int_equal(files(), 1);
	assert_int_equal(unlink(path), 0);
}

/* Who must not read a file must not read the one that takes its place. */
static void
test_permissions_stay(void **state)
{
	static const mode_t modes[] = {0600, 0644, 0400, 0666};
	struct stat status;

	(void)state;
	umask(022);
	assert_int_equal(outfile_write(path, write_text, "one"), 0);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		assert_int_equal(chmod(path, modes[i]), 0);
		assert_int_equal(outfile_write(path, write_text, "two"), 0);
		assert_int_equal(stat(path, &status), 0);
		assert_int_equal(status.st_mode & 07777, modes[i]);
	}
	assert_int_equal(unlink(path), 0);
}

static void
test_where_nothing_can_be_written(void **state)
{
	char below[PATH_MAX + 8];

	(void)state;
	assert_int_equal(outfile_check(""), -ENOENT);
	assert_int_equal(outfile_check(folder), -EISDIR);
	snprintf(below, sizeof(below), "%s/no/x", folder);
	assert_int_equal(outfile_check(below), -ENOENT);
	assert_int_equal(outfile_write(below, write_text, "x"), -ENOENT);
	assert_int_equal(outfile_write(folder, write_text, "x"), -EISDIR);
	assert_int_equal(outfile_write("/dev/full", write_text, "x"), -ENOSPC);
	assert_int_equal(files(), 0);
}

static void
test_what_is_not_whole_is_no_file(void **state)
{
	(void)state;
	assert_int_equal(outfile_write(path, write_half, "ha"), -ENOMEM);
	assert_int_equal(files(), 0);
	assert_int_equal(outfile_write(path, write_text, "old"), 0);
	assert_int_equal(outfile_write(path, write_half, "ne"), -ENOMEM);
	assert_string_equal(contents(path), "old");
	assert_int_equal(files(), 1);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(outfile_write("/dev/null", write_half, "x"), -ENOMEM);
}

static void
test_a_device_stays_a_device(void **state)
{
	struct stat status;

	(void)state;
	assert_int_equal(outfile_check("/dev/null"), 0);
	assert_int_equal(outfile_write("/dev/null", write_text, "x"), 0);
	assert_int_equal(stat("/dev/null", &status), 0);
	assert_true(S_ISCHR(status.st_mode));
	assert_int_equal(outfile_check("-"), 0);
}

static void
test_a_link_stays_and_its_file_is_replaced(void **state)
{
	char link[PATH_MAX + 8];
	struct stat status;

	(void)state;
	snprintf(link, sizeof(link), "%s/link", folder);
	assert_int_equal(outfile_write(path, write_text, "old"), 0);
	assert_int_equal(symlink("out", link), 0);
	assert_int_equal(outfile_check(link), 0);
	assert_int_equal(outfile_write(link, write_text, "new"), 0);
	assert_int_equal(lstat(link, &status), 0);
	assert_true(S_ISLNK(status.st_mode));
	assert_string_equal(contents(path), "new");
	assert_int_equal(files(), 2);
	assert_int_equal(unlink(link), 0);
	/* The folder that must take the new file is the one behind the link. */
	assert_int_equal(symlink("/proc/self/status", link), 0);
	assert_true(outfile_check(link) < 0);
	assert_true(outfile_write(link, write_text, "x") < 0);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(symlink("link", link), 0);
	assert_int_equal(outfile_check(link), -ELOOP);
	assert_int_equal(outfile_write(link, write_text, "x"), -ELOOP);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(unlink(path), 0);
}

static void
test_a_link_to_nothing_leads_where_the_file_comes_to_be(void **state)
{
	char link[PATH_MAX + 8], to_link[PATH_MAX + 8], below[PATH_MAX + 8];
	struct stat status;

	(void)state;
	snprintf(link, sizeof(link), "%s/link", folder);
	snprintf(to_link, sizeof(to_link), "%s/to-link", folder);
	snprintf(below, sizeof(below), "%s/below", folder);
	assert_int_equal(symlink("out", link), 0);
	assert_int_equal(symlink(link, to_link), 0);
	assert_int_equal(symlink("no/out", below), 0);
	assert_true(outfile_same(path, link));
	assert_true(outfile_same(to_link, path));
	assert_true(outfile_same(to_link, link));
	assert_false(outfile_same(path, below));
	assert_int_equal(outfile_check(below), -ENOENT);
	assert_int_equal(outfile_check(to_link), 0);
	assert_int_equal(outfile_write(to_link, write_text, "new"), 0);
	assert_int_equal(lstat(to_link, &status), 0);
	assert_true(S_ISLNK(status.st_mode));
	assert_int_equal(lstat(path, &status), 0);
	assert_true(S_ISREG(status.st_mode));
	assert_string_equal(contents(path), "new");
	assert_int_equal(unlink(below), 0);
	assert_int_equal(unlink(to_link), 0);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(unlink(path), 0);
	/* Links that lead in a circle lead nowhere. */
	assert_int_equal(symlink("link", link), 0);
	assert_false(outfile_same(path, link));
	assert_int_equal(unlink(link), 0);
}

static void
test_an_open_file_without_a_name_is_written(void **state)
{
	char name[64];
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	(void)state;
	assert_int_not_equal(fd, -1);
	assert_int_equal(unlink(path), 0);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	assert_int_equal(outfile_check(name), 0);
	assert_int_equal(outfile_write(name, write_text, "text"), 0);
	assert_string_equal(contents(name), "text");
	close(fd);
}

static int
make_folder(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "%s/out", mkdtemp(folder) != NULL ? folder : "");
	return 0;
}

static int
remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_file_is_made_and_replaced),
	    cmocka_unit_test(test_permissions_stay),
	    cmocka_unit_test(test_where_nothing_can_be_written),
	    cmocka_unit_test(test_what_is_not_whole_is_no_file),
	    cmocka_unit_test(test_a_device_stays_a_device),
	    cmocka_unit_test(test_a_link_stays_and_its_file_is_replaced),
	    cmocka_unit_test(test_a_link_to_nothing_leads_where_the_file_comes_to_be),
	    cmocka_unit_test(test_an_open_file_without_a_name_is_written),
	};

	return cmocka_run_group_tests_name("loadgen/outfile", tests, make_folder, remove_folder);
}
