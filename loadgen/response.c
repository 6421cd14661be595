/* Bytes of a connection -> one response at a time, the client's side of llhttp (RFC 9112). */
#include "loadgen/response.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define SERVER "Server"

static int
on_headers_complete(llhttp_t *parser)
{
	struct response *response = parser->data;

	if (parser->http_major != 1)
		return -1; /* llhttp 8 lets 2.0 and 0.9 pass */
	response->facts.status = (uint16_t)parser->status_code;
	response->facts.head_done = true;
	/* RFC 9112, 6.3: these have no body whatever their header says. llhttp 8 waits for one behind a 304 with a length. */
	if (response->head || parser->status_code / 100 == 1 || parser->status_code == 204 ||
	    parser->status_code == 304)
		return 1;
	return 0;
}

static int
on_body(llhttp_t *parser, const char *at, size_t len)
{
	struct response *response = parser->data;

	(void)at;
	response->facts.body_len += len;
	return 0;
}

static int
on_message_complete(llhttp_t *parser)
{
	struct response *response = parser->data;

	/* 101 is final: we asked for no upgrade, so the connection ends with it. */
	if (parser->status_code / 100 == 1 && parser->status_code != 101) {
		response->facts.head_done = false;
		return 0;
	}
	response->complete = true;
	response->facts.keep_alive = llhttp_should_keep_alive(parser) != 0 && parser->status_code != 101;
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
response_init(struct response *response, bool head, struct response_memo *memo, char *server)
{
	*response = (struct response){.head = head, .memo = memo, .server = server};
	response_reset(response);
}

void
response_reset(struct response *response)
{
	response->facts = (struct response_facts){0};
	response->started = response->complete = response->in_server = false;
	response->field_len = 0;
}

/* parser_start is put off to the first byte, because a response that the memo knows needs no parser. */
static void
parser_start(struct response *response)
{
	llhttp_init(&response->parser, HTTP_RESPONSE, response->server != NULL ? &naming_settings : &plain_settings);
	response->parser.data = response;
	response->started = true;
	if (response->server != NULL)
		response->server[0] = '\0'; /* what an earlier, broken response left */
}

enum response_event
response_read(struct response *response, const char *data, size_t len)
{
	struct response_memo *memo = response->memo;
	bool fresh = !response->started;
	llhttp_errno_t error;

	if (fresh && response->server == NULL && len == memo->len && memcmp(data, memo->bytes, len) == 0) {
		response->facts = memo->facts;
		response->started = response->complete = true;
		return RESPONSE_COMPLETE;
	}
	if (fresh)
		parser_start(response);
	error = llhttp_execute(&response->parser, data, len);
	if (!response->complete)
		return error == HPE_OK ? RESPONSE_MORE : RESPONSE_INVALID;
	if (llhttp_get_error_pos(&response->parser) != data + len)
		return RESPONSE_INVALID;
	response->server = NULL;
	if (fresh && len <= sizeof(memo->bytes)) {
		memcpy(memo->bytes, data, len);
		memo->len = len;
		memo->facts = response->facts;
	}
	return RESPONSE_COMPLETE;
}

enum response_event
response_end(struct response *response)
{
	if (response->started && !response->complete)
		(void)llhttp_finish(
		    &response->parser); /* calls on_message_complete where the end of the connection ends the body */
	return response->complete ? RESPONSE_COMPLETE : RESPONSE_CUT;
}
