/* One table of options -> getopt_long, ranges, messages and --help, the same for all programs. */
#ifndef COMMON_OPTIONS_H
#define COMMON_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"

/* What an option's value is, and so what stands at its offset in the program's configuration. */
enum option_type {
	OPTION_END,     /* the last row of a table */
	OPTION_HEADING, /* no option: `help` heads the group that follows in --help */
	OPTION_FLAG,    /* bool: no value, sets true */
	OPTION_INT,     /* int64_t: a whole number from min to max */
	OPTION_SECONDS, /* uint64_t nanoseconds: seconds from min to max, fractions allowed */
	OPTION_MS,      /* uint64_t nanoseconds: milliseconds from min to max, fractions allowed */
	OPTION_PERCENT, /* uint32_t parts per million: percent from min to max, to four decimals */
	OPTION_STRING,  /* const char *: points into argv */
	OPTION_CHOICE,  /* int: the index of the value in `choices` ("async|blocking|threadpool") */
	OPTION_PARSE,   /* whatever `parse` makes of it */
	OPTION_HELP,    /* prints the usage and exits 0 */
	OPTION_VERSION, /* prints "NAME VERSION" and exits 0 */
};

/*
 * option_parse_fn stores VALUE in CONFIG.  Returns 0, or -1 with a text in
 * ERROR that ends the sentence `NAME: --option VALUE: ` ("5,x" -> `"x" is not
 * a whole number; use 1 to 20000, as in 5,10,20`).
 */
typedef int option_parse_fn(void *config, const char *value, char *error, size_t error_size);

struct option_row {
	enum option_type type;
	char short_name;      /* 0: none */
	const char *name;     /* long name without --; NULL: none */
	const char *argument; /* how --help calls the value; NULL for none */
	const char *help;     /* one sentence; the default belongs in it */
	size_t offset;        /* of the field in the configuration */
	double min, max;     /* OPTION_INT to OPTION_PERCENT, in the unit that is typed: the range, both ends allowed */
	const char *choices; /* OPTION_CHOICE: names, separated by | */
	option_parse_fn *parse; /* OPTION_PARSE */
};

struct options_program {
	const char *name;              /* as in messages: "async_server" */
	const char *synopsis;          /* what follows the name in "usage: " */
	const char *summary;           /* one or two sentences above the options */
	const struct option_row *rows; /* ends with OPTION_END */
	const char *footer;            /* printed below the options: examples; NULL: none */
};

/*
 * options_parse reads ARGV into CONFIG by the table of PROGRAM, and returns
 * the index of the first operand.  Options and operands may be mixed, as GNU
 * programs allow.  It is part of start-up: on --help and --version it prints
 * and exits 0; on a mistake it prints one line that names the option, the value and what
 * is allowed, and exits 2.
 */
int options_parse(const struct options_program *program, void *config, int argc, char **argv);

/*
 * options_set stores one VALUE for the option with the long name NAME, as a
 * configuration file does.  Returns 0, or -ENOENT for an unknown name, or
 * -EINVAL, each with a message in ERROR.  VALUE must live as long as CONFIG.
 */
MUST_CHECK int options_set(const struct options_program *program, void *config, const char *name, const char *value,
    char *error, size_t error_size);

/* options_usage writes the --help text to standard output, wrapped at 80 columns. */
void options_usage(const struct options_program *program);

/* options_fail prints `NAME: MESSAGE` and exits 2: for a mistake that spans several options. */
_Noreturn void options_fail(const struct options_program *program, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
