/* Status, header fields and body -> bytes on the wire, the same for both servers (RFC 9110, RFC 9112). */
#ifndef COMMON_HTTP_RESPONSE_H
#define COMMON_HTTP_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"

/* Room that the header section of any of our answers fits in, and a chunk's head. */
#define HTTP_RESPONSE_HEAD_MAX 512
#define HTTP_CHUNK_HEAD_MAX 20

/* A longer Content-Type is left out of the answer, so that one that came from a client cannot fill the room. */
#define HTTP_CONTENT_TYPE_MAX 256

/* Content-Length is not known when the head leaves: chunked on HTTP/1.1; on 1.0 the end of the connection ends it. */
#define HTTP_LENGTH_UNKNOWN (-1)

struct http_response {
	int status;               /* 200 to 599, or 101 */
	int minor;                /* the request's minor version */
	bool keep_alive;          /* the connection stays open after this answer */
	bool says_connection;     /* Connection is written where the version does not need it, too, as gunicorn does */
	const char *content_type; /* without control characters; NULL, "" or too long: no Content-Type */
	const char *fields;       /* further field lines, each ended by CRLF; NULL: none */
	int64_t content_length;   /* of the body (of the GET body for HEAD), or HTTP_LENGTH_UNKNOWN */
};

/*
 * http_response_set_server sets the Server field for the process:
 * "async_server/0.1.0".  NAME is 64 characters at most and is copied.  Without it answers carry no Server.
 */
void http_response_set_server(const char *name);

/*
 * http_response_head writes the status line and header section: Content-Type,
 * `fields`, Content-Length (or Transfer-Encoding), Date, Server, and Connection where the
 * version needs it (`keep-alive` on 1.0, `close` on 1.1) or `says_connection` is set, then the empty line.
 * 101, 204 and 304 carry no framing, as they never have a body; the Connection field of 101 is among `fields`.  A length that is unknown on HTTP/1.0 is an answer without
 * keep-alive, whatever the caller hoped: the end of the connection ends it.
 * BUF holds HTTP_RESPONSE_HEAD_MAX bytes plus the length of `fields`.  Returns the length written.
 */
size_t http_response_head(char *buf, size_t size, const struct http_response *response);

/* http_chunk_head writes the size line of a chunk of LEN bytes (LEN > 0) into BUF[HTTP_CHUNK_HEAD_MAX]; returns its length. */
size_t http_chunk_head(char *buf, size_t len);

/* What ends a chunk, and what ends a chunked body. */
#define HTTP_CHUNK_TAIL "\r\n"
#define HTTP_LAST_CHUNK "0\r\n\r\n"

/* The interim answer to HTTP_EXPECT_CONTINUE. */
#define HTTP_CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

/* http_reason returns the reason phrase of a status ("Not Found"), or "Unknown". */
const char *http_reason(int status);

#endif
