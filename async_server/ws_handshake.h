/* The header of a request for a WebSocket -> the answer: 101 or 400, as aiohttp's WebSocketResponse gives it (RFC 6455, 4.2). */
#ifndef ASYNC_SERVER_WS_HANDSHAKE_H
#define ASYNC_SERVER_WS_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "async_server/ws_deflate.h"
#include "common/http_request.h"

/* The first field of each name in the request; `at` is NULL where there is none. */
struct ws_fields {
	struct http_span upgrade;
	struct http_span connection;
	struct http_span version;    /* Sec-WebSocket-Version */
	struct http_span key;        /* Sec-WebSocket-Key */
	struct http_span extensions; /* Sec-WebSocket-Extensions */
};

/* What a 400 for another version says. */
#define WS_VERSIONS_FIELD "Sec-WebSocket-Version: 13, 8, 7\r\n"

#define WS_ANSWER_FIELDS_MAX 256
#define WS_ANSWER_TEXT_MAX 256

struct ws_answer {
	int status;                        /* 101 or 400 */
	struct ws_deflate_params deflate;  /* at 101 */
	char fields[WS_ANSWER_FIELDS_MAX]; /* lines for the answer's header, each ended by CRLF */
	char text[WS_ANSWER_TEXT_MAX];     /* the body of a 400, terminated; a long value of the client's is cut */
};

/*
 * ws_handshake_answer fills ANSWER.  400 says, as aiohttp words it, what is not right, and is followed by a connection
 * that goes on; one for another version than 13, 8 or 7 has a Sec-WebSocket-Version (RFC 6455, 4.2.2), which aiohttp leaves out.
 * A key is 22 base64 characters and "==": aiohttp passes over other characters in it.
 * No subprotocol is ever chosen: aiohttp's default.
 */
void ws_handshake_answer(struct ws_answer *answer, const struct ws_fields *fields);

/*
 * ws_handshake_deflate chooses the first offer of permessage-deflate in
 * EXTENSIONS that can be met (RFC 7692, 7.1): server_max_window_bits from 9 to 15 (zlib's raw
 * deflate has no 8) and server_no_context_takeover are, client_max_window_bits and client_no_context_takeover
 * need nothing, and an offer with anything else, or with something twice, is passed over.  window_bits is 0 where there is none.
 */
struct ws_deflate_params ws_handshake_deflate(struct http_span extensions);

#endif
