/* Unit tests of async_server/ws_message: text that is none, limits before and after inflating, and no memory. */
#include "async_server/ws_message.h"

#include "tests/unit/async_server/ws_cuts.h"

#include <errno.h>

#define FINAL 0x80
#define RSV1 0x40

/* The test's own realloc: fails while told to. */
static bool no_memory;
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *
__wrap_realloc(void *old, size_t size)
{
	return no_memory ? NULL : __real_realloc(old, size);
}

static void
test_text_that_is_cut_within_a_character_by_frames(void **state)
{
	struct ws_frames frames = {0};

	(void)state;
	ws_frames_add_text(&frames, WS_TEXT, "gr\xc3");
	ws_frames_add_text(&frames, FINAL | WS_PING, "\xff");
	ws_frames_add_text(&frames, WS_CONTINUATION, "\xbc\xf0\x9f");
	ws_frames_add_text(&frames, FINAL | WS_CONTINUATION, "\x98\x80");
	ws_assert_text(&frames, "\nPING \xff\nTEXT gr\xc3\xbc\xf0\x9f\x98\x80\nOPEN");
}

static void
test_text_that_is_none(void **state)
{
	static const char *const texts[] = {"\x80", "abc\xff", "\xc3", "\xed\xa0\x80", "12345678\xf0\x9f\x98"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct ws_frames frames = {0};

		ws_frames_add_text(&frames, FINAL | WS_BINARY, "bytes may be anything: \xff");
		ws_frames_add_text(&frames, FINAL | WS_TEXT, texts[i]);
		ws_assert_text(&frames, "\nBINARY bytes may be anything: \xff\nFAILED 1007 ");
	}
}

static void
test_what_is_no_text_fails_before_the_message_has_ended(void **state)
{
	struct ws_frames frames = {0};

	(void)state;
	ws_frames_add_text(&frames, WS_TEXT, "abc\xff");
	ws_assert_text(&frames, "\nFAILED 1007 ");
}

static void
test_each_text_begins_anew(void **state)
{
	struct ws_frames frames = {0};

	(void)state;
	ws_frames_add_text(&frames, WS_BINARY, "\xc3");
	ws_frames_add_text(&frames, FINAL | WS_CONTINUATION, "\xc3");
	ws_frames_add_text(&frames, FINAL | WS_TEXT, "text");
	ws_assert_text(&frames, "\nBINARY \xc3\xc3\nTEXT text\nOPEN");
}

/* add_compressed adds a message of LEN bytes at DATA, compressed, in frames of PIECE bytes. */
static void
add_compressed(
    struct ws_frames *frames, struct ws_deflate *deflate, int opcode, const char *data, size_t len, size_t piece)
{
	struct ws_buffer buffer = {0};
	const char *at;
	size_t left;

	assert_int_equal(ws_deflate_compress(deflate, &buffer, data, len), 0);
	at = ws_buffer_content(&buffer);
	left = buffer.len;
	for (int first = RSV1 | opcode; left > 0; first = WS_CONTINUATION) {
		size_t size = left < piece ? left : piece;

		left -= size;
		ws_frames_add(frames, first | (left == 0 ? FINAL : 0), at, size);
		at += size;
	}
	ws_buffer_free(&buffer);
}

static void
test_compressed_messages_with_a_common_context(void **state)
{
	struct ws_deflate *deflate = ws_deflate_new((struct ws_deflate_params){.window_bits = 15});
	struct ws_frames frames = {0};
	struct ws_feed feed = {.limit = WS_MESSAGE_MAX, .deflate = true, .data = frames.bytes};

	(void)state;
	assert_non_null(deflate);
	add_compressed(&frames, deflate, WS_TEXT, "gr\xc3\xbc\xc3\x9f dich", 11, 3);
	add_compressed(&frames, deflate, WS_TEXT, "gr\xc3\xbc\xc3\x9f dich", 11, 1000);
	add_compressed(&frames, deflate, WS_BINARY, "", 0, 1000);
	add_compressed(&frames, deflate, WS_TEXT, "", 0, 1000);
	ws_frames_add_text(&frames, FINAL | WS_TEXT, "plain");
	add_compressed(&frames, deflate, WS_BINARY, "gr\xc3\xbc\xc3\x9f dich", 11, 2);
	feed.len = frames.len;
	assert_string_equal(ws_assert_cuts(&feed)->text,
	    "\nTEXT gr\xc3\xbc\xc3\x9f dich\nTEXT gr\xc3\xbc\xc3\x9f dich\nBINARY \nTEXT \nTEXT plain\nBINARY "
	    "gr\xc3\xbc\xc3\x9f dich\nOPEN");
	ws_deflate_free(deflate);
}

static void
test_compressed_text_that_is_none(void **state)
{
	struct ws_deflate *deflate = ws_deflate_new((struct ws_deflate_params){.window_bits = 15});
	struct ws_frames frames = {0};
	struct ws_feed feed = {.limit = WS_MESSAGE_MAX, .deflate = true, .data = frames.bytes};

	(void)state;
	assert_non_null(deflate);
	add_compressed(&frames, deflate, WS_TEXT, "ends within \xc3", 13, 5);
	feed.len = frames.len;
	assert_int_equal(ws_assert_cuts(&feed)->code, WS_CLOSE_INVALID_TEXT);
	ws_deflate_free(deflate);
}

