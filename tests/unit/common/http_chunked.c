/* Unit tests of common/http_chunked: chunk framing and trailers, each refusal by name, however it is cut. */
#include "common/http_chunked.h"

#include "tests/unit/common/http_cuts.h"

#define CHUNKED "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
#define NEXT "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

static struct http_case rows[] = {
    HTTP_CASE("no size", 400, CHUNKED "\r\n"),
    HTTP_CASE("a size that is not hexadecimal", 400, CHUNKED "5g\r\nhello\r\n0\r\n\r\n"),
    HTTP_CASE("a size with 0x", 400, CHUNKED "0x5\r\nhello\r\n0\r\n\r\n"),
    HTTP_CASE("a size with a plus", 400, CHUNKED "+5\r\nhello\r\n0\r\n\r\n"),
    HTTP_CASE("a size with a minus", 400, CHUNKED "-5\r\nhello\r\n0\r\n\r\n"),
    HTTP_CASE("a blank before the size", 400, CHUNKED " 5\r\nhello\r\n0\r\n\r\n"),
    HTTP_CASE("a blank behind the size", 400, CHUNKED "5 \r\nhello\r\n0\r\n\r\n"),
    HTTP_CASE("a tab behind the size", 400, CHUNKED "5\t\r\nhello\r\n0\r\n\r\n"),
    HTTP_CASE("a size of 2^63", 400, CHUNKED "8000000000000000\r\nhello"),
    HTTP_CASE("a size of 2^64 + 5", 400, CHUNKED "10000000000000005\r\nhello\r\n0\r\n\r\n"),
    HTTP_CASE("a size padded past 16 digits", 400, CHUNKED "00000000000000005\r\nhello\r\n0\r\n\r\n"),
    HTTP_CASE("a bare LF behind the size", 400, CHUNKED "5\nhello\r\n0\r\n\r\n"),
    HTTP_CASE("a bare CR behind the size", 400, CHUNKED "5\rhello\r\n0\r\n\r\n"),
    HTTP_CASE("CR CR LF behind the size", 400, CHUNKED "5\r\r\nhello\r\n0\r\n\r\n"),
    HTTP_CASE("a bare LF in an extension", 400, CHUNKED "5;a\nhello\r\n0\r\n\r\n"),
    HTTP_CASE("a bare CR in an extension", 400, CHUNKED "5;a\rb\r\nhello\r\n0\r\n\r\n"),
    HTTP_CASE("NUL in an extension", 400, CHUNKED "5;a\0\r\nhello\r\n0\r\n\r\n"),
    HTTP_CASE("an extension that is no token", 400, CHUNKED "5;(\r\nhello\r\n0\r\n\r\n"),
    HTTP_CASE("a chunk that is longer than its size", 400, CHUNKED "4\r\nhello\r\n0\r\n\r\n"),
    HTTP_CASE("a chunk that is shorter than its size", 400, CHUNKED "6\r\nhello\r\n0\r\n\r\n"),
    HTTP_CASE("a bare LF behind the data", 400, CHUNKED "5\r\nhello\n0\r\n\r\n"),
    HTTP_CASE("a bare CR behind the data", 400, CHUNKED "5\r\nhello\r0\r\n\r\n"),
    HTTP_CASE("a trailer field without a colon", 400, CHUNKED "0\r\nX\r\n\r\n"),
    HTTP_CASE("a trailer field without a name", 400, CHUNKED "0\r\n: a\r\n\r\n"),
    HTTP_CASE("a blank before the colon of a trailer field", 400, CHUNKED "0\r\nX : a\r\n\r\n"),
    HTTP_CASE("obs-fold in a trailer", 400, CHUNKED "0\r\nX: a\r\n b\r\n\r\n"),
    HTTP_CASE("a bare CR in a trailer field", 400, CHUNKED "0\r\nX: a\rb\r\n\r\n"),
    HTTP_CASE("a bare LF in a trailer field", 400, CHUNKED "0\r\nX: a\n\r\n"),
    HTTP_CASE("NUL in a trailer field", 400, CHUNKED "0\r\nX: \0\r\n\r\n"),
    HTTP_CASE("CR X at the end of a trailer (CVE-2025-23167)", 400, CHUNKED "0\r\nX: a\r\n\rX"),
    HTTP_CASE("a bare LF as the end of a trailer", 400, CHUNKED "0\r\n\n"),
    HTTP_CASE("Content-Length in a trailer", 400, CHUNKED "0\r\nContent-Length: 5\r\n\r\n"),

