/* Unit tests of common/http_guard: each refusal by name, and what must not be refused, however it is cut. */
#include "common/http_guard.h"

#include "tests/unit/common/http_cuts.h"

#define GET "GET / HTTP/1.1\r\n"
#define HOST "Host: a\r\n"
#define POST "POST / HTTP/1.1\r\n" HOST

static struct http_case rows[] = {
    /* The faults of llhttp 8.1.0. */
    HTTP_CASE("bare CR in a field value (CVE-2023-30589)", 400, GET HOST "X: a\rB: c\r\n\r\n"),
    HTTP_CASE("bare CR that hides a field (CVE-2023-30589)", 400, GET HOST "X: a\rContent-Length: 5\r\n\r\n"),
    HTTP_CASE("CRLF CR X at the end of a header (CVE-2025-23167)", 400, GET HOST "\r\n\rX"),
    HTTP_CASE("CR X instead of the empty line (CVE-2025-23167)", 400, GET HOST "\rX"),
    HTTP_CASE("CR X instead of the empty line, with more behind it", 400, GET HOST "\rX: a\r\n\r\n"),
    HTTP_CASE("a space before Content-Length (CVE-2024-27982)", 400, POST " Content-Length: 5\r\n\r\nhello"),
    HTTP_CASE("a space before the first field", 400, GET " Host: a\r\n\r\n"),

    /* Line ends and control bytes. */
    HTTP_CASE("bare LF behind the request line", 400, "GET / HTTP/1.1\nHost: a\r\n\r\n"),
    HTTP_CASE("bare LF behind a field", 400, GET "Host: a\n\r\n"),
    HTTP_CASE("bare LF as the empty line", 400, GET HOST "\n"),
    HTTP_CASE("CR CR LF behind a field", 400, GET "Host: a\r\r\n\r\n"),
    HTTP_CASE("CR CR LF behind the request line", 400, "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n"),
    HTTP_CASE("CR CR LF as the empty line", 400, GET HOST "\r\r\n"),
    HTTP_CASE("NUL in a field value", 400, GET HOST "X: a\0b\r\n\r\n"),
    HTTP_CASE("NUL in a field name", 400, GET HOST "X\0Y: a\r\n\r\n"),
    HTTP_CASE("NUL in the target", 400, "GET /\0 HTTP/1.1\r\n" HOST "\r\n"),
    HTTP_CASE("NUL before the request line", 400, "\0" GET HOST "\r\n"),
    HTTP_CASE("a control byte in a field value", 400,
	GET HOST "X: a\x01"
		 "b\r\n\r\n"),
    HTTP_CASE("a control byte far into a field value", 400, GET HOST "X: 0123456789012345678901234567890\x1f\r\n\r\n"),
    HTTP_CASE("DEL in a field value", 400, GET HOST "X: 01234567\x7f\r\n\r\n"),
    HTTP_CASE("a byte above 0x7f in a field name", 400, GET HOST "X\xc3\xa4: a\r\n\r\n"),
    HTTP_CASE("a TLS hello", 400, "\x16\x03\x01\x02\x00\x01\x00"),

    /* The form of fields. */
    HTTP_CASE("obs-fold with a blank", 400, GET HOST "X: a\r\n b\r\n\r\n"),
    HTTP_CASE("obs-fold with a tab", 400, GET HOST "X: a\r\n\tb\r\n\r\n"),
    HTTP_CASE("obs-fold of blanks only", 400, GET HOST "X: a\r\n \r\n\r\n"),
    HTTP_CASE("a blank before the colon", 400, POST "Content-Length : 5\r\n\r\nhello"),
    HTTP_CASE("a tab before the colon", 400, GET "Host\t: a\r\n\r\n"),
    HTTP_CASE("a field without a colon", 400, GET HOST "X\r\n\r\n"),
    HTTP_CASE("a field without a name", 400, GET HOST ": a\r\n\r\n"),
    HTTP_CASE("a field name with a separator", 400, GET HOST "X(Y): a\r\n\r\n"),
    HTTP_CASE("a second Content-Type", 400, POST "Content-Type: a/b\r\nContent-Type: a/b\r\n\r\n"),
    HTTP_CASE("a second User-Agent", 400, GET HOST "User-Agent: a\r\nUser-Agent:\r\n\r\n"),
    HTTP_CASE("a second Referer", 400, GET HOST "Referer:\r\nReferer:\r\n\r\n"),

