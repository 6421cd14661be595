/* The strict reader of a chunked body: which bytes are framing and which are data (RFC 9112, 7.1). */
#ifndef COMMON_HTTP_CHUNKED_H
#define COMMON_HTTP_CHUNKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"
#include "common/http_request.h"

/* Bytes of extensions behind one chunk's size (of use to hardly anybody); above: 400. */
#define HTTP_CHUNK_EXTENSION_MAX 256

/* How far a chunked body has been read; all zero at its start. */
struct http_chunked {
	uint64_t left;    /* data bytes of the present chunk that are still to come */
	uint32_t line;    /* bytes of the present line, without its end */
	uint32_t trailer; /* bytes of the trailer section */
	uint32_t fields;  /* field lines of the trailer section */
	uint8_t names;    /* bit i: the trailer field may still be the i-th forbidden one */
	uint8_t state;    /* enum state in http_chunked.c */
};

/*
 * http_chunked_framing reads the framing at DATA[0..LEN) up to the first data
 * byte of a chunk, the end of the body or LEN, and stores how many bytes it took in *TAKEN.
 * Returns 0, or -1 when it has refused the request for the byte behind those: 431 for a trailer above the
 * limits of a header, 400 for sizes that are not hexadecimal or above 2^63-1,
 * extensions above HTTP_CHUNK_EXTENSION_MAX, control bytes, bare CR or LF, and trailer fields that
 * are malformed or belong to the header's framing.
 */
MUST_CHECK int http_chunked_framing(struct http_chunked *chunked, struct http_request *request,
    const struct http_limits *limits, const char *data, size_t len, size_t *taken);

/* http_chunked_data takes up to LEN data bytes of the present chunk.  Returns how many; 0 where framing stands. */
size_t http_chunked_data(struct http_chunked *chunked, size_t len);

/* http_chunked_ended tells whether the body, trailer and all, is complete. */
bool http_chunked_ended(const struct http_chunked *chunked);

#endif
