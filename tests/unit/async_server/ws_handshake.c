/* Unit tests of async_server/ws_handshake: what is accepted, what is refused in which words, which compression. */
#include "async_server/ws_handshake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/compiler.h"

#define KEY "dGhlIHNhbXBsZSBub25jZQ=="

static struct http_span
span(const char *text)
{
	return (struct http_span){text, text == NULL ? 0 : strlen(text)};
}

/* ask returns the answer to these fields; NULL: none. */
static const struct ws_answer *
ask(const char *upgrade, const char *connection, const char *version, const char *key, const char *extensions)
{
	static struct ws_answer answer;
	struct ws_fields fields = {span(upgrade), span(connection), span(version), span(key), span(extensions)};

	memset(&answer, 0x5a, sizeof(answer));
	ws_handshake_answer(&answer, &fields);
	return &answer;
}

static void
test_the_example_of_the_rfc(void **state)
{
	const struct ws_answer *answer = ask("websocket", "Upgrade", "13", KEY, NULL);

	(void)state;
	assert_int_equal(answer->status, 101);
	assert_string_equal(answer->fields,
	    "Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n");
	assert_int_equal(answer->deflate.window_bits, 0);
}

static void
test_what_is_accepted_too(void **state)
{
	(void)state;
	assert_int_equal(ask("WebSocket", "keep-alive, Upgrade", "8", KEY, NULL)->status, 101);
	assert_int_equal(ask(" websocket\t", "UPGRADE", "7", "AAAAAAAAAAAAAAAAAAAAAA==", NULL)->status, 101);
}

static void
test_refusals_are_worded_as_aiohttp_does(void **state)
{
	static const struct {
		const char *upgrade, *connection, *version, *key, *text;
	} rows[] = {
	    {NULL, "Upgrade", "13", KEY, "No WebSocket UPGRADE hdr: None\n Can \"Upgrade\" only to \"WebSocket\"."},
	    {"h2c", "Upgrade", "13", KEY, "No WebSocket UPGRADE hdr: h2c\n Can \"Upgrade\" only to \"WebSocket\"."},
	    {"websocket, h2c", "Upgrade", "13", KEY,
		"No WebSocket UPGRADE hdr: websocket, h2c\n Can \"Upgrade\" only to \"WebSocket\"."},
	    {"websocket", NULL, "13", KEY, "No CONNECTION upgrade hdr: None"},
	    {"websocket", "keep-alive", "13", KEY, "No CONNECTION upgrade hdr: keep-alive"},
	    {"websocket", "upgrad", "13", KEY, "No CONNECTION upgrade hdr: upgrad"},
	    {"websocket", "upgrade", NULL, KEY, "Unsupported version: "},
	    {"websocket", "upgrade", "12", KEY, "Unsupported version: 12"},
	    {"websocket", "upgrade", "13, 8", KEY, "Unsupported version: 13, 8"},
	    {"websocket", "upgrade", "13", NULL, "Handshake error: None"},
	    {"websocket", "upgrade", "13", "", "Handshake error: ''"},
	    {"websocket", "upgrade", "13", "abc", "Handshake error: 'abc'"},
	    {"websocket", "upgrade", "13", "it's \"x", "Handshake error: 'it\\'s \"x'"},
	    {"websocket", "upgrade", "13", "it's \\x", "Handshake error: \"it's \\\\x\""},
	    {"websocket", "upgrade", "13", "a\tb\x80", "Handshake error: 'a\\tb\\x80'"},
	    {"websocket", "upgrade", "13", "dGhlIHNhbXBsZSBub25jZQ=", "Handshake error: 'dGhlIHNhbXBsZSBub25jZQ='"},
	    {"websocket", "upgrade", "13", "dGhlIHNhbXBsZSBub25jZSE=", "Handshake error: 'dGhlIHNhbXBsZSBub25jZSE='"},
	    {"websocket", "upgrade", "13", "dGhlIHNhbXBsZSBub25jZ-==", "Handshake error: 'dGhlIHNhbXBsZSBub25jZ-=='"},
	    {"websocket", "upgrade", "13", "dGhlIHNhbXBs ZSBub25jZQ=", "Handshake error: 'dGhlIHNhbXBs ZSBub25jZQ='"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct ws_answer *answer =
		    ask(rows[i].upgrade, rows[i].connection, rows[i].version, rows[i].key, "permessage-deflate");

		assert_int_equal(answer->status, 400);
		assert_string_equal(answer->text, rows[i].text);
		assert_int_equal(answer->deflate.window_bits, 0);
	}
}

static void
test_a_version_that_is_not_ours_is_told_which_are(void **state)
{
	(void)state;
	assert_string_equal(
	    ask("websocket", "upgrade", "12", KEY, NULL)->fields, "Sec-WebSocket-Version: 13, 8, 7\r\n");
	assert_string_equal(ask("h2c", "upgrade", "12", KEY, NULL)->fields, "");
}

static void
test_a_long_value_is_cut_in_the_answer(void **state)
{
	static const char fillers[] = {'a', '\'', '\\', '\t', '\x80'};
	char value[9000];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fillers); i++) {
		const struct ws_answer *answer;

		memset(value, fillers[i], sizeof(value) - 1);
		value[sizeof(value) - 1] = '\0';
		answer = ask("websocket", "upgrade", "13", value, NULL);
		assert_true(strlen(answer->text) < WS_ANSWER_TEXT_MAX);
		assert_non_null(strstr(answer->text, "..."));
		answer = ask(value, "upgrade", "13", KEY, NULL);
		assert_true(strlen(answer->text) < WS_ANSWER_TEXT_MAX);
		assert_non_null(strstr(answer->text, "...\n Can \"Upgrade\" only to \"WebSocket\"."));
		assert_int_equal(ask("websocket", value, "13", KEY, NULL)->status, 400);
		assert_int_equal(ask("websocket", "upgrade", value, KEY, NULL)->status, 400);
		assert_int_equal(ask("websocket", "upgrade", "13", KEY, value)->status, 101);
	}
}

