/* One request and its answer -> one line of the access log, as a JSON object with fixed keys. */
#ifndef COMMON_ACCESS_LOG_JSON_H
#define COMMON_ACCESS_LOG_JSON_H

#include <stddef.h>

#include "common/access_log_line.h"

/*
 * access_log_json writes ENTRY's line, with the newline that ends it, to
 * OUT[0..SIZE), SIZE being at least ACCESS_LOG_LINE_MIN, and returns its
 * length.  The keys, each always there and in this order:
 *
 *   time         when the line was made, which is at the answer's end: RFC 3339, in UTC, with microseconds
 *   pid          number
 *   peer         the client's numeric address; null for a Unix socket
 *   user         of HTTP's Basic authentication (AUTHORIZATION, the field's value), else null
 *   method path query protocol
 *                the request line; the path as it was sent, and no query is null
 *   status body_bytes sent_bytes
 *                numbers: of the answer; its body, and all of it with its header section and framing
 *   duration_s   number: seconds from the end of the request's header on, to the microsecond
 *   referer user_agent
 *                the fields, or null
 *
 * Of a request that did not parse everything that it would have told is null,
 * duration_s too.  What a client sent is escaped as json_escape does, and cut at
 * ACCESS_LOG_FIELD_MAX bytes, escaped; where the line does not fit all the same, at an equal share.
 */
size_t access_log_json(char *out, size_t size, struct http_span authorization, const struct access_log_entry *entry,
    struct access_log_stamp *stamp);

#endif
