/* Feeds bytes to http_request in pieces of any lengths and writes down all that came of it, for comparing. */
#ifndef TESTS_UNIT_COMMON_HTTP_FEED_H
#define TESTS_UNIT_COMMON_HTTP_FEED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/http_request.h"

/* What was seen.  The same bytes have to give the same text, however they were cut. */
struct outcome {
	size_t len;
	char text
	    [1 << 18];   /* events, fields and joined bodies; what does not fit is left out, always at the same place */
	size_t requests; /* HTTP_COMPLETE */
	int status;      /* of HTTP_INVALID, else 0 */
};

/* Two pages to feed from, in front of one that must not be touched. */
#define FEED_ROOM 8192
/* A reader that does not get on this often in a row never will. */
#define FEED_STALLS_MAX 3

static inline void
feed_check(bool good, const char *promise)
{
	if (good)
		return;
	fprintf(stderr, "http_request broke its promise: %s\n", promise);
	abort();
}

static inline void
outcome_add(struct outcome *outcome, const char *bytes, size_t len)
{
	if (len > sizeof(outcome->text) - 1 - outcome->len)
		len = sizeof(outcome->text) - 1 - outcome->len;
	if (len > 0)
		memcpy(outcome->text + outcome->len, bytes, len);
	outcome->len += len;
	outcome->text[outcome->len] = '\0';
}

static inline void
outcome_add_text(struct outcome *outcome, const char *text)
{
	outcome_add(outcome, text, strlen(text));
}

static inline void
outcome_add_span(struct outcome *outcome, const char *name, struct http_span span)
{
	outcome_add_text(outcome, name);
	outcome_add_text(outcome, span.at == NULL ? "none" : "[");
	if (span.at == NULL)
		return;
	outcome_add(outcome, span.at, span.len);
	outcome_add_text(outcome, "]");
}

static inline void
outcome_add_request(struct outcome *outcome, const char *event, const struct http_request *request)
{
	char text[160];

	snprintf(text, sizeof(text), "\n%s %s 1.%d get=%d head=%d keep_alive=%d expect=%d length=%lld", event,
	    request->method, request->minor, request->get, request->head, request->keep_alive, (int)request->expect,
	    (long long)request->content_length);
	outcome_add_text(outcome, text);
	outcome_add_span(outcome, " target=", request->target);
	outcome_add_span(outcome, " referer=", request->referer);
	outcome_add_span(outcome, " user_agent=", request->user_agent);
	outcome_add_span(outcome, " content_type=", request->content_type);
	for (size_t i = 0; i < HTTP_WANTED_MAX; i++)
		if (request->wanted[i].at != NULL)
			outcome_add_span(outcome, " wanted=", request->wanted[i]);
}

/* feed_piece hands one piece over, which lies against the forbidden page.  Returns false once the request is invalid. */
static inline bool
feed_piece(struct outcome *outcome, struct http_request *request, const char *data, size_t len, bool keep)
{
	enum http_event event;
	size_t taken;
	int stalls = 0;

	for (;;) {
		event = http_request_read(request, data, len, &taken);
		feed_check(taken <= len, "no more is taken than there is");
		data += taken;
		len -= taken;
		stalls = taken > 0 ? 0 : stalls + 1;
		feed_check(stalls <= FEED_STALLS_MAX, "calls come to HTTP_MORE");
		switch (event) {
		case HTTP_MORE:
			feed_check(len == 0, "at HTTP_MORE all bytes are taken");
			return true;
		case HTTP_HEAD:
			outcome_add_request(outcome, "HEAD", request);
			if (keep)
				feed_check(http_request_keep(request) == 0, "there is memory to keep a request");
			outcome_add_text(outcome, "\nBODY ");
			break;
		case HTTP_BODY:
			feed_check(request->body.len > 0, "no piece of a body is empty");
			feed_check(request->body.at + request->body.len <= data, "the body lies in the data");
			outcome_add(outcome, request->body.at, request->body.len);
			break;
		case HTTP_COMPLETE:
			outcome_add_request(outcome, "COMPLETE", request);
			outcome->requests++;
			http_request_reset(request);
			feed_check(!http_request_started(request), "a request that was reset has not started");
			break;
		case HTTP_INVALID:
			outcome->status = request->status;
			outcome_add_text(outcome, "\nINVALID ");
			outcome_add_text(outcome, request->reason);
			feed_check(http_request_read(request, data, len, &taken) == HTTP_INVALID,
			    "invalid once, invalid always");
			return false;
		}
	}
}

/* feed_page returns the end of the room to feed from: one byte behind it is one too many. */
static inline char *
feed_page(void)
{
	static char *room;

	if (room == NULL) {
		room = mmap(NULL, FEED_ROOM + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		feed_check(room != MAP_FAILED && mprotect(room + FEED_ROOM, 4096, PROT_NONE) == 0,
		    "there is memory to feed from");
	}
	return room + FEED_ROOM;
}

/*
 * feed cuts DATA into pieces of the lengths in CUTS, over and over, hands them
 * over one after the other, and writes what came of it to OUTCOME.  Each piece
 * is overwritten once it is used up.  With KEEP every request is kept at its head.
 */
static inline void
feed(struct outcome *outcome, const struct http_limits *limits, const char *data, size_t len, const size_t *cuts,
    size_t cut_count, bool keep)
{
	struct http_request request;
	char *end = feed_page();
	bool going = true;

	outcome->len = outcome->requests = 0;
	outcome->status = 0;
	outcome->text[0] = '\0';
	feed_check(http_request_init(&request, limits) == 0, "there is memory for a connection");
	for (size_t i = 0; going && len > 0; i++) {
		size_t piece = cuts[i % cut_count];

		if (piece > len)
			piece = len;
		if (piece > FEED_ROOM)
			piece = FEED_ROOM;
		memcpy(end - piece, data, piece);
		going = feed_piece(outcome, &request, end - piece, piece, keep);
		memset(end - piece, 0xa5, piece);
		data += piece;
		len -= piece;
	}
	if (going)
		outcome_add_text(outcome, http_request_started(&request) ? "\nSTARTED" : "\nIDLE");
	http_request_deinit(&request);
}

#endif
