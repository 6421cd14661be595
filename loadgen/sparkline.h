/* A row of numbers as a row of characters, one each: the higher the number, the higher the character. */
#ifndef LOADGEN_SPARKLINE_H
#define LOADGEN_SPARKLINE_H

#include <stdbool.h>
#include <stddef.h>

#define SPARKLINE_BYTES 3 /* of a character, at most */

/*
 * sparkline_write writes LEN VALUES, none below 0, into TEXT, which has room
 * for LEN * SPARKLINE_BYTES + 1 bytes.  0 is a blank; all else has one of eight
 * heights, the highest one for the highest value: blocks in UTF-8, or ASCII.
 * Returns the highest value.
 */
double sparkline_write(char *text, const double *values, size_t len, bool utf8);

#endif
