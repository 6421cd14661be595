/* What goes wrong, said in one line on standard error. */
#ifndef LOADGEN_COMPLAIN_H
#define LOADGEN_COMPLAIN_H

#include <stdbool.h>

#include "common/compiler.h"

/* complain prints `loadgen: MESSAGE`. */
void complain(const char *format, ...) PRINTF_LIKE(1, 2);

/*
 * complain_line_begun says that standard output ends within a line, which the next complaint ends before it says anything:
 * both may be one terminal.  complain_line_ended says that it is over; returns whether a complaint had ended it.
 */
void complain_line_begun(void);
bool complain_line_ended(void);

/* complain_text is strerror(ERROR) for the middle of a sentence; static, until the next call. */
const char *complain_text(int error);

#endif
