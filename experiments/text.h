/* A text that grows: what tables, reports and plot scripts are written into before anything touches the disk. */
#ifndef EXPERIMENTS_TEXT_H
#define EXPERIMENTS_TEXT_H

#include <stddef.h>

#include "common/compiler.h"

struct text {
	char *at;    /* always terminated once something was added; NULL before */
	size_t len;  /* without the terminator */
	size_t size; /* bytes allocated */
};

/* text_deinit frees the text; a zeroed struct is an empty text. */
void text_deinit(struct text *text);

/* text_string returns the text as a string, "" when nothing was added. It is valid until the next change. */
const char *text_string(const struct text *text);

void text_add(struct text *text, const char *format, ...) PRINTF_LIKE(2, 3);
void text_add_len(struct text *text, const char *bytes, size_t len);

/* text_add_html adds STRING with the characters escaped that mean something in HTML, in text and in attributes. */
void text_add_html(struct text *text, const char *string);

/*
 * text_add_markdown adds STRING with the characters escaped that would start emphasis, links,
 * code, math, HTML or a table cell; a line feed, which would end a row, becomes a blank.
 */
void text_add_markdown(struct text *text, const char *string);

/* text_add_shell adds STRING as one word of a shell's command line: quoted only where it must be. */
void text_add_shell(struct text *text, const char *string);

/* text_add_csv adds STRING as one CSV field (RFC 4180): quoted only where it must be. */
void text_add_csv(struct text *text, const char *string);

/*
 * text_add_wrapped adds STRING broken at blanks so that no line is longer than
 * WIDTH characters (UTF-8 counted by code point), each line after the first
 * behind INDENT blanks.  Ends with a line feed.
 */
void text_add_wrapped(struct text *text, const char *string, int indent, int width);

/*
 * text_read reads the whole file PATH, at most MAX bytes, into TEXT.  Returns
 * 0 or -errno; -EFBIG for a longer one.
 */
MUST_CHECK int text_read(struct text *text, const char *path, size_t max);

/*
 * text_write makes the file PATH hold the text, and waits until it does: a
 * full disk is an error here and not later.  Returns 0 or -errno.
 */
MUST_CHECK int text_write(const struct text *text, const char *path);

#endif
