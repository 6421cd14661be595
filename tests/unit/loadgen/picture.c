/* Unit tests of loadgen/picture: the name decides about the format, and what goes wrong is a sentence. */
#include "tests/unit/loadgen/figures.h"

#include <sys/resource.h>

#include "loadgen/picture.h"

static void
assert_begins(const char *path, const char *with)
{
	struct picture picture;
	char error[256] = "", *printed;
	size_t len;
	FILE *out = open_memstream(&printed, &len);

	assert_non_null(out);
	if (picture_draw(&picture, &sweep, path, error, sizeof(error)) != 0)
		fail_msg("%s", error);
	assert_int_equal(picture_print(out, &picture), 0);
	fclose(out);
	assert_int_equal(len, picture.len);
	assert_memory_equal(printed, with, strlen(with));
	free(printed);
	free(picture.bytes);
}

static void
test_the_name_tells_the_format(void **state)
{
	(void)state;
	figures_set(1, 2);
	assert_begins("a.png", "\x89PNG");
	assert_begins("a.svg", "<?xml");
	assert_begins("png", "<?xml");
	assert_begins("-", "<?xml");
}

static void
assert_not_drawn(const char *why)
{
	struct picture picture;
	char error[256] = "";

	assert_int_equal(picture_draw(&picture, &sweep, "a.svg", error, sizeof(error)), -1);
	assert_string_equal(error, why);
}

static void
test_why_nothing_is_drawn(void **state)
{
	char *path = strdup(getenv("PATH"));
	struct rlimit before, none;

	(void)state;
	figures_set(1, 2);
	setenv("PATH", "/nowhere", 1);
	assert_not_drawn("gnuplot is not installed; it is in Debian's package gnuplot-nox");
	setenv("PATH", path, 1);
	free(path);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_not_drawn("cannot run gnuplot: Too many open files");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_name_tells_the_format),
	    cmocka_unit_test(test_why_nothing_is_drawn),
	};

	return cmocka_run_group_tests_name("loadgen/picture", tests, NULL, NULL);
}
