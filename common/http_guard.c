/* The strict reader of a header section: what llhttp does not refuse, or not in every version, is refused here. */
#include "common/http_guard.h"

#include <string.h>
#include <strings.h>

#include "common/http_scan.h"

/* One line being read. */
struct line {
	const char *start;
	const char *stop; /* the end of what has come, or of what the limits allow, whichever is first */
	const char *end;  /* the end of what has come */
	uint32_t max;     /* the limit of a line of its kind */
	bool is_field;    /* not the request line */
};

int
http_guard_refuse(struct http_request *request, int status, const char *reason)
{
	request->status = status;
	request->reason = reason;
	return -1;
}

static uint64_t
load8(const char *p)
{
	uint64_t bytes;

	memcpy(&bytes, p, sizeof(bytes));
	return bytes;
}

static uint32_t
load4(const char *p)
{
	uint32_t bytes;

	memcpy(&bytes, p, sizeof(bytes));
	return bytes;
}

/*
 * same tells whether the LEN bytes at P are the lower-case TEXT in any case.  No byte below blank is in P, and in TEXT
 * none that a capital letter's bit would change: letters, digits, and -./: only.
 */
static inline bool
same(const char *p, const char *text, size_t len)
{
	const uint64_t blanks = 0x2020202020202020u;
	size_t last; /* where the last word begins: it may cover bytes that have been compared before */

	if (len >= 8) {
		last = len - 8;
		for (size_t i = 0; i < last; i += 8)
			if ((load8(p + i) | blanks) != load8(text + i))
				return false;
		return (load8(p + last) | blanks) == load8(text + last);
	}
	if (len >= 4) {
		last = len - 4;
		return (load4(p) | (uint32_t)blanks) == load4(text) &&
		       (load4(p + last) | (uint32_t)blanks) == load4(text + last);
	}
	for (size_t i = 0; i < len; i++)
		if ((p[i] | 0x20) != text[i])
			return false;
	return true;
}

static bool
span_same(struct http_span span, const char *text)
{
	size_t len = strlen(text);

	return span.len == len && same(span.at, text, len);
}

ssize_t
http_guard_blank(struct http_guard *guard, struct http_request *request, const char *data, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (guard->blank % 2 == 0 && data[i] != '\r')
			break;
		if (guard->blank % 2 == 1 && data[i] != '\n')
			return http_guard_refuse(request, 400, "A bare CR stands before the request line.");
		if (++guard->blank > 4)
			return http_guard_refuse(
			    request, 400, "There are too many empty lines before the request line.");
	}
	return (ssize_t)i;
}

/* refuse_long is for a line that goes on past its stop. */
static int
refuse_long(struct http_request *request, const struct line *line)
{
	if (line->stop - line->start < line->max)
		return http_guard_refuse(request, 431, "The header section is too long.");
	if (line->is_field)
		return http_guard_refuse(request, 431, "A header field is too long.");
	return http_guard_refuse(request, 414, "The request line is too long.");
}

/* more_or_bad_end is finish_line where no CRLF stands at P. */
static ssize_t
more_or_bad_end(struct http_request *request, const struct line *line, const char *p, const char *illegal)
{
	if (p == line->end || (*p == '\r' && p + 1 == line->end))
		return 0;
	if (*p == '\r')
		return http_guard_refuse(request, 400, "The header section holds a bare CR.");
	if (p == line->stop)
		return refuse_long(request, line);
	if (*p == '\n')
		return http_guard_refuse(request, 400, "The header section holds a bare LF.");
	return http_guard_refuse(request, 400, illegal);
}

/*
 * finish_line looks at P, where the last part of a line came to its end.
 * Returns the length of the line with its CRLF, 0 when more bytes must come, or
 * -1 with the refusal, which is ILLEGAL for a byte that the part cannot hold.
 */
static inline ssize_t
finish_line(struct http_request *request, const struct line *line, const char *p, const char *illegal)
{
	if (line->end - p >= 2 && p[0] == '\r' && p[1] == '\n')
		return p + 2 - line->start;
	return more_or_bad_end(request, line, p, illegal);
}

