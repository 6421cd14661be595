/* Unit tests of common/access_log_format: what both syntaxes come to, and what a mistake is answered with. */
#include "common/access_log_format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct access_log_format format;
static char why[256];

static void
parse(enum access_log_style style, const char *text)
{
	strcpy(why, "nothing");
	assert_int_equal(access_log_format_parse(&format, style, text, why, sizeof(why)), 0);
	assert_string_equal(why, "nothing");
}

/* expect checks item I; TEXT is that of a piece of text or of an answer's field, else NULL. */
static void
expect(size_t i, enum access_log_kind kind, const char *text)
{
	assert_true(i < format.count);
	assert_int_equal(format.items[i].kind, kind);
	if (text == NULL) {
		assert_null(format.items[i].text);
		return;
	}
	assert_int_equal(format.items[i].len, strlen(text));
	assert_memory_equal(format.items[i].text, text, strlen(text));
}

static void
test_aiohttps_default(void **state)
{
	(void)state;
	parse(ACCESS_LOG_AIOHTTP, NULL);
	expect(0, ACCESS_LOG_PEER, NULL);
	expect(1, ACCESS_LOG_TEXT, " ");
	expect(2, ACCESS_LOG_TIME_BEGUN, NULL);
	expect(3, ACCESS_LOG_TEXT, " \"");
	expect(4, ACCESS_LOG_FIRST_LINE, NULL);
	expect(5, ACCESS_LOG_TEXT, "\" ");
	expect(6, ACCESS_LOG_STATUS, NULL);
	expect(8, ACCESS_LOG_SENT_BYTES, NULL);
	expect(10, ACCESS_LOG_REFERER, NULL);
	expect(11, ACCESS_LOG_TEXT, "\" \"");
	expect(12, ACCESS_LOG_USER_AGENT, NULL);
	expect(13, ACCESS_LOG_TEXT, "\"");
	assert_int_equal(format.count, 14);
	assert_true(format.needs_time);
	assert_false(format.needs_head);
	assert_null(format.wanted[0]); /* the request has these two anyway */
}

static void
test_gunicorns_default(void **state)
{
	static const enum access_log_kind kinds[] = {ACCESS_LOG_PEER, ACCESS_LOG_DASH, ACCESS_LOG_USER,
	    ACCESS_LOG_TIME_NOW, ACCESS_LOG_FIRST_LINE, ACCESS_LOG_STATUS, ACCESS_LOG_BODY_BYTES, ACCESS_LOG_REFERER,
	    ACCESS_LOG_USER_AGENT};

	(void)state;
	parse(ACCESS_LOG_GUNICORN, NULL);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		expect(2 * i, kinds[i], NULL);
	assert_int_equal(format.count, 2 * ARRAY_LEN(kinds));
	assert_false(format.needs_time);
	assert_false(format.needs_head);
	assert_string_equal(format.wanted[0], "authorization");
	assert_null(format.wanted[1]);
}

