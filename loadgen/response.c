/* Bytes of a connection -> one response at a time, the client's side of llhttp (RFC 9112). */
#include "loadgen/response.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <sys/types.h>

#define SERVER "Server"

/* A body is what the header says, but for these (RFC 9112, 6.3). */
static bool
has_no_body(const struct response *response, unsigned status)
{
	return response->head || status == 101 || status == 204 || status == 304;
}

/*
 * keeps_alive judges what the header says about the connection (RFC 9112, 9.3). Where both options are given, "close"
 * counts; and framing that HTTP/1.0 does not know is not to be trusted twice (6.1).
 */
static bool
keeps_alive(const llhttp_t *parser)
{
	if ((parser->flags & F_CONNECTION_CLOSE) != 0 || parser->status_code == 101)
		return false;
	if (parser->http_minor > 0)
		return true;
	return (parser->flags & F_CONNECTION_KEEP_ALIVE) != 0 && (parser->flags & F_TRANSFER_ENCODING) == 0;
}

/*
 * llhttp reads headers and chunks.  Everywhere else it is stopped behind the header: bodies are only counted, and of what
 * has no body llhttp 8.1 has ideas of its own (it waits for one behind a 304 with a length, and ends for good behind
 * a 101 with an upgrade or an interim response with "Connection: close").
 */
static int
on_headers_complete(llhttp_t *parser)
{
	struct response *response = parser->data;
	unsigned status = parser->status_code;

	if (parser->http_major != 1)
		return -1;                        /* llhttp 8 lets 2.0 and 0.9 pass */
	if (status / 100 == 1 && status != 101) { /* that one is final: we asked for no upgrade */
		response->interim = true;
		return HPE_PAUSED;
	}
	response->facts =
	    (struct response_facts){.status = (uint16_t)status, .head_done = true, .keep_alive = keeps_alive(parser)};
	if (has_no_body(response, status)) {
		response->counting = true;
		response->left = 0;
	} else if ((parser->flags & F_CHUNKED) != 0) {
		return 0;
	} else if ((parser->flags & F_CONTENT_LENGTH) != 0 && (parser->flags & F_TRANSFER_ENCODING) == 0) {
		response->counting = true;
		response->left = parser->content_length;
	} else {
		response->until_close = true;
		response->facts.keep_alive = false;
	}
	return HPE_PAUSED;
}

static int
on_body(llhttp_t *parser, const char *at, size_t len)
{
	struct response *response = parser->data;

	(void)at;
	response->facts.body_len += len;
	return 0;
}

/* Only of a chunked one. */
static int
on_message_complete(llhttp_t *parser)
{
	struct response *response = parser->data;

	response->complete = true;
	return HPE_PAUSED; /* so that bytes behind the end show */
}

/* Spans come cut anywhere, so a name is compared piece by piece; field_len beyond the name's length means: another. */
static int
on_header_field(llhttp_t *parser, const char *at, size_t len)
{
	struct response *response = parser->data;

	if (response->field_len + len < sizeof(SERVER) && strncasecmp(&SERVER[response->field_len], at, len) == 0)
		response->field_len += len;
	else
		response->field_len = sizeof(SERVER);
	return 0;
}

static int
on_header_field_complete(llhttp_t *parser)
{
	struct response *response = parser->data;

	response->in_server = response->field_len == strlen(SERVER) && response->server[0] == '\0';
	response->field_len = 0;
	return 0;
}

static int
on_header_value(llhttp_t *parser, const char *at, size_t len)
{
	struct response *response = parser->data;
	size_t used;

	if (!response->in_server)
		return 0;
	used = strlen(response->server);
	for (size_t i = 0; i < len && used < RESPONSE_SERVER_MAX - 1; i++)
		response->server[used++] = (char)(isprint((unsigned char)at[i]) ? at[i] : '?');
	response->server[used] = '\0';
	return 0;
}

