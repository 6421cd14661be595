/* What a byte of a request may be part of: one table for all readers (RFC 9110, 5.5 and 5.6.2; RFC 9112, 3.2). */
#ifndef COMMON_HTTP_CLASS_H
#define COMMON_HTTP_CLASS_H

#include <stdbool.h>
#include <stdint.h>

enum http_class {
	HTTP_CLASS_TOKEN = 1,  /* tchar */
	HTTP_CLASS_TARGET = 2, /* visible ASCII but #: a target has no fragment */
	HTTP_CLASS_VALUE = 4,  /* of a field: blank, tab, visible ASCII, above 0x7f */
	HTTP_CLASS_HOST = 8,   /* host, port and brackets */
	HTTP_CLASS_HEX = 16,
};

/* For each byte the sum of its classes. */
extern const uint8_t http_classes[256];

/* http_is tells whether C may be part of CLASS. */
static inline bool
http_is(char c, enum http_class class)
{
	return (http_classes[(uint8_t)c] & class) != 0;
}

#endif
