/* Pieces of frames -> whole messages: inflated, within the limit, and text that is UTF-8. */
#ifndef ASYNC_SERVER_WS_MESSAGE_H
#define ASYNC_SERVER_WS_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "async_server/ws_buffer.h"
#include "async_server/ws_deflate.h"
#include "async_server/ws_frame.h"
#include "async_server/ws_utf8.h"
#include "common/compiler.h"

/* The largest message (aiohttp's max_msg_size, which itself refuses one of exactly this size). */
#define WS_MESSAGE_MAX (4 * 1024 * 1024)

/*
 * The largest payload of a message on the wire: one that is compressed may have
 * become a little longer, as stored blocks have a head of five bytes each.
 */
#define WS_PAYLOAD_MAX(limit, deflate) ((deflate) ? (limit) + (limit) / 256 + 64 : (limit))

/* A message on its way in; all zero before the first. */
struct ws_message {
	struct ws_buffer buffer; /* what has come of it, unless it came in one piece */
	struct ws_utf8 utf8;
	const char *data; /* once it is whole */
	size_t len;
};

/*
 * ws_message_add takes the piece that READER tells of (at WS_PIECE).  DEFLATE is the connection's, NULL without one;
 * LIMIT is on the message as it is handed on.  When the piece ends the message, `data` and `len` are
 * the whole of it, valid as long as the piece is and until ws_message_drop; `buffer` holds it unless it came in one
 * piece that was not compressed, and the caller may take that memory.  Returns 0, or the code to close with:
 * WS_CLOSE_TOO_BIG, WS_CLOSE_INVALID_TEXT, WS_CLOSE_INTERNAL_ERROR where memory ran out.
 */
MUST_CHECK uint16_t ws_message_add(
    struct ws_message *message, const struct ws_reader *reader, struct ws_deflate *deflate, uint32_t limit);

/* ws_message_drop frees what it holds: ready for the next one. */
void ws_message_drop(struct ws_message *message);

#endif