    /* The request line. */
    HTTP_CASE("a method alone", 400, "GET\r\n\r\n"),
    HTTP_CASE("HTTP/0.9", 400, "GET /\r\n\r\n"),
    HTTP_CASE("no method", 400, " / HTTP/1.1\r\n" HOST "\r\n"),
    HTTP_CASE("two blanks behind the method", 400, "GET  / HTTP/1.1\r\n" HOST "\r\n"),
    HTTP_CASE("a tab behind the method", 400, "GET\t/ HTTP/1.1\r\n" HOST "\r\n"),
    HTTP_CASE("two blanks behind the target", 400, "GET /  HTTP/1.1\r\n" HOST "\r\n"),
    HTTP_CASE("a blank behind the version", 400, "GET / HTTP/1.1 \r\n" HOST "\r\n"),
    HTTP_CASE("a byte behind the version", 400, "GET / HTTP/1.1x\r\n" HOST "\r\n"),
    HTTP_CASE("a blank in the target", 400, "GET /a b HTTP/1.1\r\n" HOST "\r\n"),
    HTTP_CASE("a control byte in the target", 400, "GET /a\x02 HTTP/1.1\r\n" HOST "\r\n"),
    HTTP_CASE("DEL in the target", 400, "GET /a\x7f HTTP/1.1\r\n" HOST "\r\n"),
    HTTP_CASE("a byte above 0x7e in the target", 400, "GET /\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n"),
    HTTP_CASE("a fragment in the target", 400, "GET /a#b HTTP/1.1\r\n" HOST "\r\n"),
    HTTP_CASE("a target without a slash", 400, "GET a HTTP/1.1\r\n" HOST "\r\n"),
    HTTP_CASE("* with GET", 400, "GET * HTTP/1.1\r\n" HOST "\r\n"),
    HTTP_CASE("* with something behind it", 400, "OPTIONS *a HTTP/1.1\r\n" HOST "\r\n"),
    HTTP_CASE("CONNECT", 400, "CONNECT a:80 HTTP/1.1\r\n" HOST "\r\n"),
    HTTP_CASE("CONNECT with a path and a body", 400, "CONNECT / HTTP/1.1\r\nContent-Length: 5\r\n" HOST "\r\nhello"),
    HTTP_CASE("absolute form without a host", 400, "GET http:///a HTTP/1.1\r\n" HOST "\r\n"),
    HTTP_CASE("absolute form of nothing", 400, "GET http:// HTTP/1.1\r\n" HOST "\r\n"),
    HTTP_CASE("absolute form with a user", 400, "GET http://u@a/ HTTP/1.1\r\n" HOST "\r\n"),
    HTTP_CASE("absolute form with a query but no path", 400, "GET http://a?b HTTP/1.1\r\n" HOST "\r\n"),
    HTTP_CASE("absolute form of another scheme", 400, "GET ftp://a/b HTTP/1.1\r\n" HOST "\r\n"),
    HTTP_CASE("a version that is no version", 400, "GET / HTTP/1\r\n" HOST "\r\n"),
    HTTP_CASE("a version in lower case", 400, "GET / http/1.1\r\n" HOST "\r\n"),
    HTTP_CASE("a version of two digits", 400, "GET / HTTP/11.1\r\n" HOST "\r\n"),
    HTTP_CASE("another protocol", 400, "GET / RTSP/1.0\r\n" HOST "\r\n"),
    HTTP_CASE("HTTP/2.0", 505, "GET / HTTP/2.0\r\n" HOST "\r\n"),
    HTTP_CASE("the preface of HTTP/2", 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    HTTP_CASE("HTTP/1.2", 505, "GET / HTTP/1.2\r\n" HOST "\r\n"),
    HTTP_CASE("HTTP/0.9 in full", 505, "GET / HTTP/0.9\r\n" HOST "\r\n"),
    HTTP_CASE("an unknown method", 501, "BREW / HTTP/1.1\r\n" HOST "\r\n"),
    HTTP_CASE("a method in lower case", 501, "get / HTTP/1.1\r\n" HOST "\r\n"),
    HTTP_CASE("a method that only begins like one", 501, "GETS / HTTP/1.1\r\n" HOST "\r\n"),
    HTTP_CASE("a method of RTSP", 501, "SETUP / HTTP/1.1\r\n" HOST "\r\n"),
    HTTP_CASE("three empty lines before the request line", 400, "\r\n\r\n\r\n" GET HOST "\r\n"),
    HTTP_CASE("a bare LF before the request line", 400, "\n" GET HOST "\r\n"),
    HTTP_CASE("a bare CR before the request line", 400, "\r" GET HOST "\r\n"),

    /* Host. */
    HTTP_CASE("no Host on HTTP/1.1", 400, GET "\r\n"),
    HTTP_CASE("two Hosts", 400, GET HOST "Host: b\r\n\r\n"),
    HTTP_CASE("two equal Hosts", 400, GET HOST HOST "\r\n"),
    HTTP_CASE("two Hosts on HTTP/1.0", 400, "GET / HTTP/1.0\r\n" HOST HOST "\r\n"),
    HTTP_CASE("a Host with a path", 400, GET "Host: a/b\r\n\r\n"),
    HTTP_CASE("a Host with a blank", 400, GET "Host: a b\r\n\r\n"),
    HTTP_CASE("a Host with a user", 400, GET "Host: u@a\r\n\r\n"),

    /* Content-Length. */
    HTTP_CASE("two different Content-Lengths", 400, POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
    HTTP_CASE("two equal Content-Lengths", 400, POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
    HTTP_CASE("a list of Content-Lengths", 400, POST "Content-Length: 5, 6\r\n\r\nhello"),
    HTTP_CASE("a list of equal Content-Lengths", 400, POST "Content-Length: 5,5\r\n\r\nhello"),
    HTTP_CASE("Content-Length with a plus", 400, POST "Content-Length: +5\r\n\r\nhello"),
    HTTP_CASE("Content-Length with a minus", 400, POST "Content-Length: -5\r\n\r\nhello"),
    HTTP_CASE("Content-Length with a blank inside", 400, POST "Content-Length: 1 0\r\n\r\nhello"),
    HTTP_CASE("Content-Length in hexadecimal", 400, POST "Content-Length: 0x5\r\n\r\nhello"),
    HTTP_CASE("Content-Length with a letter", 400, POST "Content-Length: 5a\r\n\r\nhello"),
    HTTP_CASE("Content-Length with a fraction", 400, POST "Content-Length: 5.0\r\n\r\nhello"),
    HTTP_CASE("an empty Content-Length", 400, POST "Content-Length:\r\n\r\n"),
    HTTP_CASE("Content-Length of blanks", 400, POST "Content-Length: \t \r\n\r\n"),
    HTTP_CASE("Content-Length 2^63", 400, POST "Content-Length: 9223372036854775808\r\n\r\n"),
    HTTP_CASE("Content-Length 2^64", 400, POST "Content-Length: 18446744073709551616\r\n\r\n"),
    HTTP_CASE("Content-Length 2^64 + 5", 400, POST "Content-Length: 18446744073709551621\r\n\r\nhello"),

    /* Transfer-Encoding. */
    HTTP_CASE("Content-Length before Transfer-Encoding", 400,
	POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    HTTP_CASE("Transfer-Encoding before Content-Length", 400,
	POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
    HTTP_CASE(
	"Transfer-Encoding on HTTP/1.0", 400, "POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    HTTP_CASE("Transfer-Encoding twice", 400,
	POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    HTTP_CASE("chunked twice", 400, POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    HTTP_CASE("chunked that is not the last coding", 400, POST "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
    HTTP_CASE("no chunked", 400, POST "Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n"),
    HTTP_CASE("identity", 400, POST "Transfer-Encoding: identity\r\n\r\n"),
    HTTP_CASE("xchunked", 400, POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    HTTP_CASE("chunked in quotes", 400, POST "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"),
    HTTP_CASE("chunked with a parameter", 400, POST "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n"),
    HTTP_CASE("chunked behind an empty element", 400, POST "Transfer-Encoding: , chunked\r\n\r\n0\r\n\r\n"),
    HTTP_CASE("chunked before an empty element", 400, POST "Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n"),
    HTTP_CASE("an empty Transfer-Encoding", 400, POST "Transfer-Encoding:\r\n\r\n"),
    HTTP_CASE("a coding we do not have, then chunked", 501, POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    HTTP_CASE("two codings we do not have, then chunked", 501, POST "Transfer-Encoding: a ,b,\tchunked\r\n\r\n"),

    /* What must pass. */
    HTTP_CASE("two empty lines before the request line", 0, "\r\n\r\n" GET HOST "\r\n"),
    HTTP_CASE("HTTP/1.0 without Host", 0, "GET / HTTP/1.0\r\n\r\n"),
    HTTP_CASE("an empty Host", 0, GET "Host:\r\n\r\n"),
    HTTP_CASE("a Host with an IPv6 address and a port", 0, GET "Host: [::1]:8088\r\n\r\n"),
    HTTP_CASE("tabs and blanks around a value", 0, GET "Host:\t \ta \t \r\n\r\n"),
    HTTP_CASE("tabs inside a value", 0, GET HOST "X: a\tb\tc\t\t\t\t\t\t\t\td\r\n\r\n"),
    HTTP_CASE("bytes above 0x7f in a value", 0, GET HOST "X: \xc3\xa4\xff\x80 01234567\xc3\r\n\r\n"),
    HTTP_CASE("every punctuation in a target", 0, "GET /!\"$%&'()*+,-./:;<=>?@[\\]^_`{|}~ HTTP/1.1\r\n" HOST "\r\n"),
    HTTP_CASE("every token character in a name", 0, GET HOST "!#$%&'*+-.^_`|~09azAZ: a\r\n\r\n"),
    HTTP_CASE("* with OPTIONS", 0, "OPTIONS * HTTP/1.1\r\n" HOST "\r\n"),
    HTTP_CASE("absolute form", 0, "GET http://example.com:8088/a?b HTTP/1.1\r\n" HOST "\r\n"),
    HTTP_CASE("Content-Length with zeros in front", 0, POST "Content-Length: 0005\r\n\r\nhello"),
    HTTP_CASE("Transfer-Encoding in any case", 0, POST "TRANSFER-encoding: ChUnKeD\r\n\r\n0\r\n\r\n"),
    HTTP_CASE(
	"Upgrade is passed over", 0, GET HOST "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n" GET HOST "\r\n"),
    HTTP_CASE("Upgrade with a body is passed over", 0,
	POST "Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 5\r\n\r\nhello" GET HOST "\r\n"),
    HTTP_CASE("Upgrade with a chunked body is passed over", 0,
	POST "Connection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n" GET HOST
	     "\r\n"),
};

/* Small limits, so that each can be met exactly. */
static const struct http_limits small = {
    .request_line = 20,
    .field_size = 16,
    .fields = 3,
    .header_size = 80,
};

static void
assert_small(int status, const char *text)
{
	const struct outcome *outcome = assert_cuts(&small, text, strlen(text));

	if (outcome->status != status)
		print_error("%s\n%s\n", text, outcome->text);
	assert_int_equal(outcome->status, status);
	assert_int_equal(outcome->requests, status == 0);
}

static void
test_a_request_line_of_the_limit_passes_and_one_byte_more_is_414(void **state)
{
	(void)state;
	assert_small(0, "GET /678901 HTTP/1.1\r\nHost:\r\n\r\n");
	assert_small(414, "GET /6789012 HTTP/1.1\r\nHost:\r\n\r\n");
	assert_small(414, "GET /6789012345678901234567890");
	assert_small(414, "GETTTTTTTTTTTTTTTTTTTT");
}

static void
test_a_field_of_the_limit_passes_and_one_byte_more_is_431(void **state)
{
	(void)state;
	assert_small(0, GET "Host:\r\nX: 3456789012345\r\n\r\n");
	assert_small(431, GET "Host:\r\nX: 34567890123456\r\n\r\n");
	assert_small(431, GET "Host:\r\nX2345678901234567");
	assert_small(431, GET "Host:\r\nX:              7\r\n\r\n");
	/* Where the limit and a bad byte meet, the first byte that is wrong decides. */
	assert_small(400, GET "Host:\r\nX: 345678901234\x01");
	assert_small(431, GET "Host:\r\nX: 3456789012345\x01");
}

static void
test_as_many_fields_as_the_limit_pass_and_one_more_is_431(void **state)
{
	(void)state;
	assert_small(0, GET "Host:\r\nA:\r\nB:\r\n\r\n");
	assert_small(431, GET "Host:\r\nA:\r\nB:\r\nC:\r\n\r\n");
	assert_small(431, GET "Host:\r\nA:\r\nB:\r\n\x01");
}

static void
test_a_header_section_of_the_limit_passes_and_one_byte_more_is_431(void **state)
{
	static const struct http_limits limits = {
	    .request_line = 100, .field_size = 100, .fields = 9, .header_size = 40};
	/* 16 + 7 + 2 bytes, so 13 and a CRLF for a field. */
	static const struct http_case cases[] = {
	    HTTP_CASE("as long as the limit", 0, GET "Host:\r\nX: 4567890123\r\n\r\n"),
	    HTTP_CASE("one more", 431, GET "Host:\r\nX: 45678901234\r\n\r\n"),
	    HTTP_CASE("one more, and cut", 431, GET "Host:\r\nX: 45678901234"),
	    HTTP_CASE("full, then another field", 431, GET "Host:\r\nX: 4567890123\r\nY"),
	    HTTP_CASE("a request line that fills it", 0, "GET /6789012345678901234567 HTTP/1.0\r\n\r\n"),
	    HTTP_CASE("a request line that is too long for it", 431, "GET /67890123456789012345678 HTTP/1.0\r\n\r\n"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct outcome *outcome = assert_cuts(&limits, cases[i].text, cases[i].len);

		if (outcome->status != cases[i].status)
			print_error("%s: %s\n", cases[i].name, outcome->text);
		assert_int_equal(outcome->status, cases[i].status);
	}
}

static void
test_the_usual_limits_are_exact(void **state)
{
	static char text[10000];
	int len;

	(void)state;
	for (int over = 0; over <= 1; over++) {
		len = snprintf(text, sizeof(text), "GET /%0*d HTTP/1.1\r\n" HOST "\r\n", 4094 - 14 + over, 0);
		assert_int_equal(assert_cuts(&usual_limits, text, (size_t)len)->status, over ? 414 : 0);
		len = snprintf(text, sizeof(text), GET HOST "X: %0*d\r\n\r\n", 8190 - 3 + over, 0);
		assert_int_equal(assert_cuts(&usual_limits, text, (size_t)len)->status, over ? 431 : 0);
	}
}

static void
test_a_line_without_an_end_is_refused_at_the_limit(void **state)
{
	static char text[70000];

	(void)state;
	memset(text, 'a', sizeof(text));
	assert_int_equal(assert_cuts(&usual_limits, text, 4094)->status, 0);
	assert_int_equal(assert_cuts(&usual_limits, text, 4095)->status, 414);
	assert_int_equal(assert_cuts(&usual_limits, text, sizeof(text))->status, 414);
}

/* Each byte value in each place: the class table against what the RFC says. */
static void
assert_allowed(const char *before, const char *after, const char *allowed, bool high, bool blank)
{
	char text[200];

	for (int c = 0; c < 256; c++) {
		size_t len = strlen(before);
		bool good = (c != 0 && strchr(allowed, c) != NULL) || (c >= '0' && c <= '9') ||
			    (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (high && c >= 0x80) ||
			    (blank && (c == ' ' || c == '\t'));
		const struct outcome *outcome;

		memcpy(text, before, len);
		text[len] = (char)c;
		memcpy(text + len + 1, after, strlen(after));
		outcome = assert_cuts(&usual_limits, text, len + 1 + strlen(after));
		if ((outcome->status == 0) != good)
			print_error("byte 0x%02x: %s\n", (unsigned)c, outcome->text);
		assert_int_equal(outcome->status, good ? 0 : 400);
	}
}

static void
test_every_byte_is_allowed_where_the_rfc_allows_it_and_nowhere_else(void **state)
{
	(void)state;
	assert_allowed("GET /a", "b HTTP/1.1\r\nHost: a\r\n\r\n", "!\"$%&'()*+,-./:;<=>?@[\\]^_`{|}~", false, false);
	assert_allowed("GET / HTTP/1.1\r\nHost: a\r\nX", "Y: a\r\n\r\n", "!#$%&'*+-.^_`|~:", false, false);
	assert_allowed(
	    "GET / HTTP/1.1\r\nHost: a\r\nX: a", "b\r\n\r\n", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", true, true);
	assert_allowed("GET / HTTP/1.1\r\nHost: a", "b\r\n\r\n", "-._~%!$&'()*+,;=:[]", false, false);
}

static void
test_an_absolute_target_is_stripped_to_its_origin_form(void **state)
{
	static const struct {
		const char *sent, *kept;
	} targets[] = {
	    {"http://a/b?c", " target=[/b?c] "},
	    {"http://a", " target=[/] "},
	    {"HTTP://a:80/", " target=[/] "},
	    {"/http://a/b", " target=[/http://a/b] "},
	    {"//a/b", " target=[//a/b] "},
	};
	char text[200];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		int len = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: other\r\n\r\n", targets[i].sent);

		assert_non_null(strstr(assert_cuts(&usual_limits, text, (size_t)len)->text, targets[i].kept));
	}
}

static void
test_expect_is_understood(void **state)
{
	static const struct {
		const char *minor, *field, *expect;
	} cases[] = {
	    {"1", "Expect: 100-continue\r\n", " expect=1 "},
	    {"1", "EXPECT:100-CONTINUE \r\n", " expect=1 "},
	    {"1", "Expect: 100-continue\r\nExpect: 100-continue\r\n", " expect=1 "},
	    {"0", "Expect: 100-continue\r\n", " expect=0 "},
	    {"1", "Expect: 100-continue, x\r\n", " expect=2 "},
	    {"1", "Expect: x\r\nExpect: 100-continue\r\n", " expect=2 "},
	    {"1", "Expect: 100-continue\r\nExpect: x\r\n", " expect=2 "},
	    {"1", "Expect:\r\n", " expect=0 "},
	    {"0", "Expect: x\r\n", " expect=0 "},
	    {"1", "", " expect=0 "},
	};
	char text[200];
	int len;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		len = snprintf(text, sizeof(text), "POST / HTTP/1.%s\r\n" HOST "Content-Length: 2\r\n%s\r\nab",
		    cases[i].minor, cases[i].field);
		assert_non_null(strstr(assert_cuts(&usual_limits, text, (size_t)len)->text, cases[i].expect));
	}
	/* Without a body there is nothing to wait for. */
	len = snprintf(text, sizeof(text), GET HOST "Expect: 100-continue\r\n\r\n");
	assert_non_null(strstr(assert_cuts(&usual_limits, text, (size_t)len)->text, " expect=0 "));
}

static void
test_the_greatest_content_length_passes(void **state)
{
	static const char text[] = POST "Content-Length: 9223372036854775807\r\n\r\nabc";
	const struct outcome *outcome = assert_cuts(&usual_limits, text, sizeof(text) - 1);

	(void)state;
	assert_int_equal(outcome->status, 0);
	assert_non_null(strstr(outcome->text, " length=9223372036854775807 "));
	assert_non_null(strstr(outcome->text, "\nBODY abc\nSTARTED"));
}

int
main(void)
{
	static const struct CMUnitTest others[] = {
	    cmocka_unit_test(test_a_request_line_of_the_limit_passes_and_one_byte_more_is_414),
	    cmocka_unit_test(test_a_field_of_the_limit_passes_and_one_byte_more_is_431),
	    cmocka_unit_test(test_as_many_fields_as_the_limit_pass_and_one_more_is_431),
	    cmocka_unit_test(test_a_header_section_of_the_limit_passes_and_one_byte_more_is_431),
	    cmocka_unit_test(test_the_usual_limits_are_exact),
	    cmocka_unit_test(test_a_line_without_an_end_is_refused_at_the_limit),
	    cmocka_unit_test(test_every_byte_is_allowed_where_the_rfc_allows_it_and_nowhere_else),
	    cmocka_unit_test(test_an_absolute_target_is_stripped_to_its_origin_form),
	    cmocka_unit_test(test_expect_is_understood),
	    cmocka_unit_test(test_the_greatest_content_length_passes),
	};
	static struct CMUnitTest tests[ARRAY_LEN(rows) + ARRAY_LEN(others)];

	http_case_tests(tests, rows, ARRAY_LEN(rows));
	memcpy(tests + ARRAY_LEN(rows), others, sizeof(others));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
