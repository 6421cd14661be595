/* What is wrong with an option or a URL, as a sentence for whoever says which one it was. */
#ifndef LOADGEN_REFUSE_H
#define LOADGEN_REFUSE_H

#include <stddef.h>

#include "common/compiler.h"

/* refuse writes the sentence to ERROR and returns -EINVAL. */
int refuse(char *error, size_t error_size, const char *format, ...) PRINTF_LIKE(3, 4);

#endif
