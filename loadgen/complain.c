/* What goes wrong, said in one line on standard error. */
#include "loadgen/complain.h"

#include <stdarg.h>
#include <stdio.h>

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
