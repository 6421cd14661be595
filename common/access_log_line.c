/* One request and its answer -> one line of the access log, by a format. */
#include "common/access_log_line.h"

#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"

/* Enough for an item but for what is cut: a time stamp, a number, a first line without its target. */
#define FIXED_MAX 32

/* A line that grows. */
struct line {
	char *at;
	const char *end;   /* the newline goes there at the latest */
	size_t field_size; /* room for a field of the client's, with the byte that ends a string */
	bool full;         /* something did not fit */
};

static void
put(struct line *line, const char *bytes, size_t len)
{
	if (len > (size_t)(line->end - line->at)) {
		line->full = true;
		return;
	}
	memcpy(line->at, bytes, len);
	line->at += len;
}

static void
put_string(struct line *line, const char *text)
{
	put(line, text, strlen(text));
}

static void PRINTF_LIKE(2, 3) put_format(struct line *line, const char *format, ...)
{
	char text[FIXED_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	put_string(line, text);
}

static void
put_number(struct line *line, uint64_t number)
{
	put_format(line, "%llu", (unsigned long long)number);
}

/* put_span is the one way for what a client sent. */
static void
put_span(struct line *line, struct http_span span)
{
	char text[ACCESS_LOG_FIELD_MAX + 1];

	if (span.at == NULL)
		put_string(line, "-");
	else
		put_string(line, log_escape(text, line->field_size, span.at, span.len));
}

static struct http_span
span_of(const char *text)
{
	return (struct http_span){.at = text, .len = strlen(text)};
}

/* split gives the target's path, and its query, which is empty without one. */
static void
split(struct http_span target, struct http_span *path, struct http_span *query)
{
	const char *mark = target.at == NULL ? NULL : memchr(target.at, '?', target.len);

	*path = target;
	*query = (struct http_span){.at = target.at != NULL ? "" : NULL};
	if (mark == NULL)
		return;
	path->len = (size_t)(mark - target.at);
	*query = (struct http_span){.at = mark + 1, .len = target.len - path->len - 1};
}

/* digit_of returns the value of BYTE in DIGITS, or -1. */
static int
digit_of(const char *digits, char byte)
{
	const char *found = byte == '\0' ? NULL : strchr(digits, byte);

	return found == NULL ? -1 : (int)(found - digits);
}

/* byte_of returns what two hexadecimal digits stand for, or -1. */
static int
byte_of(const char hex[2])
{
	static const char digits[] = "0123456789abcdef";
	int high = digit_of(digits, (char)tolower((unsigned char)hex[0]));
	int low = digit_of(digits, (char)tolower((unsigned char)hex[1]));

	return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* put_path puts PATH without its percent-encoding, as gunicorn's PATH_INFO. */
static void
put_path(struct line *line, struct http_span path)
{
	char decoded[ACCESS_LOG_FIELD_MAX];
	size_t len = 0;

	if (path.at == NULL) {
		put_string(line, "-");
		return;
	}
	for (size_t i = 0; i < path.len && len < sizeof(decoded); i++) {
		int byte = path.at[i] == '%' && path.len - i > 2 ? byte_of(path.at + i + 1) : -1;

		if (byte < 0) {
			decoded[len++] = path.at[i];
		} else {
			decoded[len++] = (char)byte;
			i += 2;
		}
	}
	put_span(line, (struct http_span){.at = decoded, .len = len});
}

/* decode_base64 decodes TEXT up to the first byte that is no digit (`=`, the padding) into OUT, SIZE bytes at most. */
static size_t
decode_base64(struct http_span text, char *out, size_t size)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned bits = 0;
	size_t len = 0;

	for (size_t i = 0; i < text.len && len < size; i++) {
		int digit = digit_of(digits, text.at[i]);

		if (digit < 0)
			break;
		bits = bits << 6 | (unsigned)digit;
		/* Four digits make three bytes: each of them but the first completes one. */
		if (i % 4 != 0)
			out[len++] = (char)(bits >> (6 - i % 4 * 2) & 0xff);
	}
	return len;
}

/* put_user puts the user of an Authorization field's `Basic BASE64`, which is USER:PASSWORD (RFC 7617). */
static void
put_user(struct line *line, struct http_span field)
{
	static const char scheme[] = "basic ";
	const size_t scheme_len = sizeof(scheme) - 1;
	char decoded[ACCESS_LOG_FIELD_MAX];
	struct http_span user = {0};
	const char *colon;
	size_t len;

	if (field.at != NULL && field.len > scheme_len && strncasecmp(field.at, scheme, scheme_len) == 0) {
		for (field.at += scheme_len, field.len -= scheme_len; field.len > 0 && *field.at == ' '; field.len--)
			field.at++;
		len = decode_base64(field, decoded, sizeof(decoded));
		colon = memchr(decoded, ':', len);
		if (colon != NULL && colon != decoded)
			user = (struct http_span){.at = decoded, .len = (size_t)(colon - decoded)};
	}
	put_span(line, user);
}

/* put_head_field puts the value of the answer's field NAME. */
static void
put_head_field(struct line *line, struct http_span head, const char *name, size_t name_len)
{
	const char *end = head.at + head.len;
	const char *at = head.at;
	struct http_span value = {0};

	while (at != NULL && at < end && value.at == NULL) {
		const char *next = memchr(at, '\n', (size_t)(end - at));
		const char *stop = next == NULL ? end : next;

		if ((size_t)(stop - at) > name_len && strncasecmp(at, name, name_len) == 0 && at[name_len] == ':') {
			value.at = at + name_len + 1;
			while (value.at < stop && *value.at == ' ')
				value.at++;
			while (stop > value.at && stop[-1] == '\r')
				stop--;
			value.len = (size_t)(stop - value.at);
		}
		at = next == NULL ? end : next + 1;
	}
	put_span(line, value);
}

static void
put_stamp(struct line *line, struct access_log_stamp *stamp, uint64_t ago_ns, bool utc)
{
	struct timespec now;
	time_t second;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	second = now.tv_sec - (time_t)(ago_ns / NS_PER_SEC);
	if ((uint64_t)now.tv_nsec < ago_ns % NS_PER_SEC)
		second--;
	if (second != stamp->second || stamp->text[0] == '\0') {
		if (utc)
			gmtime_r(&second, &tm);
		else
			localtime_r(&second, &tm);
		strftime(stamp->text, sizeof(stamp->text), "[%d/%b/%Y:%H:%M:%S %z]", &tm);
		stamp->second = second;
	}
	put_string(line, stamp->text);
}

static void
put_protocol(struct line *line, const struct http_request *request)
{
	if (request->method == NULL)
		put_string(line, "-");
	else
		put_format(line, "HTTP/1.%d", request->minor);
}

static void
put_first_line(struct line *line, const struct http_request *request)
{
	put_string(line, request->method != NULL ? request->method : "-");
	put_string(line, " ");
	put_span(line, request->target);
	put_string(line, " ");
	put_protocol(line, request);
}

/* put_request prints the items that tell what was asked. */
static void
put_request(struct line *line, const struct access_log_item *item, const struct http_request *request)
{
	struct http_span path, query;

	split(request->target, &path, &query);
	switch (item->kind) {
	case ACCESS_LOG_FIRST_LINE:
		put_first_line(line, request);
		break;
	case ACCESS_LOG_METHOD:
		put_string(line, request->method != NULL ? request->method : "-");
		break;
	case ACCESS_LOG_PATH:
		put_path(line, path);
		break;
	case ACCESS_LOG_QUERY:
		put_span(line, query);
		break;
	case ACCESS_LOG_PROTOCOL:
		put_protocol(line, request);
		break;
	case ACCESS_LOG_REFERER:
		put_span(line, request->referer);
		break;
	case ACCESS_LOG_USER_AGENT:
		put_span(line, request->user_agent);
		break;
	case ACCESS_LOG_CONTENT_TYPE:
		put_span(line, request->content_type);
		break;
	case ACCESS_LOG_USER:
		put_user(line, request->wanted[item->slot]);
		break;
	default: /* ACCESS_LOG_REQUEST_FIELD */
		put_span(line, request->wanted[item->slot]);
		break;
	}
}

/* put_duration prints the items that tell how long it took; each digit is right to half a microsecond. */
static void
put_duration(struct line *line, enum access_log_kind kind, uint64_t took_ns)
{
	uint64_t took_us = (took_ns + NS_PER_US / 2) / NS_PER_US;

	if (kind == ACCESS_LOG_SECONDS_ROUNDED)
		put_number(line, (took_us + 500000) / 1000000);
	else if (kind == ACCESS_LOG_SECONDS_WHOLE)
		put_number(line, took_us / 1000000);
	else if (kind == ACCESS_LOG_SECONDS_FULL)
		put_format(line, "%llu.%06u", (unsigned long long)(took_us / 1000000), (unsigned)(took_us % 1000000));
	else if (kind == ACCESS_LOG_MILLISECONDS)
		put_number(line, took_us / 1000);
	else
		put_number(line, took_us);
}

static void
put_item(struct line *line, const struct access_log_item *item, const struct access_log_entry *entry,
    struct access_log_stamp *stamp)
{
	static const struct http_request unparsed;

	switch (item->kind) {
	case ACCESS_LOG_TEXT:
		put(line, item->text, item->len);
		break;
	case ACCESS_LOG_PEER:
		put_span(line, span_of(*entry->peer != '\0' ? entry->peer : "-"));
		break;
	case ACCESS_LOG_DASH:
		put_string(line, "-");
		break;
	case ACCESS_LOG_TIME_BEGUN:
		put_stamp(line, stamp, entry->took_ns, true);
		break;
	case ACCESS_LOG_TIME_NOW:
		put_stamp(line, stamp, 0, false);
		break;
	case ACCESS_LOG_PID:
		put_format(line, "<%d>", (int)getpid());
		break;
	case ACCESS_LOG_STATUS:
		put_number(line, (uint64_t)entry->status);
		break;
	case ACCESS_LOG_SENT_BYTES:
		put_number(line, entry->sent_bytes);
		break;
	case ACCESS_LOG_BODY_BYTES:
		put_number(line, entry->body_bytes);
		break;
	case ACCESS_LOG_RESPONSE_FIELD:
		put_head_field(line, entry->head, item->text, item->len);
		break;
	case ACCESS_LOG_SECONDS_ROUNDED:
	case ACCESS_LOG_SECONDS_WHOLE:
	case ACCESS_LOG_SECONDS_FULL:
	case ACCESS_LOG_MILLISECONDS:
	case ACCESS_LOG_MICROSECONDS:
		put_duration(line, item->kind, entry->took_ns);
		break;
	default:
		put_request(line, item, entry->request->method != NULL ? entry->request : &unparsed);
		break;
	}
}

/* share_of is the room for each field where the line is to fit SIZE for certain. */
static size_t
share_of(const struct access_log_format *format, size_t size)
{
	size_t fixed = 1 + FIXED_MAX * format->count;
	size_t share;

	for (size_t i = 0; i < format->count; i++)
		if (format->items[i].kind == ACCESS_LOG_TEXT)
			fixed += format->items[i].len;
	share = (size - fixed) / format->count;
	return share < ACCESS_LOG_FIELD_MAX ? share : ACCESS_LOG_FIELD_MAX;
}

static struct line
put_items(char *out, size_t size, size_t field_size, const struct access_log_format *format,
    const struct access_log_entry *entry, struct access_log_stamp *stamp)
{
	struct line line = {.at = out, .end = out + size - 1, .field_size = field_size};

	for (size_t i = 0; i < format->count && !line.full; i++)
		put_item(&line, &format->items[i], entry, stamp);
	return line;
}

size_t
access_log_line(char *out, size_t size, const struct access_log_format *format, const struct access_log_entry *entry,
    struct access_log_stamp *stamp)
{
	struct line line;

	assert(size >= ACCESS_LOG_LINE_MIN);
	line = put_items(out, size, ACCESS_LOG_FIELD_MAX + 1, format, entry, stamp);
	if (line.full)
		line = put_items(out, size, share_of(format, size), format, entry, stamp);
	assert(!line.full);
	*line.at++ = '\n';
	return (size_t)(line.at - out);
}
