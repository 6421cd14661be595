/* Bytes from anywhere -> the inside of a JSON string (RFC 8259, 7), in ASCII alone. */
#ifndef COMMON_JSON_TEXT_H
#define COMMON_JSON_TEXT_H

#include <stddef.h>

/*
 * json_escape writes LEN bytes to OUT[0..SIZE) as they stand between the
 * quotes of a JSON string, and returns how many it wrote; nothing ends them.
 * Printable ASCII stays, with a backslash before `"` and `\`; every other
 * character of valid UTF-8 becomes \uHHHH, or two of them above U+FFFF; a byte
 * that is not of valid UTF-8 (RFC 3629) becomes \u00HH with its value, so that
 * none is lost and ISO 8859-1 reads as it was meant.  So any reader takes it,
 * and no terminal is told anything by it.  What does not fit SIZE is cut,
 * between characters.
 */
size_t json_escape(char *out, size_t size, const char *bytes, size_t len);

#endif
