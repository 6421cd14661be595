/* --urls FILE -> the requests that it lists, which connections send in turn. */
#ifndef LOADGEN_URLS_H
#define LOADGEN_URLS_H

#include <stddef.h>

#include "common/compiler.h"
#include "loadgen/request.h"
#include "loadgen/url_entry.h"

#define URLS_MAX 100000          /* requests of a file */
#define URLS_FILES_MAX 256       /* files of large bodies, which stay open */
#define URLS_LINE_MAX (1 << 20)  /* bytes of a line */
#define URLS_BYTES_MAX (1 << 28) /* bytes of a file */

/*
 * A line is a request.  As text, with a tab before each field and the body:
 *
 *	[METHOD ]TARGET[<tab>Name: value]...[<tab>body=TEXT or <tab>@FILE]
 *
 * or as JSON, where only "target" must be:
 *
 *	{"method": "POST", "target": "/x", "headers": {"Name": "value", "Other": ["one", "two"]},
 *	 "body": "text" (or "body_file": "FILE")}
 *
 * TARGET is a path with its query, or the URL of a server, the same in all lines; or, of OPTIONS, "*".  FILE is
 * relative to the working directory.  Empty lines, and lines that begin with "#", say nothing.
 */
struct urls {
	struct url_entry *entries;
	size_t len;   /* at least 1 */
	char *server; /* the URL that targets name, with the path "/"; NULL: all are paths */
	struct url_files files;
};

/*
 * urls_load reads the file NAME, or standard input for "-", into URLS; a byte order
 * mark at its beginning is skipped.  Returns 0; -EINVAL for a mistake in it, with "FILE:LINE: what is wrong" in ERROR; another -errno, with such a message, for a
 * file that cannot be read, this one or a body's.  urls_deinit frees it (also after a failure).
 */
MUST_CHECK int urls_load(struct urls *urls, const char *name, char *error, size_t error_size);
void urls_deinit(struct urls *urls);

/*
 * urls_spec makes SPEC what entry INDEX comes to with the options, COMMON: what the entry says counts, and its fields
 * replace those of the same names.  SPEC borrows from both.
 */
void urls_spec(struct request_spec *spec, const struct urls *urls, size_t index, const struct request_spec *common);

#endif