/* more_or_refuse is for a line that ends, or goes wrong, at P, where it has to go on. */
static ssize_t
more_or_refuse(struct http_request *request, const struct line *line, const char *p, const char *illegal)
{
	if (p == line->end)
		return 0;
	if (p == line->stop && *p != '\r')
		return refuse_long(request, line);
	return http_guard_refuse(request, 400, illegal);
}

/* strip_authority takes the origin form out of http://host:port/path. */
static int
strip_authority(struct http_request *request)
{
	const size_t scheme = sizeof("http://") - 1;
	const char *p = request->target.at;
	const char *end = p + request->target.len;
	const char *host;

	if (request->target.len <= scheme || !same(p, "http://", scheme))
		return http_guard_refuse(request, 400, "The request target is not in origin form.");
	host = p + scheme;
	p = http_scan_host(host, end);
	if (p == host || (p < end && *p != '/'))
		return http_guard_refuse(request, 400, "The host in the request target is not valid.");
	if (p == end)
		/* No path means "/", and the span must lie in the head: any slash of it will do. */
		request->target = (struct http_span){host - 1, 1};
	else
		request->target = (struct http_span){p, (size_t)(end - p)};
	return 0;
}

static int
take_target(struct http_request *request, const char *method, size_t method_len)
{
	if (method_len == 7 && memcmp(method, "CONNECT", 7) == 0)
		return http_guard_refuse(request, 400, "CONNECT is not offered: this is not a proxy.");
	if (*request->target.at == '/')
		return 0;
	if (*request->target.at == '*' && request->target.len == 1 && method_len == 7 &&
	    memcmp(method, "OPTIONS", 7) == 0)
		return 0;
	return strip_authority(request);
}

/* read_version: one blank and the version, which end the request line.  Sets `minor`.  Returns as finish_line. */
static ssize_t
read_version(struct http_request *request, const struct line *line, const char *p)
{
	static const char version[] = " HTTP/d.d";
	ssize_t len;

	for (const char *expected = version; *expected != '\0'; expected++, p++)
		if (p == line->stop || (*expected == 'd' ? *p < '0' || *p > '9' : *p != *expected))
			return more_or_refuse(request, line, p, "The request line does not end with an HTTP version.");
	len = finish_line(request, line, p, "The request line does not end behind the HTTP version.");
	if (len <= 0)
		return len;
	if (p[-3] != '1' || p[-1] > '1')
		return http_guard_refuse(request, 505, "Only HTTP/1.0 and HTTP/1.1 are offered.");
	request->minor = p[-1] - '0';
	return len;
}

/* has_usual_version tells whether the request line ends at P as nearly all do. */
static bool
has_usual_version(const struct line *line, const char *p)
{
	return line->end - p >= 11 && line->stop - p >= 9 && memcmp(p, " HTTP/1.1\r\n", 11) == 0;
}

/* read_request_line: method, one blank, target, one blank, version.  Returns as finish_line. */
static ssize_t
read_request_line(struct http_request *request, const struct line *line)
{
	const char *p = http_scan(line->start, line->stop, HTTP_CLASS_TOKEN);
	size_t method_len = (size_t)(p - line->start);
	ssize_t len;

	if (p == line->stop || method_len == 0 || *p != ' ')
		return more_or_refuse(request, line, p, "The request line does not begin with a method and one blank.");
	request->target.at = ++p;
	p = http_scan_target(p, line->stop);
	request->target.len = (size_t)(p - request->target.at);
	if (p == line->stop || request->target.len == 0 || *p != ' ')
		return more_or_refuse(request, line, p,
		    "The request target is empty, is not followed by one blank, or holds a byte it must not hold.");
	if (has_usual_version(line, p)) {
		request->minor = 1;
		len = p + 11 - line->start;
	} else {
		len = read_version(request, line, p);
		if (len <= 0)
			return len;
	}
	return take_target(request, line->start, method_len) == 0 ? len : -1;
}

static int
take_once(struct http_request *request, struct http_span *span, struct http_span value)
{
	if (span->at != NULL)
		return http_guard_refuse(request, 400, "A field that may come once came twice.");
	*span = value;
	return 0;
}

static int
take_host(struct http_guard *guard, struct http_request *request, struct http_span value, const char *line_end)
{
	if (guard->host)
		return http_guard_refuse(request, 400, "There is more than one Host.");
	guard->host = true;
	/* What follows the value in the line cannot be part of a host, so the scan may have the whole rest to look at. */
	if (http_scan_host(value.at, line_end) != value.at + value.len)
		return http_guard_refuse(request, 400, "Host is not a host and port.");
	return 0;
}

