/* The header of a request for a WebSocket -> the answer: 101 or 400, as aiohttp's WebSocketResponse gives it (RFC 6455, 4.2). */
#include "async_server/ws_handshake.h"

#include <nettle/base64.h>
#include <nettle/sha1.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

/* A key is 16 bytes in base64. */
#define KEY_BYTES 16
#define KEY_LEN 24

#define WINDOW_BITS_MIN 9
#define WINDOW_BITS_MAX 15

/* How much of what the client sent an answer repeats, in bytes. */
#define VALUE_MAX 128

static bool
equals(struct http_span span, const char *word)
{
	return span.len == strlen(word) && strncasecmp(span.at, word, span.len) == 0;
}

static bool
contains(struct http_span span, const char *word)
{
	size_t len = strlen(word);

	for (size_t i = 0; i + len <= span.len; i++)
		if (strncasecmp(span.at + i, word, len) == 0)
			return true;
	return false;
}

static struct http_span
trim(struct http_span span)
{
	while (span.len > 0 && (span.at[0] == ' ' || span.at[0] == '\t')) {
		span.at++;
		span.len--;
	}
	while (span.len > 0 && (span.at[span.len - 1] == ' ' || span.at[span.len - 1] == '\t'))
		span.len--;
	return span;
}

/* split takes what stands before the next SEPARATOR off REST, trimmed. No value of ours contains a quoted separator. */
static struct http_span
split(struct http_span *rest, char separator)
{
	const char *at = memchr(rest->at, separator, rest->len);
	struct http_span part = *rest;

	if (at == NULL) {
		rest->len = 0;
	} else {
		part.len = (size_t)(at - part.at);
		rest->at = at + 1;
		rest->len -= part.len + 1;
	}
	return trim(part);
}

/* read_bits reads the value of a max_window_bits parameter, "10" or "\"10\"" (RFC 7692, 7.1.2.1). Returns 0 for what is none. */
static uint8_t
read_bits(struct http_span value)
{
	unsigned bits = 0;

	if (value.len >= 2 && value.at[0] == '"' && value.at[value.len - 1] == '"') {
		value.at++;
		value.len -= 2;
	}
	if (value.len == 0 || value.len > 2 || value.at[0] == '0')
		return 0;
	for (size_t i = 0; i < value.len; i++) {
		if (value.at[i] < '0' || value.at[i] > '9')
			return 0;
		bits = bits * 10 + (unsigned)(value.at[i] - '0');
	}
	return bits >= 8 && bits <= WINDOW_BITS_MAX ? (uint8_t)bits : 0;
}

enum parameter {
	SERVER_NO_CONTEXT_TAKEOVER = 1,
	CLIENT_NO_CONTEXT_TAKEOVER = 2,
	SERVER_MAX_WINDOW_BITS = 4,
	CLIENT_MAX_WINDOW_BITS = 8,
};

/* read_parameter follows one parameter of an offer. Returns which it is, or 0 where the offer cannot be met. */
static enum parameter
read_parameter(struct ws_deflate_params *params, struct http_span text)
{
	const char *equal = memchr(text.at, '=', text.len);
	struct http_span value = text, name = split(&value, '=');

	if (equal == NULL) {
		if (equals(name, "server_no_context_takeover")) {
			params->no_context_takeover = true;
			return SERVER_NO_CONTEXT_TAKEOVER;
		}
		if (equals(name, "client_no_context_takeover"))
			return CLIENT_NO_CONTEXT_TAKEOVER;
		return equals(name, "client_max_window_bits") ? CLIENT_MAX_WINDOW_BITS : 0;
	}
	value = trim(value);
	if (equals(name, "server_max_window_bits")) {
		params->window_bits = read_bits(value);
		return params->window_bits >= WINDOW_BITS_MIN ? SERVER_MAX_WINDOW_BITS : 0;
	}
	return equals(name, "client_max_window_bits") && read_bits(value) != 0 ? CLIENT_MAX_WINDOW_BITS : 0;
}

/* read_offer reads one element of the field. window_bits is 0 where it is no offer that we can meet. */
static struct ws_deflate_params
read_offer(struct http_span offer)
{
	struct ws_deflate_params params = {.window_bits = WINDOW_BITS_MAX}, none = {0};
	bool more = memchr(offer.at, ';', offer.len) != NULL;
	unsigned seen = 0;

	if (!equals(split(&offer, ';'), "permessage-deflate"))
		return none;
	while (more) {
		enum parameter parameter;

		more = memchr(offer.at, ';', offer.len) != NULL;
		parameter = read_parameter(&params, split(&offer, ';'));
		if (parameter == 0 || (seen & parameter) != 0)
			return none;
		seen |= parameter;
	}
	return params;
}

struct ws_deflate_params
ws_handshake_deflate(struct http_span extensions)
{
	struct ws_deflate_params params = {0};

	while (extensions.len > 0 && params.window_bits == 0)
		params = read_offer(split(&extensions, ','));
	return params;
}

