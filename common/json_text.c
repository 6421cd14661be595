/* Bytes from anywhere -> the inside of a JSON string (RFC 8259, 7), in ASCII alone. */
#include "common/json_text.h"

#include <stdint.h>
#include <string.h>

#define ESCAPE_MAX 12 /* bytes of a character: two times \uHHHH */

/* character reads the first character of BYTES into *CODE and returns its length; a byte that is not UTF-8 is one of its own. */
static size_t
character(const char *bytes, size_t len, uint32_t *code)
{
	static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000}; /* a longer form than is needed is not valid */
	unsigned char first = (unsigned char)bytes[0];
	size_t need = first >= 0xf0 && first < 0xf8 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
	uint32_t found = first & (0xffU >> (need + 1));

	*code = first;
	if (need == 1 || first >= 0xf8 || need > len)
		return 1;
	for (size_t i = 1; i < need; i++) {
		unsigned char next = (unsigned char)bytes[i];

		if ((next & 0xc0) != 0x80)
			return 1;
		found = found << 6 | (next & 0x3f);
	}
	if (found < lowest[need] || found > 0x10ffff || (found >= 0xd800 && found < 0xe000))
		return 1;
	*code = found;
	return need;
}

static size_t
put_unit(char *out, uint32_t unit)
{
	static const char hex[] = "0123456789abcdef";

	out[0] = '\\';
	out[1] = 'u';
	for (int i = 0; i < 4; i++)
		out[2 + i] = hex[unit >> (12 - 4 * i) & 15];
	return 6;
}

/* escape writes CODE to OUT[ESCAPE_MAX] and returns its length there. */
static size_t
escape(char *out, uint32_t code)
{
	if (code == '"' || code == '\\') {
		out[0] = '\\';
		out[1] = (char)code;
		return 2;
	}
	if (code < 0x10000)
		return put_unit(out, code);
	code -= 0x10000;
	return put_unit(out, 0xd800 + (code >> 10)) + put_unit(out + 6, 0xdc00 + (code & 0x3ff));
}

static int
stays(char byte)
{
	return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

size_t
json_escape(char *out, size_t size, const char *bytes, size_t len)
{
	size_t used = 0;

	for (size_t i = 0; i < len && used < size;) {
		char escaped[ESCAPE_MAX];
		uint32_t code;
		size_t escaped_len;

		if (stays(bytes[i])) {
			out[used++] = bytes[i++];
			continue;
		}
		i += character(bytes + i, len - i, &code);
		escaped_len = escape(escaped, code);
		if (escaped_len > size - used)
			break;
		memcpy(out + used, escaped, escaped_len);
		used += escaped_len;
	}
	return used;
}
