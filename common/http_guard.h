/* The strict reader of a header section: what llhttp does not refuse, or not in every version, is refused here. */
#ifndef COMMON_HTTP_GUARD_H
#define COMMON_HTTP_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/compiler.h"
#include "common/http_request.h"

/* How far the guard has come in one request's header section; all zero at its start. */
struct http_guard {
	uint32_t line;     /* where in the head the first line begins that is not complete yet */
	uint32_t fields;   /* complete field lines */
	uint8_t blank;     /* bytes of empty lines before the request line */
	bool request_line; /* the request line is complete */
	bool host;         /* a Host field has come */
	bool length;       /* a Content-Length field has come */
	bool chunked;      /* a Transfer-Encoding field has come */
};

/*
 * http_guard_blank passes over empty lines before a request line, two at most.
 * Returns how many of the LEN bytes of DATA they take, or -1 when it has
 * refused the request.
 */
MUST_CHECK ssize_t http_guard_blank(
    struct http_guard *guard, struct http_request *request, const char *data, size_t len);

/*
 * http_guard_head reads HEAD[0..LEN), the header section from its first byte
 * to the last that has come.  Returns the length of the section once it is
 * complete, 0 while it is not, or -1 when it has refused the request.  It
 * never looks past LEN.  What it decides depends on the bytes alone, and not on how many calls they came in.
 * A call goes on with the line that was not complete and reads that one again, so a limit on a line is a limit on the
 * work for one more byte of it.
 *
 * It sets `minor`, `target`, `referer`, `user_agent`, `content_type`, `wanted`
 * (spans into HEAD), `content_length` and `expect`, and refuses
 *
 *   414  a request line above the limit
 *   431  a field, a number of fields or a section above the limits
 *   505  a version other than 1.0 and 1.1
 *   501  a final chunked behind codings that we do not have
 *   400  everything else that RFC 9112 does not allow or that two parsers may
 *        read in two ways: bare CR or LF, control bytes, obs-fold, blanks
 *        before a colon, a target that is not in origin form (or in absolute
 *        form, of which the origin form is taken, or * for OPTIONS), CONNECT, no Host on
 *        HTTP/1.1, a second Host, Content-Length, Transfer-Encoding, Content-Type,
 *        User-Agent or Referer (equal ones too), Content-Length beside
 *        Transfer-Encoding, Content-Length that is not digits or above 2^63-1,
 *        Transfer-Encoding on HTTP/1.0 or without a final chunked.
 */
MUST_CHECK ssize_t http_guard_head(struct http_guard *guard, struct http_request *request,
    const struct http_limits *limits, const char *head, size_t len);

/* http_guard_refuse sets what HTTP_INVALID tells.  Returns -1, for callers to pass on. */
int http_guard_refuse(struct http_request *request, int status, const char *reason);

#endif
