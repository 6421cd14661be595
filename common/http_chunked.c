/* The strict reader of a chunked body: which bytes are framing and which are data (RFC 9112, 7.1). */
#include "common/http_chunked.h"

#include "common/http_class.h"
#include "common/http_guard.h"

enum state {
	CHUNK_SIZE,      /* hexadecimal digits */
	CHUNK_EXTENSION, /* behind the first ; up to CR */
	CHUNK_SIZE_LF,   /* the LF of the size line */
	CHUNK_DATA,
	CHUNK_DATA_CR, /* the CR behind the data */
	CHUNK_DATA_LF,
	TRAILER_LINE, /* the first byte of a trailer field, or the CR of the empty line */
	TRAILER_NAME,
	TRAILER_VALUE,
	TRAILER_LF,
	LAST_LF, /* the LF of the empty line */
	ENDED,
};

/* A size that takes one digit more than this many is above 2^63-1, or pads. */
#define SIZE_DIGITS_MAX 16

static int
move(struct http_chunked *chunked, enum state state)
{
	chunked->state = (uint8_t)state;
	chunked->line = 0;
	chunked->names = 0xff;
	return 0;
}

static unsigned
hex_value(char c)
{
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a' + 10);
}

static int
take_size(struct http_chunked *chunked, struct http_request *request, char c)
{
	if (http_is(c, HTTP_CLASS_HEX)) {
		if (++chunked->line > SIZE_DIGITS_MAX || chunked->left > INT64_MAX >> 4)
			return http_guard_refuse(request, 400, "A chunk size is too large.");
		chunked->left = chunked->left << 4 | hex_value(c);
		return 0;
	}
	if (chunked->line == 0)
		return http_guard_refuse(request, 400, "A chunk does not begin with its size.");
	if (c == '\r')
		return move(chunked, CHUNK_SIZE_LF);
	if (c == ';')
		return move(chunked, CHUNK_EXTENSION);
	return http_guard_refuse(request, 400, "A chunk size is not a hexadecimal number.");
}

/* take_chunk_byte reads one byte of the framing of chunks. */
static int
take_chunk_byte(struct http_chunked *chunked, struct http_request *request, char c)
{
	switch (chunked->state) {
	case CHUNK_SIZE:
		return take_size(chunked, request, c);
	case CHUNK_EXTENSION:
		if (c == '\r')
			return move(chunked, CHUNK_SIZE_LF);
		if (++chunked->line > HTTP_CHUNK_EXTENSION_MAX)
			return http_guard_refuse(request, 400, "A chunk extension is too long.");
		if (http_is(c, HTTP_CLASS_VALUE))
			return 0;
		return http_guard_refuse(request, 400, "A chunk extension holds a control byte.");
	case CHUNK_SIZE_LF:
		if (c == '\n')
			return move(chunked, chunked->left > 0 ? CHUNK_DATA : TRAILER_LINE);
		return http_guard_refuse(request, 400, "The line of a chunk size holds a bare CR.");
	case CHUNK_DATA_CR:
		if (c == '\r')
			return move(chunked, CHUNK_DATA_LF);
		return http_guard_refuse(request, 400, "A chunk is longer than its size.");
	default: /* CHUNK_DATA_LF */
		if (c == '\n')
			return move(chunked, CHUNK_SIZE);
		return http_guard_refuse(request, 400, "A bare CR stands behind a chunk.");
	}
}

/* count_trailer_byte holds the trailer to the limits of a header, empty line included. */
static int
count_trailer_byte(struct http_chunked *chunked, struct http_request *request, const struct http_limits *limits, char c)
{
	if (++chunked->trailer > limits->header_size)
		return http_guard_refuse(request, 431, "The trailer section is too long.");
	if (c == '\r' || c == '\n')
		return 0;
	if (chunked->state == TRAILER_LINE && ++chunked->fields > limits->fields)
		return http_guard_refuse(request, 431, "There are too many trailer fields.");
	if (++chunked->line > limits->field_size)
		return http_guard_refuse(request, 431, "A trailer field is too long.");
	return 0;
}

/* Fields that say where a message begins or ends, or whom it is for, have no place behind it (RFC 9110, 6.5.1). */
static const char *const forbidden[] = {"content-length", "transfer-encoding", "host"};

/* match_name follows the forbidden names along with byte C of a trailer field's name, or its colon. */
static bool
match_name(struct http_chunked *chunked, char c)
{
	for (unsigned i = 0; i < ARRAY_LEN(forbidden); i++) {
		if ((chunked->names & 1 << i) == 0)
			continue;
		if (c == ':' && forbidden[i][chunked->line - 1] == '\0')
			return true;
		if ((c | 0x20) != forbidden[i][chunked->line - 1])
			chunked->names &= (uint8_t) ~(1 << i);
	}
	return false;
}

static int
take_trailer_byte(struct http_chunked *chunked, struct http_request *request, const struct http_limits *limits, char c)
{
	if (count_trailer_byte(chunked, request, limits, c) != 0)
		return -1;
	switch (chunked->state) {
	case TRAILER_LINE:
		if (c == '\r')
			return move(chunked, LAST_LF);
		if (!http_is(c, HTTP_CLASS_TOKEN))
			return http_guard_refuse(request, 400, "A trailer line does not begin with a field name.");
		chunked->state = TRAILER_NAME;
		match_name(chunked, c);
		return 0;
	case TRAILER_NAME:
		if (match_name(chunked, c))
			return http_guard_refuse(request, 400, "A trailer holds a field of the header's framing.");
		if (c == ':')
			chunked->state = TRAILER_VALUE;
		else if (!http_is(c, HTTP_CLASS_TOKEN))
			return http_guard_refuse(
			    request, 400, "A name of a trailer field holds a byte it must not hold.");
		return 0;
	case TRAILER_VALUE:
		if (c == '\r')
			chunked->state = TRAILER_LF;
		else if (!http_is(c, HTTP_CLASS_VALUE))
			return http_guard_refuse(request, 400, "A trailer field holds a bare LF or a control byte.");
		return 0;
	case TRAILER_LF:
		if (c == '\n')
			return move(chunked, TRAILER_LINE);
		return http_guard_refuse(request, 400, "The trailer section holds a bare CR.");
	default: /* LAST_LF */
		if (c == '\n')
			return move(chunked, ENDED);
		return http_guard_refuse(request, 400, "The trailer section ends with a bare CR.");
	}
}

int
http_chunked_framing(struct http_chunked *chunked, struct http_request *request, const struct http_limits *limits,
    const char *data, size_t len, size_t *taken)
{
	int error = 0;
	size_t i;

	for (i = 0; i < len && chunked->state != CHUNK_DATA && chunked->state != ENDED; i++) {
		if (chunked->state < TRAILER_LINE)
			error = take_chunk_byte(chunked, request, data[i]);
		else
			error = take_trailer_byte(chunked, request, limits, data[i]);
		if (error != 0)
			break;
	}
	*taken = i;
	return error;
}

size_t
http_chunked_data(struct http_chunked *chunked, size_t len)
{
	if (chunked->state != CHUNK_DATA)
		return 0;
	if (len > chunked->left)
		len = (size_t)chunked->left;
	chunked->left -= len;
	if (chunked->left == 0)
		move(chunked, CHUNK_DATA_CR);
	return len;
}

bool
http_chunked_ended(const struct http_chunked *chunked)
{
	return chunked->state == ENDED;
}
