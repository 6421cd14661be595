/* One field of a header section that was read already, by its name: for what only few requests need. */
#ifndef COMMON_HTTP_FIELD_H
#define COMMON_HTTP_FIELD_H

#include "common/http_request.h"

/*
 * http_field_find returns the value, without blanks around it, of the first
 * field of HEADER (of a request at HTTP_HEAD, and nothing else) that is called NAME, in any
 * case; `at` is NULL where there is none.  It looks at every line: whoever needs a field of each request
 * names it in http_limits.wanted instead.
 */
struct http_span http_field_find(struct http_span header, const char *name);

#endif
