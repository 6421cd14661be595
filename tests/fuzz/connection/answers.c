/* Answers, found in what came back on a connection. */
#include "tests/fuzz/connection/answers.h"

#include <string.h>

#include "tests/fuzz/connection/check.h"

static bool
is_field(const char *line, const char *name)
{
	size_t len = strlen(name);

	return strncmp(line, name, len) == 0 && line[len] == ':' && line[len + 1] == ' ';
}

/* read_head takes the head of an answer from OUT. Returns its length; 0: there is no whole one. */
static size_t
read_head(struct answer *answer, const char *out, size_t len)
{
	const char *end = memmem(out, len, "\r\n\r\n", 4);
	const char *line;
	int dates = 0, servers = 0, lengths = 0;

	if (end == NULL)
		return 0;
	*answer = (struct answer){.length = -1, .head = out, .head_len = (size_t)(end - out) + 4};
	check(strncmp(out, "HTTP/1.1 ", 9) == 0 || strncmp(out, "HTTP/1.0 ", 9) == 0,
	    "an answer begins with its version");
	for (int i = 9; i < 12; i++)
		check(out[i] >= '0' && out[i] <= '9', "a status has three digits");
	answer->status = atoi(out + 9);
	check(answer->status >= 100 && answer->status <= 599 && out[12] == ' ', "a status is from 100 to 599");
	for (const char *at = out; at < end; at++)
		check(
		    (*at >= ' ' && *at <= '~') || (at[0] == '\r' && at[1] == '\n') || (at[0] == '\n' && at[-1] == '\r'),
		    "a head is of printable lines");
	for (line = memmem(out, len, "\r\n", 2); line < end;
	     line = memmem(line, len - (size_t)(line - out), "\r\n", 2)) {
		line += 2;
		check(memchr(line, ':', (size_t)(end - line)) != NULL, "a field has a colon");
		dates += is_field(line, "Date");
		servers += is_field(line, "Server");
		if (is_field(line, "Content-Length")) {
			lengths++;
			answer->length = atoll(line + strlen("Content-Length: "));
		} else if (is_field(line, "Transfer-Encoding")) {
			check(strncmp(line, "Transfer-Encoding: chunked\r\n", 28) == 0, "no other coding is used");
			answer->chunked = true;
		} else if (is_field(line, "Connection")) {
			answer->close = strncmp(line, "Connection: close\r\n", 19) == 0;
			answer->keep_alive = strncmp(line, "Connection: keep-alive\r\n", 24) == 0;
		}
	}
	if (answer->status >= 200) {
		check(dates == 1 && servers == 1, "an answer has one Date and one Server");
		check(lengths <= 1 && lengths + answer->chunked <= 1, "an answer has one length at most");
	}
	return answer->head_len;
}

/* read_chunks returns the length of a chunked body, or LEN + 1 where it has not ended. */
static size_t
read_chunks(const char *out, size_t len)
{
	size_t at = 0;

	for (;;) {
		const char *line_end = memmem(out + at, len - at, "\r\n", 2);
		unsigned long size;
		char *end;

		if (line_end == NULL)
			return len + 1;
		size = strtoul(out + at, &end, 16);
		check(end == line_end && end > out + at, "a chunk's length is a hexadecimal number");
		at = (size_t)(line_end - out) + 2;
		if (size > len - at || len - at - size < 2)
			return len + 1;
		at += size;
		check(out[at] == '\r' && out[at + 1] == '\n', "a chunk ends with CRLF");
		at += 2;
		if (size == 0)
			return at;
	}
}

size_t
answer_read(struct answer *answer, const char *out, size_t len, bool to_head)
{
	size_t taken = read_head(answer, out, len);
	size_t body;

	if (taken == 0)
		return 0;
	len -= taken;
	if (answer->status < 200 || answer->status == 204 || answer->status == 304 || to_head)
		body = 0;
	else if (answer->chunked)
		body = read_chunks(out + taken, len);
	else
		body = answer->length >= 0 ? (size_t)answer->length : len;
	answer->body = out + taken;
	answer->body_len = body <= len ? body : len;
	answer->whole = body <= len;
	return taken + answer->body_len;
}

/* has_line tells whether HEAD has the line of LEN bytes at LINE, CRLF included. */
static bool
has_line(const struct answer *answer, const char *line, size_t len)
{
	const char *at = answer->head;
	const char *end = at + answer->head_len;

	while ((at = memmem(at, (size_t)(end - at), line, len)) != NULL) {
		if (at == answer->head || at[-1] == '\n')
			return true;
		at++;
	}
	return false;
}

/* check_both is check, and shows the heads of the two answers that it is about. */
static void
check_both(bool good, const char *promise, const struct answer *one, const struct answer *other)
{
	if (!good)
		fprintf(stderr, "%.*s%.*s", (int)one->head_len, one->head, (int)other->head_len, other->head);
	check(good, promise);
}

/* check_lines looks for each line of ONE's head in OTHER's, and returns how many there are. */
static size_t
check_lines(const struct answer *one, const struct answer *other)
{
	const char *line = one->head;
	const char *end = line + one->head_len;
	size_t count = 0;

	while (line < end) {
		const char *next = (const char *)memmem(line, (size_t)(end - line), "\r\n", 2) + 2;

		if (!is_field(line, "Date") && !is_field(line, "Connection")) {
			check_both(has_line(other, line, (size_t)(next - line)),
			    "both servers answer with the same head", one, other);
			count++;
		}
		line = next;
	}
	return count;
}

/* take_body moves the next bytes of a body, without the framing of its chunks, to *AT. Returns how many, 0 at its end. */
static size_t
take_body(const struct answer *answer, size_t *used, const char **at)
{
	const char *line = answer->body + *used;
	size_t left = answer->body_len - *used;
	const char *end;
	size_t size;

	if (answer->chunked) {
		end = memmem(line, left, "\r\n", 2);
		if (end == NULL)
			return 0;
		size = strtoul(line, NULL, 16);
		*at = end + 2;
		left -= (size_t)(*at - line);
		if (size > left)
			size = left;
		*used += (size_t)(*at - line) + size + (left - size < 2 ? left - size : 2);
		return size;
	}
	*at = line;
	*used += left;
	return left;
}

static void
check_bodies(const struct answer *one, const struct answer *other)
{
	size_t one_used = 0, other_used = 0, one_len = 0, other_len = 0;
	const char *a = NULL, *b = NULL;

	for (;;) {
		size_t len;

		if (one_len == 0)
			one_len = take_body(one, &one_used, &a);
		if (other_len == 0)
			other_len = take_body(other, &other_used, &b);
		len = one_len < other_len ? one_len : other_len;
		if (len == 0)
			break;
		check_both(memcmp(a, b, len) == 0, "both servers answer with the same body", one, other);
		a += len;
		b += len;
		one_len -= len;
		other_len -= len;
	}
	check_both(
	    one->whole == other->whole, "both servers come to the end of an answer, or neither does", one, other);
	check_both(!one->whole || one_len == other_len, "both servers answer with a body of one length", one, other);
}

void
answer_check_same(const struct answer *one, const struct answer *other)
{
	check(check_lines(one, other) == check_lines(other, one), "both servers answer with as many fields");
	check_bodies(one, other);
}
