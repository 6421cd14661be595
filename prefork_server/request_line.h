/* The line that a request began with, as a log shows it. */
#ifndef PREFORK_SERVER_REQUEST_LINE_H
#define PREFORK_SERVER_REQUEST_LINE_H

#include <stddef.h>

#include "common/http_request.h"

/* Room for what is shown of one; a longer one is cut. */
#define REQUEST_LINE_MAX 512

/*
 * request_line_quote writes `"GET /x HTTP/1.1"`, the line of REQUEST with its
 * quotes, into BUF, escaped as log_escape does; or `an unfinished request` where its
 * header is not complete.  Returns BUF, terminated.
 */
const char *request_line_quote(const struct http_request *request, char buf[REQUEST_LINE_MAX]);

#endif
