/* Bytes of a message that grow, with room in front of them for a frame's head. */
#include "async_server/ws_buffer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_FIRST (4096 - WS_BUFFER_FRONT)
#define SIZE_MAX_EVER (1u << 30)

bool
ws_buffer_reserve(struct ws_buffer *buffer, size_t more)
{
	size_t size = buffer->size > 0 ? 2 * (size_t)buffer->size : SIZE_FIRST;
	char *bytes;

	assert(more < SIZE_MAX_EVER - buffer->len);
	if (buffer->size - buffer->len >= more && buffer->bytes != NULL)
		return true;
	if (size < buffer->len + more)
		size = buffer->len + more;
	bytes = realloc(buffer->bytes, WS_BUFFER_FRONT + size);
	if (bytes == NULL)
		return false;
	buffer->bytes = bytes;
	buffer->size = (uint32_t)size;
	return true;
}

bool
ws_buffer_add(struct ws_buffer *buffer, const char *data, size_t len)
{
	if (!ws_buffer_reserve(buffer, len))
		return false;
	if (len > 0)
		memcpy(ws_buffer_content(buffer) + buffer->len, data, len);
	buffer->len += (uint32_t)len;
	return true;
}

void
ws_buffer_free(struct ws_buffer *buffer)
{
	free(buffer->bytes);
	*buffer = (struct ws_buffer){0};
}
