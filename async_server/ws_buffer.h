/* Bytes of a message that grow, with room in front of them for a frame's head. */
#ifndef ASYNC_SERVER_WS_BUFFER_H
#define ASYNC_SERVER_WS_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"

/* What stands before the first byte of the content: at least WS_HEAD_MAX (ws_frame.h). */
#define WS_BUFFER_FRONT 16

/* All zero: empty, and nothing allocated. */
struct ws_buffer {
	char *bytes;   /* of malloc: WS_BUFFER_FRONT bytes, then the content; NULL: none */
	uint32_t len;  /* of the content */
	uint32_t size; /* room for it */
};

/* ws_buffer_content is where the content begins; the buffer must have had room. */
static inline char *
ws_buffer_content(const struct ws_buffer *buffer)
{
	return buffer->bytes + WS_BUFFER_FRONT;
}

/* ws_buffer_reserve makes room for MORE bytes behind the content (below 1 GiB in all). Returns false when there is no memory. */
MUST_CHECK bool ws_buffer_reserve(struct ws_buffer *buffer, size_t more);

/* ws_buffer_add appends DATA. Returns false when there is no memory. */
MUST_CHECK bool ws_buffer_add(struct ws_buffer *buffer, const char *data, size_t len);

/* ws_buffer_free empties it. */
void ws_buffer_free(struct ws_buffer *buffer);

#endif
