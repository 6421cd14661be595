/* One table of options -> getopt_long, ranges, messages and --help, the same for all programs. */
#include "common/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/decimal.h"
#include "common/version.h"

#define OPTIONS_MAX 96 /* rows of the largest table */
#define LONG_ONLY 256  /* getopt's value of a row is this plus the row's index */
#define HELP_COLUMN 30 /* where the sentences of --help begin */
#define HELP_WIDTH 79

_Noreturn void
options_fail(const struct options_program *program, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", program->name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(2);
}

static bool
takes_value(const struct option_row *row)
{
	return row->type >= OPTION_INT && row->type <= OPTION_PARSE;
}

static int
set_int(const struct option_row *row, void *field, const char *value, char *error, size_t error_size)
{
	char *end;
	long long number;

	errno = 0;
	number = strtoll(value, &end, 10);
	if (*value == '\0' || *value == ' ' || *end != '\0' || errno != 0 || (double)number < row->min ||
	    (double)number > row->max) {
		snprintf(error, error_size, "must be a whole number from %.0f to %.0f", row->min, row->max);
		return -EINVAL;
	}
	*(int64_t *)field = number;
	return 0;
}

/* parse_scaled reads VALUE times SCALE into *NUMBER; WHAT it is stands in the message. */
static int
parse_scaled(const struct option_row *row, const char *value, double scale, const char *what, uint64_t *number,
    char *error, size_t error_size)
{
	uint64_t parsed;

	if (decimal_parse(value, scale, (uint64_t)(row->max * scale), &parsed) != 0 ||
	    (double)parsed < row->min * scale) {
		snprintf(error, error_size, "must be %s from %.9g to %.9g", what, row->min, row->max);
		return -EINVAL;
	}
	*number = parsed;
	return 0;
}

static int
set_percent(const struct option_row *row, void *field, const char *value, char *error, size_t error_size)
{
	uint64_t millionths;

	if (parse_scaled(row, value, 1e4, "a percentage", &millionths, error, error_size) != 0)
		return -EINVAL;
	*(uint32_t *)field = (uint32_t)millionths;
	return 0;
}

static int
set_choice(const struct option_row *row, void *field, const char *value, char *error, size_t error_size)
{
	size_t len = strlen(value);
	int index = 0;

	for (const char *name = row->choices; name != NULL; index++) {
		const char *bar = strchr(name, '|');
		size_t name_len = bar != NULL ? (size_t)(bar - name) : strlen(name);

		if (name_len == len && memcmp(name, value, len) == 0) {
			*(int *)field = index;
			return 0;
		}
		name = bar != NULL ? bar + 1 : NULL;
	}
	snprintf(error, error_size, "must be one of %s", row->choices);
	return -EINVAL;
}

static int
set_value(const struct option_row *row, void *config, const char *value, char *error, size_t error_size)
{
	void *field = (char *)config + row->offset;

	switch (row->type) {
	case OPTION_FLAG:
		*(bool *)field = true;
		return 0;
	case OPTION_INT:
		return set_int(row, field, value, error, error_size);
	case OPTION_SECONDS:
		return parse_scaled(row, value, (double)NS_PER_SEC, "a number of seconds", field, error, error_size);
	case OPTION_MS:
		return parse_scaled(
		    row, value, (double)NS_PER_MS, "a number of milliseconds", field, error, error_size);
	case OPTION_PERCENT:
		return set_percent(row, field, value, error, error_size);
	case OPTION_STRING:
		*(const char **)field = value;
		return 0;
	case OPTION_CHOICE:
		return set_choice(row, field, value, error, error_size);
	case OPTION_PARSE:
		return row->parse(config, value, error, error_size) == 0 ? 0 : -EINVAL;
	case OPTION_END:
	case OPTION_HEADING:
	case OPTION_HELP:
	case OPTION_VERSION:
		break;
	}
	return 0;
}

/* row_label writes how a person types the option: "-c, --concurrency LIST". */
static void
row_label(const struct option_row *row, char *label, size_t size)
{
	int used = 0;

	if (row->short_name != 0)
		used = snprintf(label, size, "-%c%s", row->short_name, row->name != NULL ? ", " : "");
	if (row->name != NULL)
		used += snprintf(label + used, size - (size_t)used, "--%s", row->name);
	if (row->argument != NULL)
		snprintf(label + used, size - (size_t)used, " %s", row->argument);
}

/* print_wrapped prints TEXT from COLUMN on, whose line so far is USED wide, breaking at blanks. */
static void
print_wrapped(const char *text, int used, int column)
{
	while (*text != '\0') {
		size_t word = strcspn(text, " ");

		if (used > column && used + 1 + (int)word > HELP_WIDTH) {
			putchar('\n');
			used = 0;
		}
		if (used < column)
			used += printf("%*s", column - used, "");
		else if (used > column)
			used += printf(" ");
		used += printf("%.*s", (int)word, text);
		text += word;
		text += strspn(text, " ");
	}
	putchar('\n');
}

