/* Memory that is there or ends the program: the lab holds little, and can do nothing useful without it. */
#include "experiments/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *
there(void *at)
{
	if (at == NULL) {
		fputs("lab: out of memory\n", stderr);
		exit(1);
	}
	return at;
}

void *
memory_new(size_t count, size_t size)
{
	return there(calloc(count > 0 ? count : 1, size));
}

void *
memory_grow(void *at, size_t count, size_t size)
{
	return there(reallocarray(at, count, size));
}

char *
memory_copy(const char *string)
{
	return there(strdup(string));
}

char *
memory_copy_len(const char *string, size_t len)
{
	return there(strndup(string, len));
}

char *
memory_print(const char *format, ...)
{
	va_list args;
	char *string;
	int len;

	va_start(args, format);
	len = vasprintf(&string, format, args);
	va_end(args);
	return there(len < 0 ? NULL : string);
}