    HTTP_CASE("an empty body", 0, CHUNKED "0\r\n\r\n"),
    HTTP_CASE("two chunks and another request", 0, CHUNKED "5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n" NEXT),
    HTTP_CASE(
	"sizes in either case with zeros in front", 0, CHUNKED "0a\r\n0123456789\r\n000B\r\n0123456789a\r\n0\r\n\r\n"),
    HTTP_CASE("16 digits", 0, CHUNKED "0000000000000005\r\nhello\r\n0000000000000000\r\n\r\n"),
    HTTP_CASE("extensions", 0, CHUNKED "5;a\r\nhello\r\n1;b=\"e f\";c=d\r\n!\r\n0;x\r\n\r\n" NEXT),
    HTTP_CASE("data that looks like framing", 0, CHUNKED "5\r\n0\r\n\r\n\r\n0\r\n\r\n" NEXT),
    HTTP_CASE("a trailer", 0, CHUNKED "5\r\nhello\r\n0\r\nX: a\r\nY:\tb c \xc3\xa4\r\n\r\n" NEXT),
    HTTP_CASE("trailer fields whose names begin like ones of framing", 0,
	CHUNKED "0\r\nHos: a\r\nHosts: a\r\nContent-Lengt: a\r\nContent-Length-: 5\r\nX-Host: a\r\n\r\n" NEXT),
};

static void
test_the_chunks_are_joined(void **state)
{
	static const char text[] = CHUNKED "5\r\nhello\r\n7;x=y\r\n, world\r\n0\r\nX: a\r\n\r\n" NEXT;
	const struct outcome *outcome = assert_cuts(&usual_limits, text, sizeof(text) - 1);

	(void)state;
	assert_int_equal(outcome->requests, 2);
	assert_non_null(strstr(outcome->text, "\nBODY hello, world\nCOMPLETE"));
}

static void
test_the_greatest_chunk_size_passes(void **state)
{
	static const char text[] = CHUNKED "7fffffffffffffff\r\nhello";
	const struct outcome *outcome = assert_cuts(&usual_limits, text, sizeof(text) - 1);

	(void)state;
	assert_int_equal(outcome->status, 0);
	assert_non_null(strstr(outcome->text, "\nBODY hello\nSTARTED"));
}

static void
test_a_chunk_extension_of_the_limit_passes_and_one_byte_more_is_400(void **state)
{
	char text[600];

	(void)state;
	for (int over = 0; over <= 1; over++) {
		int len = snprintf(
		    text, sizeof(text), CHUNKED "5;%0*d\r\nhello\r\n0\r\n\r\n", HTTP_CHUNK_EXTENSION_MAX + over, 0);
		const struct outcome *outcome = assert_cuts(&usual_limits, text, (size_t)len);

		assert_int_equal(outcome->status, over ? 400 : 0);
		assert_int_equal(outcome->requests, over ? 0 : 1);
	}
}

static void
test_a_trailer_meets_the_limits_of_a_header(void **state)
{
	static const struct http_limits limits = {.request_line = 20, .field_size = 28, .fields = 3, .header_size = 90};
	static const struct http_case cases[] = {
	    HTTP_CASE("three fields", 0, CHUNKED "0\r\nA:\r\nB:\r\nC:\r\n\r\n"),
	    HTTP_CASE("four fields", 431, CHUNKED "0\r\nA:\r\nB:\r\nC:\r\nD:\r\n\r\n"),
	    HTTP_CASE("a field of 28 bytes", 0, CHUNKED "0\r\nX: 4567890123456789012345678\r\n\r\n"),
	    HTTP_CASE("a field of 29 bytes", 431, CHUNKED "0\r\nX: 45678901234567890123456789\r\n\r\n"),
	    HTTP_CASE("90 bytes", 0,
		CHUNKED "0\r\nA: 4567890123456789012345678\r\nB: 4567890123456789012345678\r\nC: "
			"45678901234567890123456\r\n\r\n"),
	    HTTP_CASE("91 bytes", 431,
		CHUNKED "0\r\nA: 4567890123456789012345678\r\nB: 4567890123456789012345678\r\nC: "
			"456789012345678901234567\r\n\r\n"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct outcome *outcome = assert_cuts(&limits, cases[i].text, cases[i].len);

		if (outcome->status != cases[i].status)
			print_error("%s: %s\n", cases[i].name, outcome->text);
		assert_int_equal(outcome->status, cases[i].status);
	}
}

int
main(void)
{
	static const struct CMUnitTest others[] = {
	    cmocka_unit_test(test_the_chunks_are_joined),
	    cmocka_unit_test(test_the_greatest_chunk_size_passes),
	    cmocka_unit_test(test_a_chunk_extension_of_the_limit_passes_and_one_byte_more_is_400),
	    cmocka_unit_test(test_a_trailer_meets_the_limits_of_a_header),
	};
	static struct CMUnitTest tests[ARRAY_LEN(rows) + ARRAY_LEN(others)];

	http_case_tests(tests, rows, ARRAY_LEN(rows));
	memcpy(tests + ARRAY_LEN(rows), others, sizeof(others));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
