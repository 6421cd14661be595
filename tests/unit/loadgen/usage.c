/* Unit tests of loadgen/usage: two options in a line. */
#include "loadgen/usage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

static const struct option_row rows[] = {
    {OPTION_HEADING, .help = "Load"},
    {OPTION_INT, 'n', "requests", "N", .help = "requests a cell (100)"},
    {OPTION_INT, 'C', "cookie", "NAME=VALUE", .help = "24 columns, and not more"},
    {OPTION_FLAG, 'k', NULL, NULL, .help = "alone: the next is long"},
    {OPTION_FLAG, .name = "long", .help = "25 columns are one too much"},
    {OPTION_FLAG, .name = "until-saturated", .help = "wide label"},
    {OPTION_FLAG, 'x', "last", NULL, .help = "alone: a heading follows"},
    {OPTION_HEADING, .help = "Report"},
    {OPTION_STRING, .name = "json", .argument = "FILE", .help = "left"},
    {OPTION_HELP, .short_name = 'h', .name = "help", .help = "right"},
    {OPTION_VERSION, .short_name = 'V', .name = "version", .help = "odd"},
    {.type = OPTION_END},
};

static void
test_short_ones_share_a_line(void **state)
{
	struct options_program program = {
	    .name = "toy", .synopsis = "[options]", .summary = "Does nothing.", .rows = rows, .footer = "The end.\n"};
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	assert_non_null(out);
	usage_write(&program, out);
	fclose(out);
	assert_string_equal(text, "usage: toy [options]\n"
				  "Does nothing.\n"
				  "Load:\n"
				  "  -n N          requests a cell (100)    -C NAME=VALUE 24 columns, and not more\n"
				  "  -k            alone: the next is long\n"
				  "  --long        25 columns are one too much\n"
				  "  --until-saturated  wide label\n"
				  "  -x            alone: a heading follows\n"
				  "Report:\n"
				  "  --json FILE   left                     -h            right\n"
				  "  -V            odd\n"
				  "\n"
				  "The end.\n");
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_short_ones_share_a_line),
	};

	return cmocka_run_group_tests_name("loadgen/usage", tests, NULL, NULL);
}
