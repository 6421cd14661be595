/* What is wrong with an option or a URL, as a sentence for whoever says which one it was. */
#include "loadgen/refuse.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int
refuse(char *error, size_t error_size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, error_size, format, args);
	va_end(args);
	return -EINVAL;
}
