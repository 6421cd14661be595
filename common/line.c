/* A line of text that grows in memory of a fixed size. */
#include "common/line.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
line_put(struct line *line, const char *bytes, size_t len)
{
	if (len > (size_t)(line->end - line->at)) {
		line->full = true;
		return;
	}
	memcpy(line->at, bytes, len);
	line->at += len;
}

void
line_string(struct line *line, const char *text)
{
	line_put(line, text, strlen(text));
}

void
line_number(struct line *line, uint64_t number)
{
	char digits[20];
	char *at = digits + sizeof(digits);

	do {
		*--at = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	line_put(line, at, (size_t)(digits + sizeof(digits) - at));
}

void
line_format(struct line *line, const char *format, ...)
{
	char text[LINE_FORMAT_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	line_string(line, text);
}
