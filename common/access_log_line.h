/* One request and its answer -> one line of the access log, by a format. */
#ifndef COMMON_ACCESS_LOG_LINE_H
#define COMMON_ACCESS_LOG_LINE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "common/access_log_format.h"
#include "common/http_request.h"

struct access_log_entry {
	const char *peer; /* numeric address; "" for a Unix socket */
	/* Its method, target and fields; a method of NULL is a request that did not parse, of which nothing is logged. */
	const struct http_request *request;
	int status;
	uint64_t sent_bytes; /* of the answer, with its header section and framing: aiohttp's %b */
	uint64_t body_bytes; /* of the answer, without them: gunicorn's b and B */
	/* From the request's beginning until now; wanted where access_log_needs_time says so. */
	uint64_t took_ns;
	/* The answer's header section, from its status line on; wanted where access_log_needs_head says so. */
	struct http_span head;
};

/* The second that was printed last, and how; of one process, which alone prints by it. All zero before the first. */
struct access_log_stamp {
	time_t second;
	char text[40]; /* [21/Nov/2026:10:00:00 +0000], or what a JSON line begins with */
	pid_t pid;     /* for JSON lines */
};

/* What a field of the client's can take in a line at most, escaped; what is longer is cut. */
#define ACCESS_LOG_FIELD_MAX 2047

/* Any format fits a line of this many bytes, if need be with its fields cut shorter. */
#define ACCESS_LOG_LINE_MIN 4096

/*
 * access_log_line writes ENTRY's line (of ACCESS_LOG_JSON: see access_log_json.h), with the newline that ends it, to
 * OUT[0..SIZE), SIZE being at least ACCESS_LOG_LINE_MIN.  What a client sent is
 * escaped as log_escape does, and cut where it is longer than
 * ACCESS_LOG_FIELD_MAX; where the line does not fit all the same, each field
 * is cut to an equal share, so that the line is complete.  Returns its length.
 */
size_t access_log_line(char *out, size_t size, const struct access_log_format *format,
    const struct access_log_entry *entry, struct access_log_stamp *stamp);

#endif
