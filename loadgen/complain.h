/* What goes wrong, said in one line on standard error. */
#ifndef LOADGEN_COMPLAIN_H
#define LOADGEN_COMPLAIN_H

#include "common/compiler.h"

/* complain prints `loadgen: MESSAGE`. */
void complain(const char *format, ...) PRINTF_LIKE(1, 2);

/* complain_text is strerror(ERROR) for the middle of a sentence; static, until the next call. */
const char *complain_text(int error);

#endif
