/* The line that a request began with, as a log shows it. */
#include "prefork_server/request_line.h"

#include <stdio.h>

#include "common/log.h"

const char *
request_line_quote(const struct http_request *request, char buf[REQUEST_LINE_MAX])
{
	char target[REQUEST_LINE_MAX - 64]; /* the longest method and the version take less than the rest */

	if (request->method == NULL) {
		snprintf(buf, REQUEST_LINE_MAX, "an unfinished request");
		return buf;
	}
	log_escape(target, sizeof(target), request->target.at, request->target.len);
	snprintf(buf, REQUEST_LINE_MAX, "\"%s %s HTTP/1.%d\"", request->method, target, request->minor);
	return buf;
}
