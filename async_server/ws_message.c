/* Pieces of frames -> whole messages: inflated, within the limit, and text that is UTF-8. */
#include "async_server/ws_message.h"

/* check_text looks at the next LEN bytes of a text; the last ones where END. */
static uint16_t
check_text(struct ws_message *message, const char *text, size_t len, bool end)
{
	if (!ws_utf8_add(&message->utf8, text, len) || (end && !ws_utf8_is_whole(&message->utf8)))
		return WS_CLOSE_INVALID_TEXT;
	return 0;
}

uint16_t
ws_message_add(struct ws_message *message, const struct ws_reader *reader, struct ws_deflate *deflate, uint32_t limit)
{
	struct ws_buffer *buffer = &message->buffer;
	size_t before = buffer->len;
	uint16_t code = 0;

	message->data = reader->data;
	message->len = reader->len;
	if (reader->compressed)
		code = ws_deflate_inflate(deflate, buffer, limit, reader->data, reader->len, reader->end);
	else if (reader->len > limit - before)
		code = WS_CLOSE_TOO_BIG;
	else if ((buffer->bytes != NULL || !reader->end) && !ws_buffer_add(buffer, reader->data, reader->len))
		code = WS_CLOSE_INTERNAL_ERROR;
	if (code != 0)
		return code;
	if (buffer->bytes != NULL) {
		message->data = ws_buffer_content(buffer) + before;
		message->len = buffer->len - before;
	}
	if (reader->opcode == WS_TEXT)
		code = check_text(message, message->data, message->len, reader->end);
	if (buffer->bytes != NULL) {
		message->data = ws_buffer_content(buffer);
		message->len = buffer->len;
	}
	return code;
}

void
ws_message_drop(struct ws_message *message)
{
	ws_buffer_free(&message->buffer);
	message->utf8 = (struct ws_utf8){0};
}
