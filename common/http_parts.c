/* What a request's target and credentials are made of, for those who log them. */
#include "common/http_parts.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

void
http_split_target(struct http_span target, struct http_span *path, struct http_span *query)
{
	const char *mark = target.at == NULL ? NULL : memchr(target.at, '?', target.len);

	*path = target;
	*query = (struct http_span){0};
	if (mark == NULL)
		return;
	path->len = (size_t)(mark - target.at);
	*query = (struct http_span){.at = mark + 1, .len = target.len - path->len - 1};
}

/* digit_of returns the value of BYTE in DIGITS, or -1. */
static int
digit_of(const char *digits, char byte)
{
	const char *found = byte == '\0' ? NULL : strchr(digits, byte);

	return found == NULL ? -1 : (int)(found - digits);
}

/* byte_of returns what two hexadecimal digits stand for, or -1. */
static int
byte_of(const char hex[2])
{
	static const char digits[] = "0123456789abcdef";
	int high = digit_of(digits, (char)tolower((unsigned char)hex[0]));
	int low = digit_of(digits, (char)tolower((unsigned char)hex[1]));

	return high < 0 || low < 0 ? -1 : high * 16 + low;
}

size_t
http_percent_decode(struct http_span text, char *out, size_t size)
{
	size_t len = 0;

	for (size_t i = 0; i < text.len && len < size; i++) {
		int byte = text.at[i] == '%' && text.len - i > 2 ? byte_of(text.at + i + 1) : -1;

		if (byte < 0) {
			out[len++] = text.at[i];
		} else {
			out[len++] = (char)byte;
			i += 2;
		}
	}
	return len;
}

/* decode_base64 decodes TEXT up to the first byte that is no digit (`=`, the padding) into OUT, SIZE bytes at most. */
static size_t
decode_base64(struct http_span text, char *out, size_t size)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned bits = 0;
	size_t len = 0;

	for (size_t i = 0; i < text.len && len < size; i++) {
		int digit = digit_of(digits, text.at[i]);

		if (digit < 0)
			break;
		bits = bits << 6 | (unsigned)digit;
		/* Four digits make three bytes: each of them but the first completes one. */
		if (i % 4 != 0)
			out[len++] = (char)(bits >> (6 - i % 4 * 2) & 0xff);
	}
	return len;
}

struct http_span
http_basic_user(struct http_span field, char *out, size_t size)
{
	static const char scheme[] = "basic ";
	const size_t scheme_len = sizeof(scheme) - 1;
	const char *colon;

	if (field.at == NULL || field.len <= scheme_len || strncasecmp(field.at, scheme, scheme_len) != 0)
		return (struct http_span){0};
	for (field.at += scheme_len, field.len -= scheme_len; field.len > 0 && *field.at == ' '; field.len--)
		field.at++;
	colon = memchr(out, ':', decode_base64(field, out, size));
	if (colon == NULL || colon == out)
		return (struct http_span){0};
	return (struct http_span){.at = out, .len = (size_t)(colon - out)};
}
