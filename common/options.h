/* One table of options -> getopt_long, ranges, messages and --help, the same for all programs. */
#ifndef COMMON_OPTIONS_H
#define COMMON_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"

#define OPTIONS_MAX 96 /* rows of the largest table */

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
	/*
	 * OPTION_PARSE.  Where it sets one field, and nothing that this points to,
	 * `offset` and `max` can say where it is and its size in bytes, for
	 * options_differ(); else both stay 0.
	 */
	option_parse_fn *parse;
};

struct options_program {
	const char *name;              /* as in messages: "async_server" */
	const char *synopsis;          /* what follows the name in "usage: " */
	const char *summary;           /* one or two sentences above the options */
	const struct option_row *rows; /* ends with OPTION_END */
	const char *footer;            /* printed below the options: examples; NULL: none */
	/* What --help prints; NULL: options_usage. */
	void (*usage)(const struct options_program *program);
};

/*
 * options_parse reads ARGV into CONFIG by the table of PROGRAM, and returns
 * the index of the first operand.  Options and operands may be mixed, as GNU
 * programs allow.  It is part of start-up: on --help and --version it prints
 * and exits 0 (1 where that cannot be written); on a mistake it prints one line that names the option, the value and what
 * is allowed, and exits 2.
 */
int options_parse(const struct options_program *program, void *config, int argc, char **argv);

/* options_about_fn does what ROW, OPTION_HELP or OPTION_VERSION, is for. */
typedef void options_about_fn(const struct options_program *program, const struct option_row *row);

/*
 * options_read is options_parse without printing or exiting: on a mistake it
 * returns -EINVAL with the line, less the program's name, in ERROR; ABOUT is
 * called for --help and --version (NULL: they do nothing).  So a server can
 * read its command line again later, over a configuration file that has
 * changed (see config_file.h).  Each call starts anew, and all use getopt's
 * variables: never in two threads at once.  Operands end up at the end of ARGV.
 */
MUST_CHECK int options_read(const struct options_program *program, void *config, int argc, char **argv,
    options_about_fn *about, char *error, size_t error_size);

/* options_find returns the row with the long name NAME, or NULL. */
const struct option_row *options_find(const struct options_program *program, const char *name);

/*
 * options_set stores one VALUE for the option with the long name NAME, as a
 * configuration file does; an OPTION_FLAG wants true, yes, 1, false, no or 0.
 * Returns 0, or -ENOENT for an unknown name, or -EINVAL, each with a message
 * in ERROR.  VALUE must live as long as CONFIG.
 */
MUST_CHECK int options_set(const struct options_program *program, void *config, const char *name, const char *value,
    char *error, size_t error_size);

/*
 * options_differ calls DIFFER for each option whose value differs between the
 * configurations A and B, by its long name: strings by their text, and all
 * else by the field.  Not for an OPTION_PARSE that does not tell its field's
 * size, and once for two names of one field.
 */
typedef void options_differ_fn(void *context, const char *name);
void options_differ(
    const struct options_program *program, const void *a, const void *b, options_differ_fn *differ, void *context);

/* options_usage writes the --help text to standard output, wrapped at 80 columns. */
void options_usage(const struct options_program *program);

/* options_fail prints `NAME: MESSAGE` and exits 2: for a mistake that spans several options. */
_Noreturn void options_fail(const struct options_program *program, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
