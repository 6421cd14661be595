/* One request and its answer -> one line of the access log, by a format. */
#include "common/access_log_line.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "common/access_log_json.h"
#include "common/clock.h"
#include "common/http_parts.h"
#include "common/line.h"
#include "common/log.h"

/* put_span is the one way for what a client sent. */
static void
put_span(struct line *line, struct http_span span)
{
	char text[ACCESS_LOG_FIELD_MAX + 1];

	if (span.at == NULL)
		line_string(line, "-");
	else
		line_string(line, log_escape(text, line->field_max + 1, span.at, span.len));
}

static struct http_span
span_of(const char *text)
{
	return (struct http_span){.at = text, .len = strlen(text)};
}

/* put_path puts PATH without its percent-encoding, as gunicorn's PATH_INFO. */
static void
put_path(struct line *line, struct http_span path)
{
	char decoded[ACCESS_LOG_FIELD_MAX];

	if (path.at == NULL)
		line_string(line, "-");
	else
		put_span(line,
		    (struct http_span){.at = decoded, .len = http_percent_decode(path, decoded, sizeof(decoded))});
}

/* put_query puts QUERY, which is empty where there is a target without one. */
static void
put_query(struct line *line, struct http_span query, struct http_span target)
{
	if (query.at == NULL && target.at != NULL)
		return;
	put_span(line, query);
}

static void
put_user(struct line *line, struct http_span field)
{
	char decoded[ACCESS_LOG_FIELD_MAX];

	put_span(line, http_basic_user(field, decoded, sizeof(decoded)));
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
	line_string(line, stamp->text);
}

static void
put_protocol(struct line *line, const struct http_request *request)
{
	if (request->method == NULL)
		line_string(line, "-");
	else
		line_format(line, "HTTP/1.%d", request->minor);
}

static void
put_first_line(struct line *line, const struct http_request *request)
{
	line_string(line, request->method != NULL ? request->method : "-");
	line_string(line, " ");
	put_span(line, request->target);
	line_string(line, " ");
	put_protocol(line, request);
}

/* put_request prints the items that tell what was asked. */
static void
put_request(struct line *line, const struct access_log_item *item, const struct http_request *request)
{
	struct http_span path, query;

	http_split_target(request->target, &path, &query);
	switch (item->kind) {
	case ACCESS_LOG_FIRST_LINE:
		put_first_line(line, request);
		break;
	case ACCESS_LOG_METHOD:
		line_string(line, request->method != NULL ? request->method : "-");
		break;
	case ACCESS_LOG_PATH:
		put_path(line, path);
		break;
	case ACCESS_LOG_QUERY:
		put_query(line, query, request->target);
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
		line_number(line, (took_us + 500000) / 1000000);
	else if (kind == ACCESS_LOG_SECONDS_WHOLE)
		line_number(line, took_us / 1000000);
	else if (kind == ACCESS_LOG_SECONDS_FULL)
		line_format(line, "%llu.%06u", (unsigned long long)(took_us / 1000000), (unsigned)(took_us % 1000000));
	else if (kind == ACCESS_LOG_MILLISECONDS)
		line_number(line, took_us / 1000);
	else
		line_number(line, took_us);
}

static void
put_item(struct line *line, const struct access_log_item *item, const struct access_log_entry *entry,
    struct access_log_stamp *stamp)
{
	static const struct http_request unparsed;

	switch (item->kind) {
	case ACCESS_LOG_TEXT:
		line_put(line, item->text, item->len);
		break;
	case ACCESS_LOG_PEER:
		put_span(line, span_of(*entry->peer != '\0' ? entry->peer : "-"));
		break;
	case ACCESS_LOG_DASH:
		line_string(line, "-");
		break;
	case ACCESS_LOG_TIME_BEGUN:
		put_stamp(line, stamp, entry->took_ns, true);
		break;
	case ACCESS_LOG_TIME_NOW:
		put_stamp(line, stamp, 0, false);
		break;
	case ACCESS_LOG_PID:
		line_format(line, "<%d>", (int)getpid());
		break;
	case ACCESS_LOG_STATUS:
		line_number(line, (uint64_t)entry->status);
		break;
	case ACCESS_LOG_SENT_BYTES:
		line_number(line, entry->sent_bytes);
		break;
	case ACCESS_LOG_BODY_BYTES:
		line_number(line, entry->body_bytes);
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
	size_t fixed = 1 + LINE_FORMAT_MAX * format->count;
	size_t share;

	for (size_t i = 0; i < format->count; i++)
		if (format->items[i].kind == ACCESS_LOG_TEXT)
			fixed += format->items[i].len;
	share = (size - fixed) / format->count;
	return share < ACCESS_LOG_FIELD_MAX ? share : ACCESS_LOG_FIELD_MAX;
}

static struct line
put_items(char *out, size_t size, size_t field_max, const struct access_log_format *format,
    const struct access_log_entry *entry, struct access_log_stamp *stamp)
{
	struct line line = {.at = out, .end = out + size - 1, .field_max = field_max};

	for (size_t i = 0; i < format->count && !line.full; i++)
		put_item(&line, &format->items[i], entry, stamp);
	return line;
}

size_t
access_log_line(char *out, size_t size, const struct access_log_format *format, const struct access_log_entry *entry,
    struct access_log_stamp *stamp)
{
	struct line line;

	if (format->json)
		return access_log_json(out, size, entry->request->wanted[0], entry, stamp);
	assert(size >= ACCESS_LOG_LINE_MIN);
	line = put_items(out, size, ACCESS_LOG_FIELD_MAX, format, entry, stamp);
	if (line.full)
		line = put_items(out, size, share_of(format, size), format, entry, stamp);
	assert(!line.full);
	*line.at++ = '\n';
	return (size_t)(line.at - out);
}
