/* What a request's target and credentials are made of, for those who log them. */
#ifndef COMMON_HTTP_PARTS_H
#define COMMON_HTTP_PARTS_H

#include <stddef.h>

#include "common/http_request.h"

/* http_split_target gives the target's path and its query, of which `at` is NULL where there is no `?`. */
void http_split_target(struct http_span target, struct http_span *path, struct http_span *query);

/* http_percent_decode writes TEXT without its percent-encoding to OUT[0..SIZE); what does not fit is cut. Returns its length. */
size_t http_percent_decode(struct http_span text, char *out, size_t size);

/*
 * http_basic_user returns the user of an Authorization field's `Basic BASE64`,
 * which is USER:PASSWORD (RFC 7617), in OUT[0..SIZE); `at` is NULL where there is none.
 */
struct http_span http_basic_user(struct http_span field, char *out, size_t size);

#endif
