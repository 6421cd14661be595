/* Decimal numbers that people type -> whole numbers of a smaller unit. */
#ifndef COMMON_DECIMAL_H
#define COMMON_DECIMAL_H

#include <stdint.h>

#include "common/compiler.h"

/*
 * decimal_parse reads TEXT, a decimal number ("0.1", "2", "1e-3"), times
 * SCALE, into *VALUE, rounded to the nearest whole number: with SCALE 1e9
 * seconds become nanoseconds.  Returns 0, or -EINVAL when TEXT is not a
 * number, is negative, not finite, or has something behind it, or -ERANGE when
 * it comes to more than MAX.
 */
MUST_CHECK int decimal_parse(const char *text, double scale, uint64_t max, uint64_t *value);

#endif