static bool
is_key(struct http_span key)
{
	struct base64_decode_ctx context;
	uint8_t bytes[BASE64_DECODE_LENGTH(KEY_LEN)];
	size_t len = sizeof(bytes);

	if (key.len != KEY_LEN || memchr(key.at, ' ', key.len) != NULL || memchr(key.at, '\t', key.len) != NULL)
		return false;
	base64_decode_init(&context);
	return base64_decode_update(&context, &len, bytes, key.len, key.at) == 1 &&
	       base64_decode_final(&context) == 1 && len == KEY_BYTES;
}

static bool
is_version(struct http_span version)
{
	return equals(version, "13") || equals(version, "8") || equals(version, "7");
}

/* append_value writes VALUE, or as Python None where it is not there, behind the USED bytes of TEXT. Returns the new length. */
static size_t
append_value(char *text, size_t used, struct http_span value)
{
	int len = snprintf(text + used, WS_ANSWER_TEXT_MAX - used, "%.*s%s",
	    value.at == NULL        ? 4
	    : value.len > VALUE_MAX ? VALUE_MAX
				    : (int)value.len,
	    value.at == NULL ? "None" : value.at, value.len > VALUE_MAX ? "..." : "");

	return used + (size_t)len;
}

/* append_repr writes VALUE as Python's repr() of a string does; bytes that are not ASCII as \x. */
static size_t
append_repr(char *text, size_t used, struct http_span value)
{
	bool single = value.at != NULL && memchr(value.at, '\'', value.len) != NULL;
	bool both = single && memchr(value.at, '"', value.len) != NULL;
	char quote = single && !both ? '"' : '\'';

	if (value.at == NULL)
		return append_value(text, used, value);
	text[used++] = quote;
	for (size_t i = 0; i < value.len; i++) {
		char c = value.at[i];

		if (used >= VALUE_MAX) {
			memcpy(text + used, "...", 3);
			used += 3;
			break;
		}
		if (c == '\t') {
			text[used++] = '\\';
			text[used++] = 't';
		} else if ((uint8_t)c < ' ' || (uint8_t)c >= 0x7f) {
			used += (size_t)snprintf(text + used, WS_ANSWER_TEXT_MAX - used, "\\x%02x", (uint8_t)c);
		} else {
			if (c == '\\' || c == quote)
				text[used++] = '\\';
			text[used++] = c;
		}
	}
	text[used++] = quote;
	return used;
}

static size_t
append(char *text, size_t used, const char *more)
{
	size_t len = strlen(more);

	memcpy(text + used, more, len);
	return used + len;
}

/* refuse writes why there is no WebSocket. Returns false where there is nothing to refuse. */
static bool
refuse(struct ws_answer *answer, const struct ws_fields *fields)
{
	char *text = answer->text;
	size_t len;

	if (!equals(trim(fields->upgrade), "websocket")) {
		len = append_value(text, append(text, 0, "No WebSocket UPGRADE hdr: "), fields->upgrade);
		len = append(text, len, "\n Can \"Upgrade\" only to \"WebSocket\".");
	} else if (!contains(fields->connection, "upgrade")) {
		len = append_value(text, append(text, 0, "No CONNECTION upgrade hdr: "), fields->connection);
	} else if (!is_version(fields->version)) {
		len = append(text, 0, "Unsupported version: ");
		if (fields->version.at != NULL)
			len = append_value(text, len, fields->version);
		strcpy(answer->fields, WS_VERSIONS_FIELD);
	} else if (!is_key(fields->key)) {
		len = append_repr(text, append(text, 0, "Handshake error: "), fields->key);
	} else {
		return false;
	}
	text[len] = '\0';
	return true;
}

static void
write_accept(char out[BASE64_ENCODE_RAW_LENGTH(SHA1_DIGEST_SIZE) + 1], struct http_span key)
{
	uint8_t digest[SHA1_DIGEST_SIZE];
	struct sha1_ctx context;

	sha1_init(&context);
	sha1_update(&context, key.len, (const uint8_t *)key.at);
	sha1_update(&context, strlen(GUID), (const uint8_t *)GUID);
	sha1_digest(&context, sizeof(digest), digest);
	base64_encode_raw(out, sizeof(digest), digest);
	out[BASE64_ENCODE_RAW_LENGTH(SHA1_DIGEST_SIZE)] = '\0';
}

void
ws_handshake_answer(struct ws_answer *answer, const struct ws_fields *fields)
{
	char accept[BASE64_ENCODE_RAW_LENGTH(SHA1_DIGEST_SIZE) + 1];
	char extension[128] = "", bits[32] = "";

	answer->status = 400;
	answer->deflate = (struct ws_deflate_params){0};
	answer->fields[0] = answer->text[0] = '\0';
	if (refuse(answer, fields))
		return;
	answer->status = 101;
	write_accept(accept, fields->key);
	if (fields->extensions.at != NULL)
		answer->deflate = ws_handshake_deflate(fields->extensions);
	if (answer->deflate.window_bits != 0) {
		if (answer->deflate.window_bits < WINDOW_BITS_MAX)
			snprintf(bits, sizeof(bits), "; server_max_window_bits=%d", answer->deflate.window_bits);
		snprintf(extension, sizeof(extension), "Sec-WebSocket-Extensions: permessage-deflate%s%s\r\n", bits,
		    answer->deflate.no_context_takeover ? "; server_no_context_takeover" : "");
	}
	snprintf(answer->fields, sizeof(answer->fields),
	    "Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: %s\r\n%s", accept, extension);
}
