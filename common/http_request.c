/* Bytes of a connection -> one request at a time: limits, strictness, framing (RFC 9110, RFC 9112). */
#include "common/http_request.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* llhttp names the method HEAD as our contract names the event. */
#define HTTP_HEAD LLHTTP_METHOD_HEAD
#include <llhttp.h>
#undef HTTP_HEAD

#include "common/http_chunked.h"
#include "common/http_guard.h"

enum phase {
	PHASE_HEAD,    /* reading the header section, or waiting for it */
	PHASE_LENGTH,  /* reading a body with a Content-Length */
	PHASE_CHUNKED, /* reading a chunked body */
	PHASE_ENDED,   /* every byte of the request has been taken */
	PHASE_INVALID,
};

/*
 * Two readers see every byte.  The guard goes first and decides where the
 * header section, each piece of the body and the request end; llhttp is then given exactly
 * that piece and has to come to the same end.  Where it does not, the request is
 * invalid, so no difference between the two can be used to smuggle another
 * request in.  llhttp pauses where it has found the end of a header section or
 * of a request, so that it tells the place, and never looks behind it.
 *
 * The guard wants the header section in one piece.  It reads it in the
 * caller's data; only a section that comes in parts is copied to `store`.
 */
struct http_request_parser {
	llhttp_t llhttp;
	llhttp_t fresh; /* as llhttp is at the start of a request: copied, which costs less than llhttp_reset */
	const struct http_limits *limits;
	union {
		struct http_guard guard;     /* PHASE_HEAD */
		uint64_t left;               /* PHASE_LENGTH: body bytes still to come */
		struct http_chunked chunked; /* PHASE_CHUNKED */
	};
	size_t heard; /* bytes of the body that llhttp found in the present piece */
	char *store;  /* the header section so far, or copies of the spans; NULL: spans point into the caller's data */
	uint32_t store_size;
	uint32_t store_len; /* PHASE_HEAD: bytes of the section in the store */
	uint8_t phase;      /* enum phase */
};

static int
on_headers_complete(llhttp_t *llhttp)
{
	(void)llhttp;
	return HPE_PAUSED;
}

static int
on_body(llhttp_t *llhttp, const char *at, size_t len)
{
	struct http_request_parser *parser = llhttp->data;

	(void)at;
	parser->heard += len;
	return 0;
}

