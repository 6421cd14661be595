/* permessage-deflate: the two streams of a connection whose messages are compressed (RFC 7692). */
#ifndef ASYNC_SERVER_WS_DEFLATE_H
#define ASYNC_SERVER_WS_DEFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "async_server/ws_buffer.h"
#include "common/compiler.h"

/* What was agreed on in the handshake. The client may use any window and keep its context, as with aiohttp. */
struct ws_deflate_params {
	uint8_t window_bits;      /* of what we send: 9 to 15; 0: messages are not compressed */
	bool no_context_takeover; /* what we send: each message can be read without those before it */
};

/*
 * One connection's streams.  Neither takes memory before the first message that
 * needs it; then at most about 44 KiB for what comes and, by zlib's formula, 136 KiB to 264 KiB for what goes
 * (window_bits 9 to 15), whatever the messages are.
 */
struct ws_deflate;

/* ws_deflate_new returns NULL when there is no memory. ws_deflate_free takes NULL too. */
struct ws_deflate *ws_deflate_new(struct ws_deflate_params params);
void ws_deflate_free(struct ws_deflate *streams);

/*
 * ws_deflate_inflate appends to BUFFER what DATA, the next piece of a message,
 * comes to; its last piece where END.  BUFFER holds at most LIMIT bytes
 * afterwards, and one more where the message is too big.  Returns 0, or the code to close with
 * (enum ws_close_code): WS_CLOSE_TOO_BIG; WS_CLOSE_INVALID_TEXT for what is not
 * deflate, or ends within a block; WS_CLOSE_INTERNAL_ERROR without memory.
 */
MUST_CHECK uint16_t ws_deflate_inflate(
    struct ws_deflate *streams, struct ws_buffer *buffer, uint32_t limit, const char *data, size_t len, bool end);

/* ws_deflate_compress appends the message DATA, compressed as fast as zlib can (as aiohttp does), to BUFFER. Returns 0 or -ENOMEM. */
MUST_CHECK int ws_deflate_compress(struct ws_deflate *streams, struct ws_buffer *buffer, const char *data, size_t len);

#endif
