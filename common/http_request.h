/* Bytes of a connection -> one request at a time: limits, strictness, framing (RFC 9110, RFC 9112). */
#ifndef COMMON_HTTP_REQUEST_H
#define COMMON_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"

/* Bytes that somebody else owns; not terminated. AT is NULL when the request did not have the field. */
struct http_span {
	const char *at;
	size_t len;
};

/* How many fields besides those of struct http_request a program can name to be told of. */
#define HTTP_WANTED_MAX 8

/* Sizes are counted over all reads; each is in bytes unless it says otherwise, and none may be 0. */
struct http_limits {
	uint32_t request_line; /* method, target and version together; above: 414 */
	uint32_t field_size;   /* one field line; above: 431 */
	uint32_t fields;       /* number of field lines of a header, and of a trailer; above: 431 */
	uint32_t header_size;  /* the whole header section, request line included; above: 431 */

	/* Names of fields in lower case, HTTP_WANTED_MAX at most and NULL behind them; NULL: none.  See struct http_request. */
	const char *const *wanted;
};

/* What http_request_read came to. */
enum http_event {
	HTTP_MORE,     /* all bytes were taken; the request goes on */
	HTTP_HEAD,     /* the header section is complete: the fields of struct http_request can be read */
	HTTP_BODY,     /* `body` holds the next bytes of the body (chunk framing removed), in the caller's data */
	HTTP_COMPLETE, /* the request ended: bytes not taken belong to the next one */
	HTTP_INVALID,  /* answer with `status` and `reason`, then close: nothing after it can be trusted */
};

enum http_expect {
	HTTP_EXPECT_NONE,
	HTTP_EXPECT_CONTINUE, /* the client waits for 100 before it sends the body */
	HTTP_EXPECT_UNKNOWN,  /* any other expectation on HTTP/1.1: 417 (RFC 9110, 10.1.1) */
};

#define HTTP_LENGTH_CHUNKED (-1)

struct http_request_parser; /* llhttp and the guard in front of it: see http_request.c */

/*
 * One connection's request.  The fields from `method` on are valid from
 * HTTP_HEAD until http_request_reset.  Spans point into the data of the last
 * http_request_read, or into the request's own store: see http_request_keep.
 */
struct http_request {
	struct http_request_parser *parser;

	const char *method; /* "GET", ...: static storage */
	bool head;          /* the method is HEAD: the answer carries no body */
	bool get;           /* the method is GET */
	bool keep_alive;    /* the client allows another request on this connection (version and Connection field) */
	int minor;          /* HTTP/1.minor: 0 or 1 */
	enum http_expect expect;  /* HTTP_EXPECT_CONTINUE only with a body to wait for, on HTTP/1.1 */
	int64_t content_length;   /* of the body; 0 without one; HTTP_LENGTH_CHUNKED: told as it comes */
	struct http_span target;  /* origin form: path and query, as sent */
	struct http_span referer; /* for the access log */
	struct http_span user_agent;
	struct http_span content_type;

	struct http_span header; /* at HTTP_HEAD alone: the header section as it came; see http_field.h */
	struct http_span body;   /* at HTTP_BODY */
	int status;              /* at HTTP_INVALID: 400, 414, 431, 501, 505, or 503 where memory ran out */
	const char *reason;      /* at HTTP_INVALID: one sentence without what the client sent; static storage */

	/* The fields that the limits name, in that order; of several with one name the first. */
	struct http_span wanted[HTTP_WANTED_MAX];
};

/*
 * http_request_init makes REQUEST ready for the first byte of a connection.
 * LIMITS must outlive it.  Returns 0 or -ENOMEM.  http_request_deinit frees
 * what it holds.
 */
MUST_CHECK int http_request_init(struct http_request *request, const struct http_limits *limits);
void http_request_deinit(struct http_request *request);

/*
 * http_request_read takes bytes from DATA[0..LEN) up to the next event, stores
 * how many in *TAKEN, and returns the event.  Call it again with the rest
 * until it returns HTTP_MORE.  The order is HTTP_HEAD, any number of HTTP_BODY, HTTP_COMPLETE;
 * HTTP_INVALID may come instead of any of them, and again on each later call.
 * However a request is cut into calls, the events, the fields and the joined
 * body are the same.  At HTTP_MORE the request has copied what it still needs, so DATA may be
 * reused.  After HTTP_COMPLETE call http_request_reset before the next request.
 * Empty lines before a request line are skipped (RFC 9112, 2.2), two at most, and do not start a request.
 * No upgrade is offered: a request that asks for one is a request like any other (RFC 9110, 7.8).
 * What is refused stands in http_guard.h and http_chunked.h.
 */
MUST_CHECK enum http_event http_request_read(struct http_request *request, const char *data, size_t len, size_t *taken);

/*
 * http_request_keep copies the spans into the request's own store, so that
 * they stay valid until http_request_reset while the caller reuses DATA.
 * Returns 0 or -ENOMEM (the spans are then empty).  Where the header section came in parts, or the body did, they
 * are in the store already and nothing is copied.
 */
MUST_CHECK int http_request_keep(struct http_request *request);

/* http_request_reset forgets the request and makes ready for the next one on the connection. */
void http_request_reset(struct http_request *request);

/* http_request_started tells whether any byte of the present request has come: an idle connection has none. */
bool http_request_started(const struct http_request *request);

#endif
