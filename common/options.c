/* One table of options -> getopt_long, ranges, messages and --help, the same for all programs. */
#include "common/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "common/decimal.h"
#include "common/version.h"

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

/* set_flag: the option alone says yes (VALUE is NULL); a configuration file can say either. */
static int
set_flag(void *field, const char *value, char *error, size_t error_size)
{
	static const char *const yes[] = {"true", "yes", "1"};
	static const char *const no[] = {"false", "no", "0"};

	if (value == NULL) {
		*(bool *)field = true;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(yes); i++)
		if (strcasecmp(value, yes[i]) == 0 || strcasecmp(value, no[i]) == 0) {
			*(bool *)field = strcasecmp(value, yes[i]) == 0;
			return 0;
		}
	snprintf(error, error_size, "must be true or false");
	return -EINVAL;
}

static int
set_int(const struct option_row *row, void *field, const char *value, char *error, size_t error_size)
{
	char *end;
	long long number;

	errno = 0;
	number = strtoll(value, &end, 10); /* which would take " 5" and "+5" */
	if (*value == '\0' || (*value != '-' && (*value < '0' || *value > '9')) || *end != '\0' || errno != 0 ||
	    (double)number < row->min || (double)number > row->max) {
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

/* shown is VALUE as it stands in a message, where nothing at all would not be seen. */
static const char *
shown(const char *value)
{
	return *value != '\0' ? value : "\"\"";
}

static int
set_value(const struct option_row *row, void *config, const char *value, char *error, size_t error_size)
{
	void *field = (char *)config + row->offset;

	switch (row->type) {
	case OPTION_FLAG:
		return set_flag(field, value, error, error_size);
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

/* tell_getopt says what was wrong with the argument that getopt_long stopped at. */
static void
tell_getopt(const struct options_program *program, int got, const char *argument, char *error, size_t error_size)
{
	const struct option_row *row = row_of_getopt(program->rows, optopt);
	char label[80];

	if (got == ':' && row != NULL) {
		row_label(row, label, sizeof(label));
		snprintf(error, error_size, "option %s needs a value; see %s --help", label, program->name);
	} else if (optopt != 0 && optopt < LONG_ONLY) {
		snprintf(error, error_size, "unknown option -%c; see %s --help", optopt, program->name);
	} else if (row != NULL && !takes_value(row)) {
		snprintf(error, error_size, "option --%s takes no value; see %s --help", row->name, program->name);
	} else {
		snprintf(error, error_size, "unknown or ambiguous option %s; see %s --help", argument, program->name);
	}
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
options_read(const struct options_program *program, void *config, int argc, char **argv, options_about_fn *about,
    char *error, size_t error_size)
{
	struct option longs[OPTIONS_MAX + 1];
	char shorts[2 * OPTIONS_MAX + 2];
	char why[256];
	int got;

	fill_getopt_tables(program, longs, shorts);
	opterr = 0;
	optind = 0; /* glibc: forget the command line that was read before */
	for (;;) {
		int index = optind > 0 ? optind : 1;
		const struct option_row *row = NULL;

		got = getopt_long(argc, argv, shorts, longs, NULL);
		if (got == -1)
			return optind;
		if (got != '?' && got != ':')
			row = row_of_getopt(program->rows, got);
		if (row == NULL) {
			tell_getopt(program, got, argv[index < optind ? optind - 1 : index], error, error_size);
			return -EINVAL;
		}
		if (row->type == OPTION_HELP || row->type == OPTION_VERSION) {
			if (about != NULL)
				about(program, row);
			continue;
		}
		if (set_value(row, config, optarg, why, sizeof(why)) != 0) {
			if (got >= LONG_ONLY)
				snprintf(error, error_size, "--%s %s: %s", row->name, shown(optarg), why);
			else
				snprintf(error, error_size, "-%c %s: %s", row->short_name, shown(optarg), why);
			return -EINVAL;
		}
	}
}

static void
print_about(const struct options_program *program, const struct option_row *row)
{
	if (row->type == OPTION_VERSION)
		printf("%s %s\n", program->name, LOOPFORK_VERSION);
	else if (program->usage != NULL)
		program->usage(program);
	else
		options_usage(program);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "%s: cannot write to standard output: %s\n", program->name, strerror(errno));
		exit(1);
	}
	exit(0);
}

int
options_parse(const struct options_program *program, void *config, int argc, char **argv)
{
	char error[4096];
	int operand = options_read(program, config, argc, argv, print_about, error, sizeof(error));

	if (operand < 0)
		options_fail(program, "%s", error);
	return operand;
}

const struct option_row *
options_find(const struct options_program *program, const char *name)
{
	for (const struct option_row *row = program->rows; row->type != OPTION_END; row++)
		if (row->type != OPTION_HEADING && row->name != NULL && strcmp(row->name, name) == 0)
			return row;
	return NULL;
}

int
options_set(const struct options_program *program, void *config, const char *name, const char *value, char *error,
    size_t error_size)
{
	const struct option_row *row = options_find(program, name);
	char why[256];

	if (row == NULL) {
		snprintf(error, error_size, "unknown setting %s", name);
		return -ENOENT;
	}
	if (row->type == OPTION_HELP || row->type == OPTION_VERSION) {
		snprintf(error, error_size, "%s means something on the command line alone", name);
		return -EINVAL;
	}
	if (set_value(row, config, value, why, sizeof(why)) != 0) {
		snprintf(error, error_size, "%s = %s: %s", name, shown(value), why);
		return -EINVAL;
	}
	return 0;
}

/* field_size is how many bytes of the configuration ROW is about, where they can be compared. */
static size_t
field_size(const struct option_row *row)
{
	switch (row->type) {
	case OPTION_FLAG:
		return sizeof(bool);
	case OPTION_INT:
		return sizeof(int64_t);
	case OPTION_SECONDS:
	case OPTION_MS:
		return sizeof(uint64_t);
	case OPTION_PERCENT:
		return sizeof(uint32_t);
	case OPTION_CHOICE:
		return sizeof(int);
	case OPTION_PARSE:
		return (size_t)row->max;
	case OPTION_STRING: /* by what it points to */
	case OPTION_END:
	case OPTION_HEADING:
	case OPTION_HELP:
	case OPTION_VERSION:
		break;
	}
	return 0;
}

static bool
differs(const struct option_row *row, const void *a, const void *b)
{
	const char *field_a = (const char *)a + row->offset;
	const char *field_b = (const char *)b + row->offset;

	if (row->type == OPTION_STRING) {
		const char *text_a = *(const char *const *)(const void *)field_a;
		const char *text_b = *(const char *const *)(const void *)field_b;

		return text_a == NULL || text_b == NULL ? text_a != text_b : strcmp(text_a, text_b) != 0;
	}
	return memcmp(field_a, field_b, field_size(row)) != 0;
}

/* is_another_name tells whether a row above ROW sets the same field. */
static bool
is_another_name(const struct option_row *rows, const struct option_row *row)
{
	for (; rows < row; rows++)
		if (rows->type == row->type && rows->offset == row->offset)
			return true;
	return false;
}

void
options_differ(
    const struct options_program *program, const void *a, const void *b, options_differ_fn *differ, void *context)
{
	for (const struct option_row *row = program->rows; row->type != OPTION_END; row++)
		if (row->name != NULL && differs(row, a, b) && !is_another_name(program->rows, row))
			differ(context, row->name);
}