/* Fields are looked at only while the server's name is wanted. */
static const llhttp_settings_t plain_settings = {
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};
static const llhttp_settings_t naming_settings = {
    .on_header_field = on_header_field,
    .on_header_field_complete = on_header_field_complete,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

void
response_init(struct response *response, struct response_memo *memo, char *server)
{
	*response = (struct response){.memo = memo, .server = server};
	response_reset(response);
}

void
response_reset(struct response *response)
{
	response->facts = (struct response_facts){0};
	response->started = response->complete = response->in_server = response->interim = false;
	response->counting = response->until_close = false;
	response->left = response->field_len = 0;
}

/* parser_start is put off to the first byte, because a response that the memo knows needs no parser. */
static void
parser_start(struct response *response)
{
	llhttp_init(&response->parser, HTTP_RESPONSE, response->server != NULL ? &naming_settings : &plain_settings);
	response->parser.data = response;
	response->in_server = response->interim = false;
	response->field_len = 0;
	if (response->server != NULL)
		response->server[0] = '\0'; /* what an earlier, broken or interim response left */
}

/* parse gives llhttp what it wants of DATA[0..LEN): all, or up to where it was stopped. Returns how many bytes, or -1. */
static ssize_t
parse(struct response *response, const char *data, size_t len)
{
	size_t at = 0;

	while (at < len) {
		llhttp_errno_t error = llhttp_execute(&response->parser, data + at, len - at);

		if (error == HPE_OK)
			return (ssize_t)len;
		if (error != HPE_PAUSED)
			return -1;
		at = (size_t)(llhttp_get_error_pos(&response->parser) - data);
		if (!response->interim)
			break;
		parser_start(response);
	}
	return (ssize_t)at;
}

static void
remember(const struct response *response, const char *data, size_t len)
{
	struct response_memo *memo = response->memo;

	if (len > sizeof(memo->bytes) || !(response->counting || response->complete))
		return;
	memcpy(memo->bytes, data, len);
	memo->len = len;
	memo->left = response->left;
	memo->head = response->head;
	memo->facts = response->facts;
}

/* recall looks the first bytes of a response up in the memo. Returns how many of them it knew. */
static size_t
recall(struct response *response, const char *data, size_t len)
{
	const struct response_memo *memo = response->memo;

	if (memo->len == 0 || len < memo->len || response->server != NULL || memo->head != response->head ||
	    memcmp(data, memo->bytes, memo->len) != 0)
		return 0;
	response->facts = memo->facts;
	response->counting = true; /* of a chunked one, too: nothing is left */
	response->left = memo->left;
	return memo->len;
}

/* settle tells what the bytes so far come to. */
static enum response_event
settle(struct response *response)
{
	if (response->counting && response->left == 0)
		response->complete = true;
	if (!response->complete)
		return RESPONSE_MORE;
	response->server = NULL; /* named, or not: later ones are not asked */
	return RESPONSE_COMPLETE;
}

enum response_event
response_skip(struct response *response, uint64_t len)
{
	assert(response->counting && len <= response->left);
	response->left -= len;
	response->facts.body_len += len;
	return settle(response);
}

/* start takes the first bytes of a response. Returns how many, or -1. */
static ssize_t
start(struct response *response, const char *data, size_t len)
{
	ssize_t taken;

	response->started = true;
	taken = (ssize_t)recall(response, data, len);
	if (taken > 0)
		return taken;
	parser_start(response);
	taken = parse(response, data, len);
	if (taken > 0)
		remember(response, data, (size_t)taken);
	return taken;
}

enum response_event
response_read(struct response *response, const char *data, size_t len, size_t *taken)
{
	ssize_t parsed = 0;
	uint64_t body;

	*taken = 0;
	if (!response->started)
		parsed = start(response, data, len);
	else if (!response->counting && !response->until_close)
		parsed = parse(response, data, len);
	if (parsed < 0)
		return RESPONSE_INVALID;
	body = len - (size_t)parsed;
	if (response->counting) {
		if (body > response->left)
			body = response->left;
		*taken = (size_t)(parsed + (ssize_t)body);
		return response_skip(response, body);
	}
	if (response->until_close)
		response->facts.body_len += body;
	*taken = response->complete ? (size_t)parsed : len;
	return settle(response);
}

const char *
response_why(const struct response *response)
{
	const llhttp_t *parser = &response->parser;
	const char *reason = llhttp_get_error_reason(parser);

	if (llhttp_get_errno(parser) == HPE_CB_HEADERS_COMPLETE)
		return "not HTTP/1";
	return reason != NULL && reason[0] != '\0' ? reason : llhttp_errno_name(llhttp_get_errno(parser));
}

enum response_event
response_end(struct response *response)
{
	if (response->until_close)
		response->complete = true;
	return response->complete ? settle(response) : RESPONSE_CUT;
}
