/* Bytes of a WebSocket connection <-> frames, as a server reads and writes them (RFC 6455, 5). */
#include "async_server/ws_frame.h"

#include <assert.h>
#include <string.h>

#include "async_server/ws_utf8.h"

/* The first two bytes of a frame's head. */
#define BIT_FINAL 0x80
#define BIT_RSV1 0x40
#define BITS_RSV23 0x30
#define BITS_OPCODE 0x0f
#define BIT_MASKED 0x80
#define BITS_LENGTH 0x7f

/* Lengths that say where the length is. */
#define LENGTH_16 126
#define LENGTH_64 127

#define MASK_LEN 4

void
ws_reader_init(struct ws_reader *reader, uint32_t limit, bool deflate)
{
	*reader = (struct ws_reader){.limit = limit, .deflate = deflate};
}

static enum ws_event
violate(struct ws_reader *reader, uint16_t code)
{
	reader->ended = true;
	reader->code = code;
	return WS_VIOLATED;
}

static uint64_t
read_number(const char *at, size_t len)
{
	uint64_t number = 0;

	for (size_t i = 0; i < len; i++)
		number = number << 8 | (uint8_t)at[i];
	return number;
}

static bool
is_control(uint8_t opcode)
{
	return opcode >= WS_CLOSE;
}

/* check_start looks at the first two bytes of a head, and says whether such a frame may come now. */
static bool
check_start(struct ws_reader *reader)
{
	uint8_t first = (uint8_t)reader->control[0], second = (uint8_t)reader->control[1];
	bool final = (first & BIT_FINAL) != 0, rsv1 = (first & BIT_RSV1) != 0;
	uint8_t opcode = first & BITS_OPCODE;

	if ((first & BITS_RSV23) != 0 || (second & BIT_MASKED) == 0)
		return false;
	reader->frame = opcode;
	switch (opcode) {
	case WS_TEXT:
	case WS_BINARY:
		if (reader->in_message || (rsv1 && !reader->deflate))
			return false;
		reader->opcode = opcode;
		reader->compressed = rsv1;
		reader->message = 0;
		break;
	case WS_CONTINUATION:
		if (!reader->in_message || rsv1)
			return false;
		break;
	case WS_CLOSE:
	case WS_PING:
	case WS_PONG:
		return final && !rsv1 && (second & BITS_LENGTH) <= WS_CONTROL_MAX;
	default:
		return false;
	}
	reader->final = final;
	reader->in_message = !final;
	return true;
}

/* length_len is how many bytes the head's length takes behind the second byte, which is SECOND. */
static size_t
length_len(uint8_t second)
{
	switch (second & BITS_LENGTH) {
	case LENGTH_16:
		return 2;
	case LENGTH_64:
		return 8;
	default:
		return 0;
	}
}

/* check_length reads the length, which is complete. Returns 0, or the code to close with. */
static uint16_t
check_length(struct ws_reader *reader)
{
	uint8_t second = (uint8_t)reader->control[1];
	size_t len = length_len(second);
	uint64_t length = len == 0 ? second & BITS_LENGTH : read_number(reader->control + 2, len);

	if ((len == 2 && length < LENGTH_16) || (len == 8 && (length <= UINT16_MAX || length > INT64_MAX)))
		return WS_CLOSE_PROTOCOL_ERROR;
	reader->left = length;
	if (is_control(reader->frame))
		return 0;
	if (length > reader->limit - reader->message)
		return WS_CLOSE_TOO_BIG;
	reader->message += (uint32_t)length;
	return 0;
}

/*
 * read_head takes bytes of a head until it is complete or has to be refused:
 * at the byte that decides it, so that the way they are cut makes no difference.
 * Returns 0, or the code to close with.
 */
static uint16_t
read_head(struct ws_reader *reader, const char *data, size_t len, size_t *taken)
{
	while (*taken < len) {
		size_t length_end = 2;
		uint16_t code;

		reader->control[reader->head_len++] = data[(*taken)++];
		if (reader->head_len < 2)
			continue;
		if (reader->head_len == 2 && !check_start(reader))
			return WS_CLOSE_PROTOCOL_ERROR;
		length_end += length_len((uint8_t)reader->control[1]);
		if (reader->head_len == length_end && (code = check_length(reader)) != 0)
			return code;
		if (reader->head_len == length_end + MASK_LEN) {
			memcpy(reader->mask, reader->control + length_end, MASK_LEN);
			reader->in_payload = true;
			reader->control_len = 0;
			return 0;
		}
	}
	return 0;
}