static void
test_what_cannot_be_inflated(void **state)
{
	struct ws_frames frames = {0};
	struct ws_feed feed = {.limit = WS_MESSAGE_MAX, .deflate = true, .data = frames.bytes};

	(void)state;
	ws_frames_add_text(&frames, FINAL | RSV1 | WS_BINARY, "\xff\xff\xff\xff");
	feed.len = frames.len;
	assert_int_equal(ws_assert_cuts(&feed)->code, WS_CLOSE_INVALID_TEXT);
}

/* bomb_outcome is what a message of SIZE equal bytes, which compress well, comes to where LIMIT is the limit. */
static const struct ws_outcome *
bomb_outcome(size_t size, uint32_t limit)
{
	struct ws_deflate *deflate = ws_deflate_new((struct ws_deflate_params){.window_bits = 15});
	static struct ws_frames frames;
	struct ws_feed feed = {.limit = limit, .deflate = true, .data = frames.bytes};
	char *data = calloc(1, size);

	assert_non_null(deflate);
	assert_non_null(data);
	frames.len = 0;
	add_compressed(&frames, deflate, WS_BINARY, data, size, 1000);
	feed.len = frames.len;
	free(data);
	ws_deflate_free(deflate);
	return ws_assert_cuts(&feed);
}

static void
test_a_zip_bomb_ends_at_the_limit(void **state)
{
	(void)state;
	assert_int_equal(bomb_outcome(WS_MESSAGE_MAX, WS_MESSAGE_MAX)->messages, 1);
	assert_int_equal(bomb_outcome(WS_MESSAGE_MAX + 1, WS_MESSAGE_MAX)->code, WS_CLOSE_TOO_BIG);
	assert_int_equal(bomb_outcome(16u << 20, WS_MESSAGE_MAX)->code, WS_CLOSE_TOO_BIG);
	for (uint32_t limit = 4070; limit < 4090; limit++) { /* about the first size of the buffer */
		assert_int_equal(bomb_outcome(limit, limit)->messages, 1);
		assert_int_equal(bomb_outcome(limit + 1, limit)->code, WS_CLOSE_TOO_BIG);
	}
}

static void
test_a_message_that_does_not_shrink_may_be_as_large_as_any(void **state)
{
	struct ws_deflate *deflate = ws_deflate_new((struct ws_deflate_params){.window_bits = 15});
	static struct ws_frames frames;
	static char data[100000];
	struct ws_feed feed = {.limit = sizeof(data), .deflate = true, .data = frames.bytes};
	uint64_t x = 88172645463325252ULL;

	(void)state;
	assert_non_null(deflate);
	for (size_t i = 0; i < sizeof(data); i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		data[i] = (char)x;
	}
	frames.len = 0;
	add_compressed(&frames, deflate, WS_BINARY, data, sizeof(data), sizeof(data) * 2);
	assert_true(frames.len > sizeof(data));
	feed.len = frames.len;
	assert_int_equal(ws_assert_cuts(&feed)->messages, 1);
	ws_deflate_free(deflate);
}

static void
test_without_memory_the_connection_closes_with_1011(void **state)
{
	struct ws_deflate *deflate = ws_deflate_new((struct ws_deflate_params){.window_bits = 15});
	struct ws_frames frames = {0};
	struct ws_feed feed = {.limit = WS_MESSAGE_MAX, .deflate = true, .data = frames.bytes};

	(void)state;
	assert_non_null(deflate);
	ws_frames_add_text(&frames, FINAL | WS_TEXT, "whole");
	ws_frames_add_text(&frames, WS_TEXT, "in parts");
	feed.len = frames.len;
	no_memory = true;
	{
		static const size_t all = SIZE_MAX;
		static struct ws_outcome outcome;

		/* What comes whole needs none. */
		ws_feed_cut(&outcome, &feed, &all, 1);
		assert_string_equal(outcome.text, "\nTEXT whole\nFAILED 1011 ");
	}
	no_memory = false;
	frames.len = 0;
	add_compressed(&frames, deflate, WS_TEXT, "compressed", 10, 100);
	feed.len = frames.len;
	no_memory = true;
	assert_int_equal(ws_assert_cuts(&feed)->code, WS_CLOSE_INTERNAL_ERROR);
	no_memory = false;
	ws_deflate_free(deflate);
}

static void
test_no_room_to_compress_into_is_an_error(void **state)
{
	struct ws_deflate *deflate = ws_deflate_new((struct ws_deflate_params){.window_bits = 15});
	struct ws_buffer buffer = {0};

	(void)state;
	assert_non_null(deflate);
	no_memory = true;
	assert_int_equal(ws_deflate_compress(deflate, &buffer, "text", 4), -ENOMEM);
	no_memory = false;
	ws_buffer_free(&buffer);
	ws_deflate_free(deflate);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_text_that_is_cut_within_a_character_by_frames),
	    cmocka_unit_test(test_text_that_is_none),
	    cmocka_unit_test(test_what_is_no_text_fails_before_the_message_has_ended),
	    cmocka_unit_test(test_each_text_begins_anew),
	    cmocka_unit_test(test_compressed_messages_with_a_common_context),
	    cmocka_unit_test(test_compressed_text_that_is_none),
	    cmocka_unit_test(test_what_cannot_be_inflated),
	    cmocka_unit_test(test_a_zip_bomb_ends_at_the_limit),
	    cmocka_unit_test(test_a_message_that_does_not_shrink_may_be_as_large_as_any),
	    cmocka_unit_test(test_without_memory_the_connection_closes_with_1011),
	    cmocka_unit_test(test_no_room_to_compress_into_is_an_error),
	};

	return cmocka_run_group_tests_name("async_server/ws_message", tests, NULL, NULL);
}