static int
on_message_complete(llhttp_t *llhttp)
{
	(void)llhttp;
	return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

static enum http_event
invalid(struct http_request *request)
{
	request->parser->phase = PHASE_INVALID;
	return HTTP_INVALID;
}

static enum http_event
refuse(struct http_request *request, int status, const char *reason)
{
	http_guard_refuse(request, status, reason);
	return invalid(request);
}

static enum http_event
disagree(struct http_request *request)
{
	return refuse(request, 400, "The request is not valid HTTP.");
}

#define SPANS_MAX (4 + HTTP_WANTED_MAX)

/* list_spans finds the spans that outlive a read; returns how many. */
static size_t
list_spans(struct http_request *request, struct http_span *spans[SPANS_MAX])
{
	const struct http_limits *limits = request->parser->limits;
	size_t count = 0;

	spans[count++] = &request->target;
	spans[count++] = &request->referer;
	spans[count++] = &request->user_agent;
	spans[count++] = &request->content_type;
	for (size_t i = 0; limits->wanted != NULL && limits->wanted[i] != NULL; i++)
		spans[count++] = &request->wanted[i];
	return count;
}

#ifndef NDEBUG
static size_t
count_names(const char *const *names)
{
	size_t count = 0;

	while (names != NULL && names[count] != NULL)
		count++;
	return count;
}
#endif

int
http_request_init(struct http_request *request, const struct http_limits *limits)
{
	struct http_request_parser *parser = calloc(1, sizeof(*parser));

	assert(limits->header_size <= 1u << 30);
	assert(count_names(limits->wanted) <= HTTP_WANTED_MAX);
	*request = (struct http_request){.parser = parser};
	if (parser == NULL)
		return -ENOMEM;
	llhttp_init(&parser->llhttp, HTTP_REQUEST, &settings);
	parser->llhttp.data = parser;
	parser->fresh = parser->llhttp;
	parser->limits = limits;
	return 0;
}

void
http_request_deinit(struct http_request *request)
{
	if (request->parser != NULL)
		free(request->parser->store);
	free(request->parser);
	*request = (struct http_request){0};
}

void
http_request_reset(struct http_request *request)
{
	struct http_request_parser *parser = request->parser;

	if (parser->store != NULL) {
		free(parser->store);
		parser->store = NULL;
		parser->store_size = parser->store_len = 0;
	}
	parser->guard = (struct http_guard){0};
	parser->phase = PHASE_HEAD;
	parser->llhttp = parser->fresh;

	/* One by one, as the compilers clear a struct of this size with `rep stos`, which takes its time. */
	request->method = NULL;
	request->head = request->get = request->keep_alive = false;
	request->minor = 0;
	request->expect = HTTP_EXPECT_NONE;
	request->content_length = 0;
	request->target = request->referer = request->user_agent = request->content_type = (struct http_span){0};
	request->header = request->body = (struct http_span){0};
	request->status = 0;
	request->reason = NULL;
	for (size_t i = 0; parser->limits->wanted != NULL && parser->limits->wanted[i] != NULL; i++)
		request->wanted[i] = (struct http_span){0};
}

bool
http_request_started(const struct http_request *request)
{
	return request->parser->phase != PHASE_HEAD || request->parser->store_len > 0;
}

int
http_request_keep(struct http_request *request)
{
	struct http_request_parser *parser = request->parser;
	struct http_span *spans[SPANS_MAX];
	size_t count;
	size_t size = 1;
	char *to;

	if (parser->store != NULL)
		return 0;
	count = list_spans(request, spans);
	for (size_t i = 0; i < count; i++)
		size += spans[i]->len;
	parser->store = to = malloc(size);
	for (size_t i = 0; i < count; i++) {
		if (to == NULL) {
			*spans[i] = (struct http_span){0};
		} else if (spans[i]->at != NULL) {
			memcpy(to, spans[i]->at, spans[i]->len);
			spans[i]->at = to;
			to += spans[i]->len;
		}
	}
	return parser->store == NULL ? -ENOMEM : 0;
}

/* reserve moves the LEN bytes of the header section at HEAD, and the spans into them, to a store of SIZE bytes or more. */
static int
reserve(struct http_request *request, const char *head, size_t len, size_t size)
{
	struct http_request_parser *parser = request->parser;
	struct http_span *spans[SPANS_MAX];
	size_t count;
	char *store;

	if (size <= parser->store_size)
		return 0;
	size = size < 256 ? 256 : 2 * size;
	store = malloc(size);
	if (store == NULL)
		return -ENOMEM;
	memcpy(store, head, len);
	count = list_spans(request, spans);
	for (size_t i = 0; i < count; i++)
		if (spans[i]->at != NULL)
			spans[i]->at = store + (spans[i]->at - head);
	free(parser->store);
	parser->store = store;
	parser->store_size = (uint32_t)size;
	return 0;
}

/* out_of_memory ends the request; only the connection that needed the memory suffers. */
static enum http_event
out_of_memory(struct http_request *request)
{
	return refuse(request, 503, "There is no memory for the request.");
}

/*
 * feed gives llhttp one piece.  Returns whether it found nothing wrong with it, and, where the header section or the request
 * ENDS with the piece, found the end there and nowhere else.
 */
static bool
feed(struct http_request_parser *parser, const char *data, size_t len, bool ends)
{
	llhttp_errno_t error;

	parser->heard = 0;
	error = llhttp_execute(&parser->llhttp, data, len);
	if (!ends)
		return error == HPE_OK;
	return error == HPE_PAUSED && llhttp_get_error_pos(&parser->llhttp) == data + len;
}

/* same_framing tells whether llhttp expects a body of LENGTH (or HTTP_LENGTH_CHUNKED) behind the header section. */
static bool
same_framing(const llhttp_t *llhttp, int64_t length)
{
	if (length == HTTP_LENGTH_CHUNKED)
		return (llhttp->flags & F_CHUNKED) != 0;
	return (llhttp->flags & (F_CHUNKED | F_TRANSFER_ENCODING)) == 0 && llhttp->content_length == (uint64_t)length;
}

/* feed_head gives llhttp the header section.  Returns HTTP_HEAD or HTTP_INVALID. */
static enum http_event
feed_head(struct http_request *request, const char *head, size_t len)
{
	struct http_request_parser *parser = request->parser;
	llhttp_t *llhttp = &parser->llhttp;
	llhttp_method_t method;

	if (!feed(parser, head, len, true)) {
		/* The guard saw a token there and a version, so these two say that llhttp does not know the method for HTTP. */
		switch (llhttp_get_errno(llhttp)) {
		case HPE_INVALID_METHOD:
		case HPE_INVALID_CONSTANT:
			return refuse(request, 501, "The method is not known.");
		default:
			return disagree(request);
		}
	}
	if (!same_framing(llhttp, request->content_length))
		return disagree(request);
	method = (llhttp_method_t)llhttp_get_method(llhttp);
	request->method = llhttp_method_name(method);
	request->get = method == HTTP_GET;
	request->head = method == LLHTTP_METHOD_HEAD;
	request->header = (struct http_span){head, len};
	/* llhttp lets keep-alive win over close on HTTP/1.0; the safe reading is the other one. */
	request->keep_alive = llhttp_should_keep_alive(llhttp) && (llhttp->flags & F_CONNECTION_CLOSE) == 0;
	if (request->content_length == 0) {
		parser->phase = PHASE_ENDED;
		return HTTP_HEAD;
	}
	llhttp_resume(llhttp);
	if (request->content_length == HTTP_LENGTH_CHUNKED) {
		parser->phase = PHASE_CHUNKED;
		parser->chunked = (struct http_chunked){0};
	} else {
		parser->phase = PHASE_LENGTH;
		parser->left = (uint64_t)request->content_length;
	}
	return HTTP_HEAD;
}

static enum http_event
read_head(struct http_request *request, const char *data, size_t len, size_t *taken)
{
	struct http_request_parser *parser = request->parser;
	const char *head = data;
	size_t had = parser->store_len;
	size_t have = len;
	ssize_t end;

	if (had > 0) {
		/* The guard decides within header_size bytes, so the store never holds more. */
		if (len > parser->limits->header_size - had)
			len = parser->limits->header_size - had;
		have = had + len;
		if (reserve(request, parser->store, had, have) != 0)
			return out_of_memory(request);
		memcpy(parser->store + had, data, len);
		head = parser->store;
	}
	end = http_guard_head(&parser->guard, request, parser->limits, head, have);
	if (end < 0)
		return invalid(request);
	if (end > 0) {
		*taken += (size_t)end - had;
		return feed_head(request, head, (size_t)end);
	}
	if (had == 0 && reserve(request, head, have, have) != 0)
		return out_of_memory(request);
	parser->store_len = (uint32_t)have;
	*taken += len;
	return HTTP_MORE;
}

/* take_body hands out the LEN bytes of body at DATA, which end the request where ENDS is set. */
static enum http_event
take_body(struct http_request *request, const char *data, size_t len, bool ends)
{
	struct http_request_parser *parser = request->parser;

	if (!feed(parser, data, len, ends) || parser->heard != len)
		return disagree(request);
	request->body = (struct http_span){data, len};
	if (ends)
		parser->phase = PHASE_ENDED;
	return HTTP_BODY;
}

static enum http_event
read_length_body(struct http_request *request, const char *data, size_t len, size_t *taken)
{
	struct http_request_parser *parser = request->parser;

	if (len == 0)
		return HTTP_MORE;
	if (len > parser->left)
		len = (size_t)parser->left;
	parser->left -= len;
	*taken = len;
	return take_body(request, data, len, parser->left == 0);
}

static enum http_event
read_chunked_body(struct http_request *request, const char *data, size_t len, size_t *taken)
{
	struct http_request_parser *parser = request->parser;
	size_t framing, body;
	bool ended;
	int error;

	error = http_chunked_framing(&parser->chunked, request, parser->limits, data, len, &framing);
	ended = http_chunked_ended(&parser->chunked);
	if (!feed(parser, data, framing, ended) || parser->heard != 0)
		return disagree(request);
	if (ended) {
		*taken = framing;
		parser->phase = PHASE_ENDED;
		return HTTP_COMPLETE;
	}
	/* Only now: in the bytes before the one that the guard refuses, llhttp may have found a fault, as it would byte by byte. */
	if (error != 0)
		return invalid(request);
	body = http_chunked_data(&parser->chunked, len - framing);
	*taken = framing + body;
	if (body == 0)
		return HTTP_MORE;
	return take_body(request, data + framing, body, false);
}

/* read_body reads on in a body; before the caller's data go away, the spans are saved. */
static enum http_event
read_body(struct http_request *request, const char *data, size_t len, size_t *taken)
{
	enum http_event event;

	if (request->parser->phase == PHASE_LENGTH)
		event = read_length_body(request, data, len, taken);
	else
		event = read_chunked_body(request, data, len, taken);
	if (event == HTTP_MORE && http_request_keep(request) != 0)
		return out_of_memory(request);
	return event;
}

enum http_event
http_request_read(struct http_request *request, const char *data, size_t len, size_t *taken)
{
	struct http_request_parser *parser = request->parser;
	ssize_t blank;

	*taken = 0;
	if (parser->phase == PHASE_ENDED)
		return HTTP_COMPLETE;
	switch (parser->phase) {
	case PHASE_HEAD:
		if (parser->store_len == 0) {
			blank = http_guard_blank(&parser->guard, request, data, len);
			if (blank < 0)
				return invalid(request);
			*taken = (size_t)blank;
			if (*taken == len)
				return HTTP_MORE;
		}
		return read_head(request, data + *taken, len - *taken, taken);
	case PHASE_LENGTH:
	case PHASE_CHUNKED:
		return read_body(request, data, len, taken);
	default:
		return HTTP_INVALID;
	}
}