static int
take_content_length(struct http_guard *guard, struct http_request *request, struct http_span value)
{
	int64_t length = 0;

	/* RFC 9112, 6.3 lets equal ones pass; no client sends two, and a difference in reading them is an attack. */
	if (guard->length)
		return http_guard_refuse(request, 400, "There is more than one Content-Length.");
	guard->length = true;
	if (value.len == 0)
		return http_guard_refuse(request, 400, "Content-Length is empty.");
	for (size_t i = 0; i < value.len; i++) {
		int digit = value.at[i] - '0';

		if (digit < 0 || digit > 9)
			return http_guard_refuse(request, 400, "Content-Length is not a plain decimal number.");
		if (length > (INT64_MAX - digit) / 10)
			return http_guard_refuse(request, 400, "Content-Length is too large.");
		length = length * 10 + digit;
	}
	request->content_length = length;
	return 0;
}

/*
 * take_transfer_encoding accepts "chunked" alone.  Other codings in front of
 * it leave the framing clear and are only not offered: 501.  Anything else
 * leaves open where the body ends: 400 (RFC 9112, 6.1 and 6.3).
 */
static int
take_transfer_encoding(struct http_guard *guard, struct http_request *request, struct http_span value)
{
	const char *p = value.at;
	const char *end = value.at + value.len;
	struct http_span coding;

	if (guard->chunked)
		return http_guard_refuse(request, 400, "There is more than one Transfer-Encoding.");
	guard->chunked = true;
	if (span_same(value, "chunked"))
		return 0;
	for (;;) {
		coding.at = p;
		p = http_scan(p, end, HTTP_CLASS_TOKEN);
		coding.len = (size_t)(p - coding.at);
		if (p == end || coding.len == 0 || span_same(coding, "chunked"))
			break;
		while (p < end && (*p == ' ' || *p == '\t'))
			p++;
		if (p == end || *p++ != ',')
			break;
		while (p < end && (*p == ' ' || *p == '\t'))
			p++;
	}
	if (p == end && span_same(coding, "chunked"))
		return http_guard_refuse(request, 501, "No transfer coding but chunked is offered.");
	return http_guard_refuse(request, 400, "Transfer-Encoding does not end with chunked.");
}

/* take_expect: HTTP/1.0 has no expectations (RFC 9110, 10.1.1), and an empty list of them expects nothing. */
static void
take_expect(struct http_request *request, struct http_span value)
{
	if (request->minor == 0 || value.len == 0)
		return;
	if (!span_same(value, "100-continue"))
		request->expect = HTTP_EXPECT_UNKNOWN;
	else if (request->expect == HTTP_EXPECT_NONE)
		request->expect = HTTP_EXPECT_CONTINUE;
}

/* take_wanted keeps the first of each field that the limits name.  Those can have any name, so `same` is not for them. */
static void
take_wanted(struct http_request *request, const char *const *wanted, struct http_span name, struct http_span value)
{
	for (size_t i = 0; wanted[i] != NULL; i++)
		if (request->wanted[i].at == NULL && strncasecmp(name.at, wanted[i], name.len) == 0 &&
		    wanted[i][name.len] == '\0')
			request->wanted[i] = value;
}

/* take_field keeps what the fields that matter to us say; the other fields only had to be well formed. */
static int
take_field(
    struct http_guard *guard, struct http_request *request, const struct line *line, size_t len, struct http_span value)
{
	const char *name = line->start;

	switch (len) {
	case 4:
		if (same(name, "host", len))
			return take_host(guard, request, value, line->end);
		break;
	case 6:
		if (same(name, "expect", len))
			take_expect(request, value);
		break;
	case 7:
		if (same(name, "referer", len))
			return take_once(request, &request->referer, value);
		break;
	case 10:
		if (same(name, "user-agent", len))
			return take_once(request, &request->user_agent, value);
		break;
	case 12:
		if (same(name, "content-type", len))
			return take_once(request, &request->content_type, value);
		break;
	case 14:
		if (same(name, "content-length", len))
			return take_content_length(guard, request, value);
		break;
	case 17:
		if (same(name, "transfer-encoding", len))
			return take_transfer_encoding(guard, request, value);
		break;
	default:
		break;
	}
	return 0;
}