static void
test_compression_is_negotiated(void **state)
{
	static const struct {
		const char *offer, *answer; /* NULL: none */
	} rows[] = {
	    {"permessage-deflate", "permessage-deflate"},
	    {"Permessage-Deflate", "permessage-deflate"},
	    {"permessage-deflate; client_max_window_bits", "permessage-deflate"},
	    {"permessage-deflate;client_max_window_bits=8", "permessage-deflate"},
	    {"permessage-deflate; client_no_context_takeover", "permessage-deflate"},
	    {"permessage-deflate; server_max_window_bits=15", "permessage-deflate"},
	    {"permessage-deflate; server_max_window_bits=9", "permessage-deflate; server_max_window_bits=9"},
	    {"permessage-deflate; server_max_window_bits=\"10\"", "permessage-deflate; server_max_window_bits=10"},
	    {"permessage-deflate ; server_max_window_bits = 10", "permessage-deflate; server_max_window_bits=10"},
	    {"permessage-deflate; server_no_context_takeover", "permessage-deflate; server_no_context_takeover"},
	    {"permessage-deflate; server_max_window_bits=12; client_no_context_takeover; server_no_context_takeover; "
	     "client_max_window_bits=10",
		"permessage-deflate; server_max_window_bits=12; server_no_context_takeover"},
	    {"x-webkit-deflate-frame, permessage-deflate", "permessage-deflate"},
	    {"permessage-deflate; server_max_window_bits=8, permessage-deflate", "permessage-deflate"},
	    {"permessage-deflate; unknown, permessage-deflate; server_max_window_bits=11",
		"permessage-deflate; server_max_window_bits=11"},
	    {"permessage-deflate; server_max_window_bits=11, permessage-deflate",
		"permessage-deflate; server_max_window_bits=11"},
	    {"permessage-deflate; server_no_context_takeover; unknown, permessage-deflate", "permessage-deflate"},
	    {"", NULL},
	    {",;,", NULL},
	    {"x-webkit-deflate-frame", NULL},
	    {"permessage-deflated", NULL},
	    {"x-permessage-deflate", NULL},
	    {"permessage-deflate;", NULL},
	    {"permessage-deflate; unknown", NULL},
	    {"permessage-deflate; server_max_window_bits", NULL},
	    {"permessage-deflate; server_max_window_bits=", NULL},
	    {"permessage-deflate; server_max_window_bits=8", NULL},
	    {"permessage-deflate; server_max_window_bits=16", NULL},
	    {"permessage-deflate; server_max_window_bits=09", NULL},
	    {"permessage-deflate; server_max_window_bits=\"", NULL},
	    {"permessage-deflate; server_max_window_bits=1x", NULL},
	    {"permessage-deflate; server_max_window_bits=4294967306", NULL},
	    {"permessage-deflate; client_max_window_bits=7", NULL},
	    {"permessage-deflate; server_no_context_takeover=1", NULL},
	    {"permessage-deflate; server_no_context_takeover; server_no_context_takeover", NULL},
	    {"permessage-deflate; server_max_window_bits=10; server_max_window_bits=10", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct ws_answer *answer = ask("websocket", "upgrade", "13", KEY, rows[i].offer);
		const char *field = strstr(answer->fields, "Sec-WebSocket-Extensions: ");

		assert_int_equal(answer->status, 101);
		assert_int_equal(answer->deflate.window_bits != 0, rows[i].answer != NULL);
		if (rows[i].answer == NULL) {
			assert_null(field);
			continue;
		}
		assert_non_null(field);
		field += strlen("Sec-WebSocket-Extensions: ");
		assert_int_equal(strlen(field), strlen(rows[i].answer) + 2);
		assert_memory_equal(field, rows[i].answer, strlen(rows[i].answer));
		assert_string_equal(field + strlen(rows[i].answer), "\r\n");
	}
}

static void
test_nothing_behind_a_field_is_read(void **state)
{
	static const char *const texts[] = {
	    "websocket", "upgrade", "13", KEY, "permessage-deflate; server_max_window_bits=10"};
	struct ws_fields fields;
	struct http_span *spans[] = {
	    &fields.upgrade, &fields.connection, &fields.version, &fields.key, &fields.extensions};
	struct ws_answer answer;
	char *copies[ARRAY_LEN(texts)];

	(void)state;
	/* On the heap, each in a piece of its own: AddressSanitizer and valgrind watch the ends. */
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		copies[i] = malloc(strlen(texts[i]));
		assert_non_null(copies[i]);
		memcpy(copies[i], texts[i], strlen(texts[i]));
		*spans[i] = (struct http_span){copies[i], strlen(texts[i])};
	}
	ws_handshake_answer(&answer, &fields);
	assert_int_equal(answer.status, 101);
	assert_int_equal(answer.deflate.window_bits, 10);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		spans[i]->len--;
		ws_handshake_answer(&answer, &fields);
		assert_int_equal(answer.status, i < 4 ? 400 : 101);
		spans[i]->len++;
	}
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		free(copies[i]);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_example_of_the_rfc),
	    cmocka_unit_test(test_what_is_accepted_too),
	    cmocka_unit_test(test_refusals_are_worded_as_aiohttp_does),
	    cmocka_unit_test(test_a_version_that_is_not_ours_is_told_which_are),
	    cmocka_unit_test(test_a_long_value_is_cut_in_the_answer),
	    cmocka_unit_test(test_compression_is_negotiated),
	    cmocka_unit_test(test_nothing_behind_a_field_is_read),
	};

	return cmocka_run_group_tests_name("async_server/ws_handshake", tests, NULL, NULL);
}
