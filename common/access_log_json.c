/* One request and its answer -> one line of the access log, as a JSON object with fixed keys. */
#include "common/access_log_json.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/http_parts.h"
#include "common/json_text.h"
#include "common/line.h"

/* Keys, numbers and quotes take less than this; what is left of the line is for peer, user, path, query and two fields. */
#define FIXED_MAX 512
#define TEXTS 6
static_assert((ACCESS_LOG_LINE_MIN - FIXED_MAX) / TEXTS > 512, "each text keeps enough to be known by");

/* put_text puts KEY, which begins with what is between it and the value before, and TEXT, or null. */
static void
put_text(struct line *line, const char *key, struct http_span text)
{
	char escaped[ACCESS_LOG_FIELD_MAX];

	line_string(line, key);
	if (text.at == NULL) {
		line_string(line, "null");
		return;
	}
	line_string(line, "\"");
	line_put(line, escaped, json_escape(escaped, line->field_max, text.at, text.len));
	line_string(line, "\"");
}

static void
put_number(struct line *line, const char *key, uint64_t number)
{
	line_string(line, key);
	line_number(line, number);
}

static void
put_micros(struct line *line, uint64_t micros)
{
	char digits[] = ".000000";

	for (char *at = digits + 6; at > digits; at--, micros /= 10)
		*at = (char)('0' + micros % 10);
	line_string(line, digits);
}

static void
put_time(struct line *line, struct access_log_stamp *stamp)
{
	struct timespec now;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec != stamp->second || stamp->text[0] == '\0') {
		gmtime_r(&now.tv_sec, &tm);
		strftime(stamp->text, sizeof(stamp->text), "{\"time\":\"%Y-%m-%dT%H:%M:%S", &tm);
		stamp->second = now.tv_sec;
		stamp->pid = getpid();
	}
	line_string(line, stamp->text);
	put_micros(line, (uint64_t)now.tv_nsec / NS_PER_US);
	put_number(line, "+00:00\",\"pid\":", (uint64_t)stamp->pid);
}

static struct http_span
span_of(const char *text)
{
	return (struct http_span){.at = text, .len = strlen(text)};
}

static void
put_request(struct line *line, const struct http_request *request, struct http_span authorization)
{
	char user[ACCESS_LOG_FIELD_MAX];
	struct http_span path, query;

	http_split_target(request->target, &path, &query);
	put_text(line, ",\"user\":", http_basic_user(authorization, user, sizeof(user)));
	put_text(line, ",\"method\":", span_of(request->method));
	put_text(line, ",\"path\":", path);
	put_text(line, ",\"query\":", query);
	line_string(line, request->minor == 0 ? ",\"protocol\":\"HTTP/1.0\"" : ",\"protocol\":\"HTTP/1.1\"");
}

static void
put_duration(struct line *line, uint64_t took_ns)
{
	uint64_t took_us = (took_ns + NS_PER_US / 2) / NS_PER_US;

	put_number(line, ",\"duration_s\":", took_us / 1000000);
	put_micros(line, took_us % 1000000);
}

static struct line
put_all(char *out, size_t size, size_t field_max, struct http_span authorization, const struct access_log_entry *entry,
    struct access_log_stamp *stamp)
{
	struct line line = {.at = out, .end = out + size, .field_max = field_max};
	const struct http_request *request = entry->request;
	bool parsed = request->method != NULL;

	put_time(&line, stamp);
	put_text(&line, ",\"peer\":", *entry->peer != '\0' ? span_of(entry->peer) : (struct http_span){0});
	if (parsed)
		put_request(&line, request, authorization);
	else
		line_string(&line, ",\"user\":null,\"method\":null,\"path\":null,\"query\":null,\"protocol\":null");
	put_number(&line, ",\"status\":", (uint64_t)entry->status);
	put_number(&line, ",\"body_bytes\":", entry->body_bytes);
	put_number(&line, ",\"sent_bytes\":", entry->sent_bytes);
	if (parsed)
		put_duration(&line, entry->took_ns);
	else
		line_string(&line, ",\"duration_s\":null");
	put_text(&line, ",\"referer\":", parsed ? request->referer : (struct http_span){0});
	put_text(&line, ",\"user_agent\":", parsed ? request->user_agent : (struct http_span){0});
	line_string(&line, "}\n");
	return line;
}

size_t
access_log_json(char *out, size_t size, struct http_span authorization, const struct access_log_entry *entry,
    struct access_log_stamp *stamp)
{
	size_t share = (size - FIXED_MAX) / TEXTS;
	struct line line;

	assert(size >= ACCESS_LOG_LINE_MIN);
	line = put_all(out, size, ACCESS_LOG_FIELD_MAX, authorization, entry, stamp);
	if (line.full)
		line = put_all(out, size, share < ACCESS_LOG_FIELD_MAX ? share : ACCESS_LOG_FIELD_MAX, authorization,
		    entry, stamp);
	assert(!line.full);
	return (size_t)(line.at - out);
}
