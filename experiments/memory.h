/* Memory that is there or ends the program: the lab holds little, and can do nothing useful without it. */
#ifndef EXPERIMENTS_MEMORY_H
#define EXPERIMENTS_MEMORY_H

#include <stddef.h>

#include "common/compiler.h"

/*
 * Each returns memory that the caller frees, zeroed by memory_new.  When there
 * is none, they print one line and exit 1; the keeper (keeper.h) then ends
 * whatever the lab had started.
 */
void *memory_new(size_t count, size_t size);
void *memory_grow(void *at, size_t count, size_t size);
char *memory_copy(const char *string);
char *memory_copy_len(const char *string, size_t len);
char *memory_print(const char *format, ...) PRINTF_LIKE(1, 2);

#endif
