/* Is it UTF-8? Text that comes in pieces, cut anywhere (RFC 3629). */
#ifndef ASYNC_SERVER_WS_UTF8_H
#define ASYNC_SERVER_WS_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where a text stands between two pieces; all zero at its start. */
struct ws_utf8 {
	uint8_t left; /* bytes that the present character still needs */
	uint8_t min;  /* what the next of them may be, where left > 0 */
	uint8_t max;
};

/*
 * ws_utf8_add reads the next piece.  Returns false at the first byte that no
 * text can have there (overlong forms, surrogates, above U+10FFFF); nothing may be added then.
 */
bool ws_utf8_add(struct ws_utf8 *utf8, const char *text, size_t len);

/* ws_utf8_is_whole tells whether the text may end here: not within a character. */
static inline bool
ws_utf8_is_whole(const struct ws_utf8 *utf8)
{
	return utf8->left == 0;
}

#endif