/* refuse_name says what is wrong at P, where a field name ended without a colon. */
static ssize_t
refuse_name(struct http_request *request, const struct line *line, const char *p)
{
	if (p < line->stop && (*p == ' ' || *p == '\t'))
		return http_guard_refuse(request, 400,
		    p == line->start ? "A header line begins with a blank."
				     : "A blank stands before the colon of a field.");
	return more_or_refuse(
	    request, line, p, "A field name is empty, has no colon, or holds a byte it must not hold.");
}

/* read_field: name, colon, value between optional blanks.  Returns as finish_line. */
static ssize_t
read_field(struct http_guard *guard, struct http_request *request, const char *const *wanted, const struct line *line)
{
	const char *p = http_scan_name(line->start, line->stop);
	size_t name_len = (size_t)(p - line->start);
	struct http_span value;
	ssize_t len;

	if (p == line->stop || name_len == 0 || *p != ':')
		return refuse_name(request, line, p);
	p++;
	while (p < line->stop && (*p == ' ' || *p == '\t'))
		p++;
	value.at = p;
	p = http_scan_value(p, line->stop);
	len = finish_line(request, line, p, "A field value holds a control byte.");
	if (len <= 0)
		return len;
	while (p > value.at && (p[-1] == ' ' || p[-1] == '\t'))
		p--;
	value.len = (size_t)(p - value.at);
	if (wanted != NULL)
		take_wanted(request, wanted, (struct http_span){line->start, name_len}, value);
	return take_field(guard, request, line, name_len, value) == 0 ? len : -1;
}

/* judge_head decides what no line alone can tell. */
static int
judge_head(const struct http_guard *guard, struct http_request *request)
{
	if (request->minor > 0 && !guard->host)
		return http_guard_refuse(request, 400, "HTTP/1.1 needs a Host.");
	if (guard->chunked) {
		if (guard->length)
			return http_guard_refuse(request, 400, "Content-Length stands beside Transfer-Encoding.");
		if (request->minor == 0)
			return http_guard_refuse(request, 400, "HTTP/1.0 has no Transfer-Encoding.");
		request->content_length = HTTP_LENGTH_CHUNKED;
	}
	/* Nobody waits before a body that is empty (RFC 9110, 10.1.1). */
	if (request->expect == HTTP_EXPECT_CONTINUE && request->content_length == 0)
		request->expect = HTTP_EXPECT_NONE;
	return 0;
}

/* begin_line sets LINE to the one that begins where the guard is; of HEAD, no more than MAX bytes are allowed. */
static void
begin_line(struct line *line, const struct http_guard *guard, const char *head, size_t max)
{
	size_t stop = (size_t)guard->line + line->max;

	if (stop > max)
		stop = max;
	line->start = head + guard->line;
	line->stop = stop > guard->line ? head + stop : line->start;
}

ssize_t
http_guard_head(struct http_guard *guard, struct http_request *request, const struct http_limits *limits,
    const char *head, size_t len)
{
	/* The section's limit leaves room for a line's CRLF and that of the empty line. */
	size_t max = limits->header_size > 4 ? limits->header_size - 4 : 0;
	struct line line = {.end = head + len, .max = limits->request_line};
	ssize_t taken;

	if (max > len)
		max = len;
	if (!guard->request_line) {
		begin_line(&line, guard, head, max);
		taken = read_request_line(request, &line);
		if (taken <= 0)
			return taken;
		guard->request_line = true;
		guard->line = (uint32_t)taken;
	}
	line.max = limits->field_size;
	line.is_field = true;
	for (;;) {
		begin_line(&line, guard, head, max);
		if (line.start == line.end)
			return 0;
		if (*line.start == '\r') {
			taken = finish_line(request, &line, line.start, NULL);
			if (taken <= 0)
				return taken;
			return judge_head(guard, request) == 0 ? (ssize_t)guard->line + taken : -1;
		}
		if (guard->fields == limits->fields)
			return http_guard_refuse(request, 431, "There are too many header fields.");
		taken = read_field(guard, request, limits->wanted, &line);
		if (taken <= 0)
			return taken;
		guard->fields++;
		guard->line += (uint32_t)taken;
	}
}