static void
unmask(uint8_t mask[MASK_LEN], char *data, size_t len)
{
	uint8_t masks[2 * MASK_LEN];
	uint64_t wide, word;
	size_t i = 0;

	memcpy(masks, mask, MASK_LEN);
	memcpy(masks + MASK_LEN, mask, MASK_LEN);
	memcpy(&wide, masks, sizeof(wide));
	for (; len - i >= sizeof(word); i += sizeof(word)) {
		memcpy(&word, data + i, sizeof(word));
		word ^= wide;
		memcpy(data + i, &word, sizeof(word));
	}
	for (; i < len; i++)
		data[i] = (char)((uint8_t)data[i] ^ masks[i % MASK_LEN]);
	/* What is left begins within the mask. */
	memcpy(mask, masks + len % MASK_LEN, MASK_LEN);
}

/* end_frame makes ready for the next head. */
static void
end_frame(struct ws_reader *reader)
{
	reader->head_len = 0;
	reader->in_payload = false;
}

static bool
may_be_sent(uint16_t code)
{
	return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

static enum ws_event
read_close(struct ws_reader *reader)
{
	struct ws_utf8 utf8 = {0};

	reader->code = WS_CLOSE_NO_CODE;
	if (reader->control_len == 1)
		return violate(reader, WS_CLOSE_PROTOCOL_ERROR);
	if (reader->control_len >= 2) {
		reader->code = (uint16_t)read_number(reader->control, 2);
		reader->data += 2;
		reader->len -= 2;
		if (!may_be_sent(reader->code))
			return violate(reader, WS_CLOSE_PROTOCOL_ERROR);
		if (!ws_utf8_add(&utf8, reader->data, reader->len) || !ws_utf8_is_whole(&utf8))
			return violate(reader, WS_CLOSE_INVALID_TEXT);
	}
	reader->ended = true;
	return WS_CLOSED;
}

/* read_control collects the payload of a control frame. */
static enum ws_event
read_control(struct ws_reader *reader, const char *data, size_t len, size_t *taken)
{
	size_t size = len - *taken < reader->left ? len - *taken : (size_t)reader->left;

	memcpy(reader->control + reader->control_len, data + *taken, size);
	unmask(reader->mask, reader->control + reader->control_len, size);
	reader->control_len = (uint8_t)(reader->control_len + size);
	reader->left -= size;
	*taken += size;
	if (reader->left > 0)
		return WS_MORE;
	end_frame(reader);
	reader->data = reader->control;
	reader->len = reader->control_len;
	switch (reader->frame) {
	case WS_PING:
		return WS_PINGED;
	case WS_PONG:
		return WS_PONGED;
	default:
		return read_close(reader);
	}
}

/* read_piece hands out what has come of a message's frame; WS_MORE where that is nothing. */
static enum ws_event
read_piece(struct ws_reader *reader, char *data, size_t len, size_t *taken)
{
	size_t size = len - *taken < reader->left ? len - *taken : (size_t)reader->left;

	reader->data = data + *taken;
	reader->len = size;
	unmask(reader->mask, data + *taken, size);
	reader->left -= size;
	*taken += size;
	reader->end = reader->left == 0 && reader->final;
	if (reader->left == 0)
		end_frame(reader);
	return size > 0 || reader->end ? WS_PIECE : WS_MORE;
}

enum ws_event
ws_reader_read(struct ws_reader *reader, char *data, size_t len, size_t *taken)
{
	enum ws_event event = WS_MORE;

	*taken = 0;
	if (reader->ended)
		return WS_VIOLATED;
	do {
		if (!reader->in_payload) {
			uint16_t code = read_head(reader, data, len, taken);

			if (code != 0)
				return violate(reader, code);
			if (!reader->in_payload)
				return WS_MORE;
		}
		event = is_control(reader->frame) ? read_control(reader, data, len, taken)
						  : read_piece(reader, data, len, taken);
	} while (event == WS_MORE && *taken < len);
	return event;
}

size_t
ws_frame_head_len(size_t len)
{
	if (len < LENGTH_16)
		return 2;
	return len <= UINT16_MAX ? 4 : WS_HEAD_MAX;
}

size_t
ws_frame_head(char *buf, enum ws_opcode opcode, bool compressed, size_t len)
{
	size_t head_len = ws_frame_head_len(len);

	buf[0] = (char)(BIT_FINAL | (compressed ? BIT_RSV1 : 0) | (int)opcode);
	if (head_len == 2)
		buf[1] = (char)len;
	else
		buf[1] = head_len == 4 ? LENGTH_16 : LENGTH_64;
	for (size_t i = head_len; i > 2; i--, len >>= 8)
		buf[i - 1] = (char)(len & 0xff);
	return head_len;
}

void
ws_frame_close(char *buf, uint16_t code)
{
	assert(may_be_sent(code));
	ws_frame_head(buf, WS_CLOSE, false, 2);
	buf[2] = (char)(code >> 8);
	buf[3] = (char)(code & 0xff);
}
