/* A configuration file: the options of the command line, one to a line. */
#ifndef COMMON_CONFIG_FILE_H
#define COMMON_CONFIG_FILE_H

#include <stddef.h>

#include "common/compiler.h"
#include "common/options.h"

#define CONFIG_FILE_MAX (64 * 1024) /* bytes */

/* The text of a file's values, which OPTION_STRING fields point into. All 0: none. */
struct config_file {
	char *text;
};

/*
 * config_file_read stores what the INI file PATH says in CONFIG, by the table
 * of PROGRAM.  A line is `long-option = value`, empty, or a comment, which
 * starts with # or ;.  After a value, a blank and ; start a comment too.  There
 * are no sections, no quotes and no continued lines; blanks around a name and
 * a value are dropped, and a UTF-8 byte order mark is passed over.  A flag
 * wants true, yes, 1, false, no or 0 (see options_set).  Refused are unknown
 * names, a name that is there twice, an empty value, `help`, `version` and
 * `config`, what is too long for inih (198 bytes) rather than cut, a NUL, and
 * what is not a file: a pipe could be read once and never again.
 *
 * Returns 0, and FILE owns the values' text until config_file_free(); else
 * -EINVAL, -EFBIG above CONFIG_FILE_MAX, or why it could not be read, with one
 * line `PATH:LINE: ...` or `PATH: ...` in ERROR, FILE empty, and CONFIG changed
 * in part: it is of no use any more.
 */
MUST_CHECK int config_file_read(const char *path, const struct options_program *program, void *config,
    struct config_file *file, char *error, size_t error_size);

/* config_file_free frees the text, and so the strings of the configuration that was read from it. */
void config_file_free(struct config_file *file);

/* Where a program's configuration comes from; the same at each load. */
struct config_source {
	const struct options_program *program;
	int argc;
	char **argv;
	size_t size;        /* of the configuration's struct */
	size_t path_offset; /* in it, of the const char * that --config sets: NULL, no file */
	/* Called between the file and the command line, for options that add up within one of them; NULL: nothing to do. */
	void (*begin_command_line)(void *config);
};

/*
 * config_load fills CONFIG, which holds the defaults, from the file that the
 * command line's --config names, and over that from the command line, so that
 * what is typed wins.  It neither prints nor exits, so a server calls it again
 * when it is told to read the file again: into another struct and another FILE,
 * and keeps the old ones where it fails.  Operands are refused.  Returns 0, or
 * -errno as config_file_read() or options_read(), with a line in ERROR.  Uses
 * getopt: never in two threads at once.
 */
MUST_CHECK int config_load(
    const struct config_source *source, void *config, struct config_file *file, char *error, size_t error_size);

/*
 * config_start is config_load at start: --help and --version print and exit 0,
 * and a mistake prints one line and exits 2.
 */
void config_start(const struct config_source *source, void *config, struct config_file *file);

#endif