void
options_usage(const struct options_program *program)
{
	printf("usage: %s %s\n\n", program->name, program->synopsis);
	print_wrapped(program->summary, 0, 0);
	for (const struct option_row *row = program->rows; row->type != OPTION_END; row++) {
		char label[80];
		int used;

		if (row->type == OPTION_HEADING) {
			printf("\n%s:\n", row->help);
			continue;
		}
		row_label(row, label, sizeof(label));
		used = printf("  %s%s", row->short_name == 0 ? "    " : "", label);
		if (used >= HELP_COLUMN) {
			putchar('\n');
			used = 0;
		}
		print_wrapped(row->help, used, HELP_COLUMN);
	}
	if (program->footer != NULL)
		printf("\n%s", program->footer);
}

/* row_of_getopt finds the row behind what getopt_long returned: a short name, or LONG_ONLY plus an index. */
static const struct option_row *
row_of_getopt(const struct option_row *rows, int got)
{
	if (got >= LONG_ONLY)
		return &rows[got - LONG_ONLY];
	for (const struct option_row *row = rows; row->type != OPTION_END; row++)
		if (row->short_name != 0 && row->short_name == got)
			return row;
	return NULL;
}

/* fail_getopt says what was wrong with the argument that getopt_long stopped at. */
static _Noreturn void
fail_getopt(const struct options_program *program, int got, int index, char **argv)
{
	const struct option_row *row = row_of_getopt(program->rows, optopt);
	char label[80];

	if (got == ':' && row != NULL) {
		row_label(row, label, sizeof(label));
		options_fail(program, "option %s needs a value; see %s --help", label, program->name);
	}
	if (optopt != 0 && optopt < LONG_ONLY)
		options_fail(program, "unknown option -%c; see %s --help", optopt, program->name);
	if (row != NULL && !takes_value(row))
		options_fail(program, "option --%s takes no value; see %s --help", row->name, program->name);
	options_fail(program, "unknown or ambiguous option %s; see %s --help", argv[index], program->name);
}

static void
fill_getopt_tables(const struct options_program *program, struct option *longs, char *shorts)
{
	*shorts++ = ':';
	for (int i = 0; i < OPTIONS_MAX && program->rows[i].type != OPTION_END; i++) {
		const struct option_row *row = &program->rows[i];

		if (row->short_name != 0) {
			*shorts++ = row->short_name;
			if (takes_value(row))
				*shorts++ = ':';
		}
		if (row->name != NULL)
			*longs++ = (struct option){
			    .name = row->name,
			    .has_arg = takes_value(row) ? required_argument : no_argument,
			    .val = LONG_ONLY + i,
			};
	}
	*shorts = '\0';
	*longs = (struct option){0};
}

int
options_parse(const struct options_program *program, void *config, int argc, char **argv)
{
	struct option longs[OPTIONS_MAX + 1];
	char shorts[2 * OPTIONS_MAX + 2];
	char error[256];
	int got;

	fill_getopt_tables(program, longs, shorts);
	opterr = 0;
	for (;;) {
		int index = optind;
		const struct option_row *row;

		got = getopt_long(argc, argv, shorts, longs, NULL);
		if (got == -1)
			return optind;
		if (got == '?' || got == ':')
			fail_getopt(program, got, index < optind ? optind - 1 : index, argv);
		row = row_of_getopt(program->rows, got);
		if (row == NULL)
			fail_getopt(program, '?', index, argv);
		if (row->type == OPTION_HELP) {
			options_usage(program);
			exit(0);
		}
		if (row->type == OPTION_VERSION) {
			printf("%s %s\n", program->name, LOOPFORK_VERSION);
			exit(0);
		}
		if (set_value(row, config, optarg, error, sizeof(error)) != 0) {
			if (got >= LONG_ONLY)
				options_fail(program, "--%s %s: %s", row->name, optarg, error);
			options_fail(program, "-%c %s: %s", row->short_name, optarg, error);
		}
	}
}

int
options_set(const struct options_program *program, void *config, const char *name, const char *value, char *error,
    size_t error_size)
{
	char why[256];

	for (const struct option_row *row = program->rows; row->type != OPTION_END; row++) {
		if (row->name == NULL || row->type == OPTION_HEADING || strcmp(row->name, name) != 0)
			continue;
		if (set_value(row, config, value, why, sizeof(why)) == 0)
			return 0;
		snprintf(error, error_size, "%s = %s: %s", name, value, why);
		return -EINVAL;
	}
	snprintf(error, error_size, "unknown setting %s", name);
	return -ENOENT;
}