static void
test_every_atom(void **state)
{
	static const struct {
		enum access_log_style style;
		const char *text;
		enum access_log_kind kind;
		bool needs_time;
	} rows[] = {
	    {ACCESS_LOG_AIOHTTP, "%a", ACCESS_LOG_PEER, false},
	    {ACCESS_LOG_AIOHTTP, "%t", ACCESS_LOG_TIME_BEGUN, true},
	    {ACCESS_LOG_AIOHTTP, "%P", ACCESS_LOG_PID, false},
	    {ACCESS_LOG_AIOHTTP, "%r", ACCESS_LOG_FIRST_LINE, false},
	    {ACCESS_LOG_AIOHTTP, "%s", ACCESS_LOG_STATUS, false},
	    {ACCESS_LOG_AIOHTTP, "%b", ACCESS_LOG_SENT_BYTES, false},
	    {ACCESS_LOG_AIOHTTP, "%T", ACCESS_LOG_SECONDS_ROUNDED, true},
	    {ACCESS_LOG_AIOHTTP, "%Tf", ACCESS_LOG_SECONDS_FULL, true},
	    {ACCESS_LOG_AIOHTTP, "%D", ACCESS_LOG_MICROSECONDS, true},
	    {ACCESS_LOG_AIOHTTP, "%{REFERER}i", ACCESS_LOG_REFERER, false},
	    {ACCESS_LOG_AIOHTTP, "%{Content-Type}i", ACCESS_LOG_CONTENT_TYPE, false},
	    {ACCESS_LOG_GUNICORN, "%(h)s", ACCESS_LOG_PEER, false},
	    {ACCESS_LOG_GUNICORN, "%(l)s", ACCESS_LOG_DASH, false},
	    {ACCESS_LOG_GUNICORN, "%(u)s", ACCESS_LOG_USER, false},
	    {ACCESS_LOG_GUNICORN, "%(t)s", ACCESS_LOG_TIME_NOW, false},
	    {ACCESS_LOG_GUNICORN, "%(r)s", ACCESS_LOG_FIRST_LINE, false},
	    {ACCESS_LOG_GUNICORN, "%(m)s", ACCESS_LOG_METHOD, false},
	    {ACCESS_LOG_GUNICORN, "%(U)s", ACCESS_LOG_PATH, false},
	    {ACCESS_LOG_GUNICORN, "%(q)s", ACCESS_LOG_QUERY, false},
	    {ACCESS_LOG_GUNICORN, "%(H)s", ACCESS_LOG_PROTOCOL, false},
	    {ACCESS_LOG_GUNICORN, "%(s)s", ACCESS_LOG_STATUS, false},
	    {ACCESS_LOG_GUNICORN, "%(b)s", ACCESS_LOG_BODY_BYTES, false},
	    {ACCESS_LOG_GUNICORN, "%(B)s", ACCESS_LOG_BODY_BYTES, false},
	    {ACCESS_LOG_GUNICORN, "%(f)s", ACCESS_LOG_REFERER, false},
	    {ACCESS_LOG_GUNICORN, "%(a)s", ACCESS_LOG_USER_AGENT, false},
	    {ACCESS_LOG_GUNICORN, "%(D)s", ACCESS_LOG_MICROSECONDS, true},
	    {ACCESS_LOG_GUNICORN, "%(M)s", ACCESS_LOG_MILLISECONDS, true},
	    {ACCESS_LOG_GUNICORN, "%(T)s", ACCESS_LOG_SECONDS_WHOLE, true},
	    {ACCESS_LOG_GUNICORN, "%(L)s", ACCESS_LOG_SECONDS_FULL, true},
	    {ACCESS_LOG_GUNICORN, "%(p)s", ACCESS_LOG_PID, false},
	    {ACCESS_LOG_GUNICORN, "%({User-Agent}i)s", ACCESS_LOG_USER_AGENT, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		parse(rows[i].style, rows[i].text);
		assert_int_equal(format.count, 1);
		expect(0, rows[i].kind, NULL);
		assert_int_equal(format.needs_time, rows[i].needs_time);
		assert_false(format.needs_head);
	}
}

static void
test_fields_by_name(void **state)
{
	static const struct {
		enum access_log_style style;
		const char *text;
	} rows[] = {
	    {ACCESS_LOG_AIOHTTP, "%{X-One}i%{Host}i%{x-oNE}i%{Server}o"},
	    {ACCESS_LOG_GUNICORN, "%({X-One}i)s%({Host}i)s%({x-oNE}i)s%({Server}o)s"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		parse(rows[i].style, rows[i].text);
		for (size_t item = 0; item < 3; item++)
			expect(item, ACCESS_LOG_REQUEST_FIELD, NULL);
		expect(3, ACCESS_LOG_RESPONSE_FIELD, "server");
		assert_int_equal(format.items[0].slot, 0);
		assert_int_equal(format.items[1].slot, 1);
		assert_int_equal(format.items[2].slot, 0); /* one field, whatever its case */
		assert_string_equal(format.wanted[0], "x-one");
		assert_string_equal(format.wanted[1], "host");
		assert_null(format.wanted[2]);
		assert_true(format.needs_head);
		assert_false(format.needs_time);
	}
}

static void
test_text_and_percent_signs(void **state)
{
	(void)state;
	for (int style = ACCESS_LOG_AIOHTTP; style <= ACCESS_LOG_GUNICORN; style++) {
		char joined[64] = "";

		parse((enum access_log_style)style, "100%% sure%%%%\t%%\xc3\xa9");
		for (size_t i = 0; i < format.count; i++) {
			assert_int_equal(format.items[i].kind, ACCESS_LOG_TEXT);
			strncat(joined, format.items[i].text, format.items[i].len);
		}
		assert_string_equal(joined, "100% sure%%\t%\xc3\xa9");
	}
	/* The longest atom that fits is meant, as in aiohttp. */
	parse(ACCESS_LOG_AIOHTTP, "%Tfx%Tx");
	expect(0, ACCESS_LOG_SECONDS_FULL, NULL);
	expect(1, ACCESS_LOG_TEXT, "x");
	expect(2, ACCESS_LOG_SECONDS_ROUNDED, NULL);
	expect(3, ACCESS_LOG_TEXT, "x");
}

static void
test_a_mistake_is_told_with_its_place(void **state)
{
	static const struct {
		enum access_log_style style;
		const char *text, *message;
	} rows[] = {
	    {ACCESS_LOG_AIOHTTP, "", "a format has 1 to 1023 characters"},
	    {ACCESS_LOG_AIOHTTP, "%a %z",
		"at character 4: no such atom; use %a %t %P %r %s %b %T %Tf %D %{Name}i %{Name}o, or %% for a percent "
		"sign"},
	    {ACCESS_LOG_AIOHTTP, "%a%", "at character 3: no such atom; use %a %t "},
	    {ACCESS_LOG_AIOHTTP, "%(h)s", "at character 1: no such atom; use %a %t "},
	    {ACCESS_LOG_AIOHTTP, "%O", "at character 1: no such atom; use %a %t "},
	    {ACCESS_LOG_AIOHTTP, "%{}i", "at character 3: the name of a field ends with } and has letters, "},
	    {ACCESS_LOG_AIOHTTP, "%{a b}i", "at character 4: the name of a field ends with } and has letters, "},
	    {ACCESS_LOG_AIOHTTP, "%{a", "at character 4: the name of a field ends with } and has letters, "},
	    {ACCESS_LOG_AIOHTTP, "%{HOME}e", "at character 8: after } stands i for a field of the request, o for one "},
	    {ACCESS_LOG_AIOHTTP, "%{HOME}", "at character 8: after } stands i for a field of the request, o for one "},
	    {ACCESS_LOG_AIOHTTP, "%a\n%t", "at character 3: a control character would end or spoil the line"},
	    {ACCESS_LOG_AIOHTTP, "%{A}i%{B}i%{C}i%{D}i%{E}i%{F}i%{G}i%{H}i%{Referer}i%{a}i%{I}i",
		"at character 57: this is one request field too many; at most 8 different ones can be logged"},
	    {ACCESS_LOG_GUNICORN, "%a", "at character 1: no such atom; use %(X)s with one of h l u t r m U q "},
	    {ACCESS_LOG_GUNICORN, "-%(x)s", "at character 2: no such atom; use %(X)s with one of "},
	    {ACCESS_LOG_GUNICORN, "%(h)d", "at character 1: no such atom; use %(X)s with one of "},
	    {ACCESS_LOG_GUNICORN, "%(hh)s", "at character 1: no such atom; use %(X)s with one of "},
	    {ACCESS_LOG_GUNICORN, "%()s", "at character 1: no such atom; use %(X)s with one of "},
	    {ACCESS_LOG_GUNICORN, "%(h", "at character 1: no such atom; use %(X)s with one of "},
	    {ACCESS_LOG_GUNICORN, "%({A}i)", "at character 1: no such atom; use %(X)s with one of "},
	    {ACCESS_LOG_GUNICORN, "%({A}e)s", "at character 6: after } stands i for a field of the request, o for "},
	    {ACCESS_LOG_GUNICORN,
		"%({A}i)s%({B}i)s%({C}i)s%({D}i)s%({E}i)s%({F}i)s%({G}i)s%({H}i)s%({Authorization}i)s",
		"at character 65: this is one request field too many"},
	    {ACCESS_LOG_GUNICORN, "%({A}i)s%({B}i)s%({C}i)s%({D}i)s%({E}i)s%({F}i)s%({G}i)s%({H}i)s%(u)s",
		"at character 65: this is one request field too many"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(
		    access_log_format_parse(&format, rows[i].style, rows[i].text, why, sizeof(why)), -EINVAL);
		assert_memory_equal(why, rows[i].message, strlen(rows[i].message));
	}
}

static void
test_as_long_as_it_may_be_and_longer(void **state)
{
	char text[ACCESS_LOG_FORMAT_MAX + 1];
	static const char *const last[] = {"%%", "%s", "%{Host}i", "%{Date}o", "x"};

	(void)state;
	memset(text, 'x', sizeof(text));
	text[ACCESS_LOG_FORMAT_MAX - 1] = '\0';
	parse(ACCESS_LOG_AIOHTTP, text);
	expect(0, ACCESS_LOG_TEXT, text);
	text[ACCESS_LOG_FORMAT_MAX - 1] = 'x';
	text[ACCESS_LOG_FORMAT_MAX] = '\0';
	assert_int_equal(access_log_format_parse(&format, ACCESS_LOG_AIOHTTP, text, why, sizeof(why)), -EINVAL);
	assert_string_equal(why, "a format has 1 to 1023 characters");

	for (int i = 0; i < ACCESS_LOG_ITEMS_MAX; i++)
		memcpy(text + 2 * i, "%a", 2);
	text[2 * ACCESS_LOG_ITEMS_MAX] = '\0';
	parse(ACCESS_LOG_AIOHTTP, text);
	assert_int_equal(format.count, ACCESS_LOG_ITEMS_MAX);
	for (size_t i = 0; i < ARRAY_LEN(last); i++) {
		strcpy(text + 2 * ACCESS_LOG_ITEMS_MAX, last[i]);
		assert_int_equal(access_log_format_parse(&format, ACCESS_LOG_AIOHTTP, text, why, sizeof(why)), -EINVAL);
		assert_non_null(strstr(why, ": this is more than 64 atoms and pieces of text"));
		assert_memory_equal(why, "at character 1", 14);
	}
}

/* Whatever bytes it gets, it ends, and an item's text lies within the format's own copy. */
static void
test_any_bytes(void **state)
{
	static const char letters[] = "%%%%{}()iosTfxahu-_\n\x80";
	uint32_t seed = 1;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		char text[24];
		size_t len = 0;

		while (len < sizeof(text) - 1) {
			seed = seed * 1103515245 + 12345;
			text[len++] = letters[(seed >> 16) % sizeof(letters)];
		}
		text[len] = '\0';
		if (access_log_format_parse(&format, round % 2 == 0 ? ACCESS_LOG_AIOHTTP : ACCESS_LOG_GUNICORN, text,
			why, sizeof(why)) != 0)
			continue;
		assert_in_range(format.count, 1, sizeof(text));
		for (size_t i = 0; i < format.count; i++) {
			const struct access_log_item *item = &format.items[i];

			assert_true(item->text == NULL || (item->text >= format.own && item->len > 0 &&
							      item->text + item->len <= format.own + strlen(text)));
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_aiohttps_default),
	    cmocka_unit_test(test_gunicorns_default),
	    cmocka_unit_test(test_every_atom),
	    cmocka_unit_test(test_fields_by_name),
	    cmocka_unit_test(test_text_and_percent_signs),
	    cmocka_unit_test(test_a_mistake_is_told_with_its_place),
	    cmocka_unit_test(test_as_long_as_it_may_be_and_longer),
	    cmocka_unit_test(test_any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
