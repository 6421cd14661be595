/* Unit tests of async_server/ws_utf8: each character there is, each sequence of three bytes, and cuts. */
#include "async_server/ws_utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/compiler.h"

static bool
is_text(const char *text, size_t len)
{
	struct ws_utf8 utf8 = {0};

	return ws_utf8_add(&utf8, text, len) && ws_utf8_is_whole(&utf8);
}

/* encode writes CODE with LEN bytes, shortest form or not. */
static void
encode(char *text, uint32_t code, int len)
{
	static const uint8_t leads[] = {0, 0, 0xc0, 0xe0, 0xf0};

	for (int i = len - 1; i > 0; i--, code >>= 6)
		text[i] = (char)(0x80 | (code & 0x3f));
	text[0] = (char)(leads[len] | code);
}

static int
shortest(uint32_t code)
{
	return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

static bool
is_scalar(uint32_t code)
{
	return code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
}

static void
every_character_is_text_in_its_shortest_form_alone(void **state)
{
	char text[4];

	(void)state;
	for (int len = 2; len <= 4; len++) {
		uint32_t end = len == 2 ? 0x800 : len == 3 ? 0x10000 : 0x200000;

		for (uint32_t code = 0; code < end; code++) {
			encode(text, code, len);
			assert_int_equal(is_text(text, (size_t)len), is_scalar(code) && shortest(code) == len);
		}
	}
}

/* reads_as is a decoder of another make: the length of the character that TEXT begins with, 0 for none. */
static size_t
reads_as(const uint8_t *text, size_t len)
{
	size_t size = text[0] < 0x80 ? 1 : text[0] >> 5 == 6 ? 2 : text[0] >> 4 == 14 ? 3 : text[0] >> 3 == 30 ? 4 : 0;
	uint32_t code = text[0] & (0xffu >> (size + 1));

	if (size == 1)
		return 1;
	if (size == 0 || size > len)
		return 0;
	for (size_t i = 1; i < size; i++) {
		if (text[i] >> 6 != 2)
			return 0;
		code = code << 6 | (text[i] & 0x3fu);
	}
	return is_scalar(code) && shortest(code) == (int)size ? size : 0;
}

static void
every_sequence_of_three_bytes_is_judged_as_by_another_decoder(void **state)
{
	(void)state;
	for (uint32_t bytes = 0; bytes < 1u << 24; bytes++) {
		uint8_t text[3] = {(uint8_t)(bytes >> 16), (uint8_t)(bytes >> 8), (uint8_t)bytes};
		size_t at = 0, size;

		while (at < 3 && (size = reads_as(text + at, 3 - at)) > 0)
			at += size;
		if (is_text((const char *)text, 3) != (at == 3))
			fail_msg("%06x", bytes);
	}
}

static void
a_cut_changes_nothing(void **state)
{
	static const char *const texts[] = {
	    "only ascii, and longer than a word of it",
	    "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5",
	    ("12345678\xf0\x9f\x98\x80"
	     "12345678 and more \xef\xbf\xbf"),
	    "\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80\xc2\x80",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		size_t len = strlen(texts[i]);

		for (size_t cut = 0; cut <= len; cut++) {
			struct ws_utf8 utf8 = {0};

			assert_true(ws_utf8_add(&utf8, texts[i], cut));
			assert_int_equal(ws_utf8_is_whole(&utf8), ((uint8_t)texts[i][cut] & 0xc0) != 0x80);
			assert_true(ws_utf8_add(&utf8, texts[i] + cut, len - cut));
			assert_true(ws_utf8_is_whole(&utf8));
		}
	}
}

static void
a_fault_is_found_wherever_it_stands(void **state)
{
	char text[40];

	(void)state;
	for (size_t at = 0; at < sizeof(text); at++) {
		memset(text, 'a', sizeof(text));
		text[at] = '\x80';
		assert_false(is_text(text, sizeof(text)));
		text[at] = '\xc3';
		assert_false(is_text(text, sizeof(text)));
	}
}

static void
a_fault_is_found_at_its_first_byte(void **state)
{
	struct ws_utf8 utf8 = {0};

	(void)state;
	/* U+110000 cannot become text any more once its second byte is there: nothing waits for the others. */
	assert_true(ws_utf8_add(&utf8, "\xf4", 1));
	assert_false(ws_utf8_add(&utf8, "\x90", 1));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_character_is_text_in_its_shortest_form_alone),
	    cmocka_unit_test(every_sequence_of_three_bytes_is_judged_as_by_another_decoder),
	    cmocka_unit_test(a_cut_changes_nothing),
	    cmocka_unit_test(a_fault_is_found_wherever_it_stands),
	    cmocka_unit_test(a_fault_is_found_at_its_first_byte),
	};

	return cmocka_run_group_tests_name("async_server/ws_utf8", tests, NULL, NULL);
}
