/* Unit tests of common/json_text: jansson, which is strict about UTF-8 and escapes, reads back what was escaped. */
#include "common/json_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/compiler.h"

/* read_back expects LEN bytes TEXT to be the inside of one JSON string, of printable ASCII alone, and returns what it says. */
static json_t *
read_back(const char *text, size_t len)
{
	char document[1024];
	json_error_t error;
	json_t *value;

	for (size_t i = 0; i < len; i++)
		assert_in_range(text[i], 0x20, 0x7e);
	assert_true(len + 3 < sizeof(document));
	document[0] = '"';
	memcpy(document + 1, text, len);
	document[len + 1] = '"';
	value = json_loadb(document, len + 2, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
	assert_non_null(value);
	return value;
}

static void
expect(const char *bytes, size_t len, const char *escaped)
{
	/* In memory of its own size, so that a read beyond it is found. */
	char *own = malloc(len + 1), out[128];
	size_t used;

	assert_non_null(own);
	memcpy(own + 1, bytes, len);
	used = json_escape(out, sizeof(out), own + 1, len);
	free(own);
	assert_int_equal(used, strlen(escaped));
	assert_memory_equal(out, escaped, used);
	json_decref(read_back(out, used));
}

static void
test_what_each_byte_becomes(void **state)
{
	static const struct {
		const char *bytes, *escaped;
	} rows[] = {
	    {"", ""},
	    {"plain ~ text / 'x'", "plain ~ text / 'x'"},
	    {"a\"b\\c", "a\\\"b\\\\c"},
	    {"\r\n\t\x1b\x7f", "\\u000d\\u000a\\u0009\\u001b\\u007f"},
	    {"\xc3\xa9", "\\u00e9"},
	    {"\xe2\x82\xac", "\\u20ac"},
	    {"\xe2\x80\xa8\xc2\x85", "\\u2028\\u0085"},
	    {"\xf0\x9f\x98\x80", "\\ud83d\\ude00"},
	    {"\xf4\x8f\xbf\xbf", "\\udbff\\udfff"},
	    {"\xf0\x90\x80\x80", "\\ud800\\udc00"},
	    {"\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf", "\\ud7ff\\ue000\\uffff"},
	    /* Not UTF-8: Latin-1, a lone continuation, longer than needed, surrogates, above U+10FFFF, never valid, cut off. */
	    {"caf\xe9!", "caf\\u00e9!"},
	    {"\x80\xbf", "\\u0080\\u00bf"},
	    {"\xc0\xaf\xc1\xbf", "\\u00c0\\u00af\\u00c1\\u00bf"},
	    {"\xe0\x9f\xbf", "\\u00e0\\u009f\\u00bf"},
	    {"\xf0\x8f\xbf\xbf", "\\u00f0\\u008f\\u00bf\\u00bf"},
	    {"\xed\xa0\x80\xed\xbf\xbf", "\\u00ed\\u00a0\\u0080\\u00ed\\u00bf\\u00bf"},
	    {"\xf4\x90\x80\x80", "\\u00f4\\u0090\\u0080\\u0080"},
	    {"\xf5\x80\x80\x80\xf8\x88\x80\x80\x80\xfe\xff",
		"\\u00f5\\u0080\\u0080\\u0080\\u00f8\\u0088\\u0080\\u0080\\u0080\\u00fe\\u00ff"},
	    {"\xc3", "\\u00c3"},
	    {"\xe2\x82", "\\u00e2\\u0082"},
	    {"\xf0\x9f\x98", "\\u00f0\\u009f\\u0098"},
	    {"\xe2\x82x\xf0\x9f\xc3\xa9", "\\u00e2\\u0082x\\u00f0\\u009f\\u00e9"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		expect(rows[i].bytes, strlen(rows[i].bytes), rows[i].escaped);
	expect("a\0b", 3, "a\\u0000b");
}

/* utf8 writes CODE to OUT[4] and returns its length. */
static size_t
utf8(char *out, uint32_t code)
{
	if (code < 0x80)
		return (size_t)sprintf(out, "%c", (int)code);
	if (code < 0x800)
		return (size_t)sprintf(out, "%c%c", (int)(0xc0 | code >> 6), (int)(0x80 | (code & 0x3f)));
	if (code < 0x10000)
		return (size_t)sprintf(out, "%c%c%c", (int)(0xe0 | code >> 12), (int)(0x80 | (code >> 6 & 0x3f)),
		    (int)(0x80 | (code & 0x3f)));
	return (size_t)sprintf(out, "%c%c%c%c", (int)(0xf0 | code >> 18), (int)(0x80 | (code >> 12 & 0x3f)),
	    (int)(0x80 | (code >> 6 & 0x3f)), (int)(0x80 | (code & 0x3f)));
}

static void
test_every_character_reads_back_as_itself(void **state)
{
	(void)state;
	/* All below U+0800, and then the ends of every 61st stretch. */
	for (uint32_t code = 0; code < 0x110000; code += code < 0x800 ? 1 : 61) {
		char bytes[8], out[16];
		size_t len = utf8(bytes, code);
		json_t *value;

		if (code >= 0xd800 && code < 0xe000)
			continue;
		value = read_back(out, json_escape(out, sizeof(out), bytes, len));
		assert_int_equal(json_string_length(value), len);
		assert_memory_equal(json_string_value(value), bytes, len);
		json_decref(value);
	}
}

static void
test_what_does_not_fit_is_cut_between_characters(void **state)
{
	static const char bytes[] = "x\"\xc3\xa9\xf0\x9f\x98\x80\x01y";
	static const size_t ends[] = {1, 3, 9, 21, 27, 28};
	char out[64];

	(void)state;
	for (size_t size = 0; size < 40; size++) {
		size_t used, last = 0;

		memset(out, '#', sizeof(out));
		used = json_escape(out, size, bytes, sizeof(bytes) - 1);
		for (size_t i = 0; i < ARRAY_LEN(ends) && ends[i] <= size; i++)
			last = ends[i];
		assert_int_equal(used, last);
		assert_int_equal(out[used], '#');
		json_decref(read_back(out, used));
	}
}

static void
test_any_bytes_give_valid_json(void **state)
{
	static const unsigned char bytes[] = {0x00, 0x22, 0x5c, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc1, 0xc2,
	    0xdf, 0xe0, 0xe1, 0xed, 0xef, 0xf0, 0xf1, 0xf4, 0xf5, 0xff, 'a'};
	uint32_t random = 1;

	(void)state;
	for (int round = 0; round < 50000; round++) {
		char text[24], out[145];
		size_t len = (size_t)round % sizeof(text), size, used;

		for (size_t i = 0; i < len; i++) {
			random = random * 1103515245 + 12345;
			text[i] = (char)bytes[(random >> 16) % sizeof(bytes)];
		}
		size = (random >> 8) % sizeof(out);
		used = json_escape(out, size, text, len);
		assert_in_range(used, 0, size);
		json_decref(read_back(out, used));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_each_byte_becomes),
	    cmocka_unit_test(test_every_character_reads_back_as_itself),
	    cmocka_unit_test(test_what_does_not_fit_is_cut_between_characters),
	    cmocka_unit_test(test_any_bytes_give_valid_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
