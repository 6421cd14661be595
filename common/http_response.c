/* Status, header fields and body -> bytes on the wire, the same for both servers (RFC 9110, RFC 9112). */
#include "common/http_response.h"

#include <assert.h>
#include <string.h>
#include <time.h>

#define DATE_LEN 29
#define SERVER_NAME_MAX 64

/* Two digits of a decimal number at a time. */
static const char digit_pairs[] = "00010203040506070809101112131415161718192021222324"
				  "25262728293031323334353637383940414243444546474849"
				  "50515253545556575859606162636465666768697071727374"
				  "75767778798081828384858687888990919293949596979899";

/* "Server: NAME\r\n", set once at start. */
static char server_line[sizeof("Server: \r\n") + SERVER_NAME_MAX];
static size_t server_line_len;
static unsigned server_names; /* set so far */

/* append copies LEN bytes to TO; returns what follows them. */
static char *
append(char *to, const char *from, size_t len)
{
	memcpy(to, from, len);
	return to + len;
}

#define append_literal(to, literal) append(to, literal, sizeof(literal) - 1)

static char *
append_decimal(char *to, uint64_t value)
{
	char digits[20];
	char *p = digits + sizeof(digits);

	while (value >= 100) {
		p -= 2;
		memcpy(p, digit_pairs + value % 100 * 2, 2);
		value /= 100;
	}
	if (value >= 10) {
		p -= 2;
		memcpy(p, digit_pairs + value * 2, 2);
	} else {
		*--p = (char)('0' + value);
	}
	return append(to, p, (size_t)(digits + sizeof(digits) - p));
}

void
http_response_set_server(const char *name)
{
	size_t len = strlen(name);

	assert(len > 0 && len <= SERVER_NAME_MAX);
	memcpy(server_line, "Server: ", 8);
	memcpy(server_line + 8, name, len);
	memcpy(server_line + 8 + len, "\r\n", 2);
	server_line_len = len + 10;
	server_names++;
}

const char *
http_reason(int status)
{
	switch (status) {
	case 100:
		return "Continue";
	case 101:
		return "Switching Protocols";
	case 200:
		return "OK";
	case 204:
		return "No Content";
	case 304:
		return "Not Modified";
	case 400:
		return "Bad Request";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 408:
		return "Request Timeout";
	case 411:
		return "Length Required";
	case 413:
		return "Content Too Large";
	case 414:
		return "URI Too Long";
	case 415:
		return "Unsupported Media Type";
	case 417:
		return "Expectation Failed";
	case 422:
		return "Unprocessable Content";
	case 429:
		return "Too Many Requests";
	case 431:
		return "Request Header Fields Too Large";
	case 500:
		return "Internal Server Error";
	case 501:
		return "Not Implemented";
	case 502:
		return "Bad Gateway";
	case 503:
		return "Service Unavailable";
	case 504:
		return "Gateway Timeout";
	case 505:
		return "HTTP Version Not Supported";
	default:
		return "Unknown";
	}
}

static char *
append_status_line(char *to, int status)
{
	const char *reason;

	if (status == 200)
		return append_literal(to, "HTTP/1.1 200 OK\r\n");
	reason = http_reason(status);
	to = append_literal(to, "HTTP/1.1 ");
	to = append_decimal(to, (uint64_t)status);
	*to++ = ' ';
	to = append(to, reason, strlen(reason));
	return append_literal(to, "\r\n");
}

/* date_at returns NOW as an IMF-fixdate, DATE_LEN characters and NUL, of this thread. */
static const char *
date_at(time_t now)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	static _Thread_local time_t second = -1;
	static _Thread_local char text[DATE_LEN + 1];
	struct tm tm;
	char *to = text;

	if (now == second)
		return text;
	second = now;
	gmtime_r(&second, &tm);
	/* Names are English whatever the locale, so not strftime. */
	to = append(to, days + tm.tm_wday * 3, 3);
	to = append_literal(to, ", ");
	to = append(to, digit_pairs + tm.tm_mday * 2, 2);
	*to++ = ' ';
	to = append(to, months + tm.tm_mon * 3, 3);
	*to++ = ' ';
	to = append(to, digit_pairs + (tm.tm_year + 1900) / 100 % 100 * 2, 2);
	to = append(to, digit_pairs + (tm.tm_year + 1900) % 100 * 2, 2);
	*to++ = ' ';
	to = append(to, digit_pairs + tm.tm_hour * 2, 2);
	*to++ = ':';
	to = append(to, digit_pairs + tm.tm_min * 2, 2);
	*to++ = ':';
	to = append(to, digit_pairs + tm.tm_sec * 2, 2);
	append_literal(to, " GMT");
	return text;
}

