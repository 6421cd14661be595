/* Is it UTF-8? Text that comes in pieces, cut anywhere (RFC 3629). */
#include "async_server/ws_utf8.h"

#include <string.h>

/* begin takes the first byte of a character that is not ASCII: it tells how many follow, and what the second one may be. */
static bool
begin(struct ws_utf8 *utf8, uint8_t byte)
{
	utf8->min = 0x80;
	utf8->max = 0xbf;
	if (byte < 0xc2) /* a byte that can only follow, or an overlong form of ASCII */
		return false;
	if (byte < 0xe0) {
		utf8->left = 1;
	} else if (byte < 0xf0) {
		utf8->left = 2;
		if (byte == 0xe0)
			utf8->min = 0xa0; /* no overlong form */
		else if (byte == 0xed)
			utf8->max = 0x9f; /* no surrogate */
	} else if (byte < 0xf5) {
		utf8->left = 3;
		if (byte == 0xf0)
			utf8->min = 0x90;
		else if (byte == 0xf4)
			utf8->max = 0x8f; /* not above U+10FFFF */
	} else {
		return false;
	}
	return true;
}

/* skip_ascii returns how many bytes of TEXT are ASCII for certain, looking at eight at once. */
static size_t
skip_ascii(const char *text, size_t len)
{
	size_t done = 0;
	uint64_t word;

	for (; len - done >= sizeof(word); done += sizeof(word)) {
		memcpy(&word, text + done, sizeof(word));
		if ((word & 0x8080808080808080ULL) != 0)
			break;
	}
	return done;
}

bool
ws_utf8_add(struct ws_utf8 *utf8, const char *text, size_t len)
{
	size_t i = 0;

	while (i < len) {
		uint8_t byte = (uint8_t)text[i];

		if (utf8->left > 0) {
			if (byte < utf8->min || byte > utf8->max)
				return false;
			utf8->left--;
			utf8->min = 0x80;
			utf8->max = 0xbf;
			i++;
		} else if (byte >= 0x80) {
			if (!begin(utf8, byte))
				return false;
			i++;
		} else {
			size_t ascii = skip_ascii(text + i, len - i);

			i += ascii > 0 ? ascii : 1;
		}
	}
	return true;
}
