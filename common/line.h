/* A line of text that grows in memory of a fixed size. */
#ifndef COMMON_LINE_H
#define COMMON_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"

struct line {
	char *at;         /* what comes next goes there */
	const char *end;  /* and no further than this */
	size_t field_max; /* bytes of one text that somebody else wrote, escaped; what is longer is cut */
	bool full;        /* something did not fit: the line is not complete */
};

/* What is put and does not fit leaves the line as it was, but `full`. */
void line_put(struct line *line, const char *bytes, size_t len);
void line_string(struct line *line, const char *text);
void line_number(struct line *line, uint64_t number);

/* line_format is for what comes to fewer than LINE_FORMAT_MAX bytes; the rest is cut. */
#define LINE_FORMAT_MAX 32
void line_format(struct line *line, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