/* append_framing writes how the peer finds the end of the body. */
static char *
append_framing(char *to, const struct http_response *response)
{
	/* These never have a body (RFC 9110, 15.2.2, 15.3.5 and 15.4.5). */
	if (response->status == 101 || response->status == 204 || response->status == 304)
		return to;
	if (response->content_length != HTTP_LENGTH_UNKNOWN) {
		to = append_literal(to, "Content-Length: ");
		to = append_decimal(to, (uint64_t)response->content_length);
		return append_literal(to, "\r\n");
	}
	if (response->minor > 0)
		to = append_literal(to, "Transfer-Encoding: chunked\r\n");
	return to;
}

/* append_connection writes what is not the version's default (RFC 9112, 9.3), or is to be said. */
static char *
append_connection(char *to, const struct http_response *response)
{
	bool stays = response->keep_alive && (response->minor > 0 || response->content_length != HTTP_LENGTH_UNKNOWN);

	if (response->status == 101)
		return to; /* among the fields: `upgrade` */
	if (stays == (response->minor > 0) && !response->says_connection)
		return to;
	return stays ? append_literal(to, "Connection: keep-alive\r\n") : append_literal(to, "Connection: close\r\n");
}

static size_t
write_head(char *buf, const struct http_response *response, size_t type_len, size_t fields_len, time_t now)
{
	char *to = append_status_line(buf, response->status);

	if (type_len > 0 && type_len <= HTTP_CONTENT_TYPE_MAX) {
		to = append_literal(to, "Content-Type: ");
		to = append(to, response->content_type, type_len);
		to = append_literal(to, "\r\n");
	}
	if (fields_len > 0)
		to = append(to, response->fields, fields_len);
	to = append_framing(to, response);
	to = append_literal(to, "Date: ");
	to = append(to, date_at(now), DATE_LEN);
	to = append_literal(to, "\r\n");
	to = append(to, server_line, server_line_len);
	to = append_connection(to, response);
	to = append_literal(to, "\r\n");
	return (size_t)(to - buf);
}

/* The last head of this thread that had no fields of its own, and what it was made from. */
struct last_head {
	struct http_response of; /* content_type stands in `type` */
	time_t second;
	unsigned server_names;
	size_t type_len;
	size_t len;
	char type[HTTP_CONTENT_TYPE_MAX];
	char bytes[HTTP_RESPONSE_HEAD_MAX];
};

static bool
is_same(const struct last_head *last, const struct http_response *response, size_t type_len, time_t now)
{
	return last->second == now && last->server_names == server_names && last->of.status == response->status &&
	       last->of.minor == response->minor && last->of.keep_alive == response->keep_alive &&
	       last->of.says_connection == response->says_connection &&
	       last->of.content_length == response->content_length && last->type_len == type_len &&
	       (type_len == 0 || memcmp(last->type, response->content_type, type_len) == 0);
}

size_t
http_response_head(char *buf, size_t size, const struct http_response *response)
{
	static _Thread_local struct last_head last;
	size_t fields_len = response->fields != NULL ? strlen(response->fields) : 0;
	size_t type_len = response->content_type != NULL ? strlen(response->content_type) : 0;
	time_t now = time(NULL); /* half of what clock_gettime costs */

	assert(size >= HTTP_RESPONSE_HEAD_MAX + fields_len);
	assert(response->status == 101 || (response->status >= 200 && response->status <= 599));
	assert(response->content_length >= HTTP_LENGTH_UNKNOWN);
	(void)size;
	if (fields_len > 0 || type_len > HTTP_CONTENT_TYPE_MAX)
		return write_head(buf, response, type_len, fields_len, now);
	/* Most answers of a second begin like the one before. */
	if (!is_same(&last, response, type_len, now)) {
		last.len = write_head(last.bytes, response, type_len, 0, now);
		last.of = *response;
		last.second = now;
		last.server_names = server_names;
		last.type_len = type_len;
		if (type_len > 0)
			memcpy(last.type, response->content_type, type_len);
	}
	memcpy(buf, last.bytes, last.len);
	return last.len;
}

size_t
http_chunk_head(char *buf, size_t len)
{
	char digits[16];
	char *p = digits + sizeof(digits);
	char *to;

	assert(len > 0);
	for (; len > 0; len >>= 4)
		*--p = "0123456789abcdef"[len & 15];
	to = append(buf, p, (size_t)(digits + sizeof(digits) - p));
	return (size_t)(append_literal(to, "\r\n") - buf);
}
