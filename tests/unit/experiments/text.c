/* Texts: escaping, wrapping, files; and the fits that sentences are made from. */
#include "tests/unit/experiments/sample.h"

#include <math.h>

#include "experiments/points.h"
#include "experiments/text.h"

static void
expect(void (*add)(struct text *, const char *), const char *string, const char *wanted)
{
	struct text text = {0};

	add(&text, string);
	assert_string_equal(text_string(&text), wanted);
	text_deinit(&text);
}

static void
test_escapes(void **state)
{
	(void)state;
	expect(text_add_html, "a<b>&\"c\" d'e", "a&lt;b&gt;&amp;&quot;c&quot; d'e");
	expect(text_add_html, "", "");
	expect(text_add_markdown, "a_b*c`[d]|<e>#\\", "a\\_b\\*c\\`\\[d\\]\\|\\<e\\>\\#\\\\");
	expect(text_add_markdown, "a&lt; $x$ ~~y~~\nz", "a\\&lt; \\$x\\$ \\~\\~y\\~\\~ z");
	expect(text_add_shell, "--results=a/B-9_.:,@%+", "--results=a/B-9_.:,@%+");
	expect(text_add_shell, "", "''");
	expect(text_add_shell, "it's", "'it'\\''s'");
	expect(text_add_shell, "a;b", "'a;b'");
	expect(text_add_shell, "$(x) & `y` * | <z>", "'$(x) & `y` * | <z>'");
	expect(text_add_shell, "~", "'~'");
	expect(text_add_csv, "plain text", "plain text");
	expect(text_add_csv, "a,b", "\"a,b\"");
	expect(text_add_csv, "say \"x\"\n", "\"say \"\"x\"\"\n\"");
}

static void
test_a_text_grows(void **state)
{
	struct text text = {0};

	(void)state;
	assert_string_equal(text_string(&text), "");
	for (int i = 0; i < 1000; i++)
		text_add(&text, "%03d", i);
	assert_int_equal(text.len, 3000);
	assert_memory_equal(text.at + 2997, "999", 4);
	text_deinit(&text);
}

static void
test_wrapping(void **state)
{
	struct text text = {0};

	(void)state;
	text_add_wrapped(&text, "  one two\nthree   four ", 2, 11);
	assert_string_equal(text.at, "one two\n  three\n  four\n");
	text_deinit(&text);
	text_add_wrapped(&text, "toolongforaline x", 0, 5);
	assert_string_equal(text.at, "toolongforaline\nx\n");
	text_deinit(&text);
	/* Six characters, eleven bytes. */
	text_add_wrapped(&text, "ждать ы", 0, 7);
	assert_string_equal(text.at, "ждать ы\n");
	text_deinit(&text);
}

static void
test_files(void **state)
{
	char *folder = sample_folder(), *path = memory_print("%s/file", folder);
	struct text text = {0}, back = {0};

	(void)state;
	text_add(&text, "hello");
	assert_int_equal(text_write(&text, path), 0);
	assert_int_equal(text_read(&back, path, 5), 0);
	assert_string_equal(back.at, "hello");
	text_deinit(&back);
	assert_int_equal(text_read(&back, path, 4), -EFBIG);
	text_deinit(&back);
	assert_int_equal(text_read(&back, folder, 100), -EISDIR);
	assert_int_equal(text_write(&text, folder), -EISDIR);
	/* A full disk is an error when the text is written, not later. */
	assert_int_equal(text_write(&text, "/dev/full"), -ENOSPC);
	text_deinit(&text);
	free(path);
	sample_remove(folder);
}

static void
test_fits(void **state)
{
	const double x[] = {5, 10, 20, 40}, line[] = {12, 22, 42, 82}, power[] = {10, 40, 160, 640},
		     flat[] = {7, 7, 7, 7};
	const double zero[] = {0, 0, 0, 0};

	(void)state;
	assert_true(fabs(points_slope(x, line, 4) - 2) < 1e-9);
	assert_true(fabs(points_slope(x, flat, 4)) < 1e-9);
	assert_true(fabs(points_exponent(x, power, 4) - 2) < 1e-9);
	assert_true(fabs(points_exponent(x, flat, 4)) < 1e-9);
	assert_true(isnan(points_slope(x, line, 1)));
	assert_true(isnan(points_slope(flat, line, 4)));
	assert_true(isnan(points_exponent(x, zero, 4)));
	assert_true(isnan(points_exponent(x, line, 0)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_escapes),
	    cmocka_unit_test(test_a_text_grows),
	    cmocka_unit_test(test_wrapping),
	    cmocka_unit_test(test_files),
	    cmocka_unit_test(test_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
