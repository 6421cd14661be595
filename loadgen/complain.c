/* What goes wrong, said in one line on standard error. */
#include "loadgen/complain.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
complain(const char *format, ...)
{
	va_list args;

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
