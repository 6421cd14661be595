/* How far a run of bytes goes that may stand in one place of a header: sixteen at a time where the processor can. */
#ifndef COMMON_HTTP_SCAN_H
#define COMMON_HTTP_SCAN_H

#include <stdint.h>
#include <string.h>

#include "common/http_class.h"

/*
 * Each http_scan_X returns the first byte of P[0..STOP) that is not of the class, or STOP, and looks at no byte behind.
 * The table of http_class.h decides.  What runs ahead of it knows the bytes that are usual, and stops at all others.
 * SSE2 is part of every x86-64; with HTTP_SCAN_PORTABLE it is left alone, so that a test can have both.
 */
static inline const char *
http_scan(const char *p, const char *stop, enum http_class class)
{
	while (p < stop && http_is(*p, class))
		p++;
	return p;
}

#if defined(__SSE2__) && !defined(HTTP_SCAN_PORTABLE)
#include <emmintrin.h>

/* http_in_range is 0xff for each byte from FIRST to LAST. */
static inline __m128i
http_in_range(__m128i bytes, char first, char last)
{
	__m128i above = _mm_sub_epi8(bytes, _mm_set1_epi8(first));

	return _mm_cmpeq_epi8(_mm_min_epu8(above, _mm_set1_epi8((char)(last - first))), above);
}

static inline __m128i
http_is_byte(__m128i bytes, char byte)
{
	return _mm_cmpeq_epi8(bytes, _mm_set1_epi8(byte));
}

static inline __m128i
http_is_letter(__m128i bytes)
{
	return http_in_range(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), 'a', 'z');
}

static inline __m128i
http_usual_name(__m128i bytes)
{
	return _mm_or_si128(http_is_letter(bytes), http_is_byte(bytes, '-'));
}

static inline __m128i
http_usual_host(__m128i bytes)
{
	/* From - to : are also the dot, the digits, and the slash, which does not belong to a host. */
	__m128i others = _mm_andnot_si128(http_is_byte(bytes, '/'), http_in_range(bytes, '-', ':'));

	return _mm_or_si128(http_is_letter(bytes), others);
}

static inline __m128i
http_usual_target(__m128i bytes)
{
	return _mm_andnot_si128(http_is_byte(bytes, '#'), http_in_range(bytes, '!', '~'));
}

static inline __m128i
http_usual_value(__m128i bytes)
{
	__m128i control = _mm_or_si128(http_in_range(bytes, 0, 0x1f), http_is_byte(bytes, 0x7f));

	return _mm_cmpeq_epi8(control, _mm_setzero_si128());
}

/* http_scan_USUAL: the run of usual bytes sixteen at a time, then the table. */
#define HTTP_SCAN(usual, class) \
	static inline const char *http_scan_##usual(const char *p, const char *stop) \
	{ \
		while (stop - p >= 16) { \
			__m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p); \
			unsigned others = ~(unsigned)_mm_movemask_epi8(http_usual_##usual(bytes)) & 0xffff; \
\
			if (others != 0) { \
				p += __builtin_ctz(others); \
				break; \
			} \
			p += 16; \
		} \
		return http_scan(p, stop, class); \
	}

#else

/* http_all_value tells whether 8 bytes all belong to HTTP_CLASS_VALUE; on tabs it may say no. */
static inline bool
http_all_value(const char *p)
{
	const uint64_t ones = 0x0101010101010101u;
	uint64_t bytes, deleted, below_blank, zero;

	memcpy(&bytes, p, sizeof(bytes));
	deleted = bytes ^ (ones * 0x7f);
	below_blank = (bytes - ones * 0x20) & ~bytes;
	zero = (deleted - ones) & ~deleted;
	return ((below_blank | zero) & (ones * 0x80)) == 0;
}

/* Values are the longest runs of a header. */
#define HTTP_SCAN(usual, class) \
	static inline const char *http_scan_##usual(const char *p, const char *stop) \
	{ \
		while (class == HTTP_CLASS_VALUE && stop - p >= 8 && http_all_value(p)) \
			p += 8; \
		return http_scan(p, stop, class); \
	}

#endif

HTTP_SCAN(name, HTTP_CLASS_TOKEN)
HTTP_SCAN(host, HTTP_CLASS_HOST)
HTTP_SCAN(target, HTTP_CLASS_TARGET)
HTTP_SCAN(value, HTTP_CLASS_VALUE)

#undef HTTP_SCAN

#endif
