/* What goes wrong, said in one line on standard error. */
#include "loadgen/complain.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static enum { LINE_NONE, LINE_BEGUN, LINE_BROKEN } line; /* on standard output */

void
complain_line_begun(void)
{
	line = LINE_BEGUN;
}

bool
complain_line_ended(void)
{
	bool broken = line == LINE_BROKEN;

	line = LINE_NONE;
	return broken;
}

void
complain(const char *format, ...)
{
	va_list args;

	if (line == LINE_BEGUN) {
		putchar('\n');
		fflush(stdout);
		line = LINE_BROKEN;
	}
	fputs("loadgen: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

const char *
complain_text(int error)
{
	static char text[128];

	snprintf(text, sizeof(text), "%s", strerror(error));
	if (islower((unsigned char)text[1]))
		text[0] = (char)tolower((unsigned char)text[0]);
	return text;
}
