/* Unit tests of async_server/ws_deflate: the examples of RFC 7692, contexts kept and given up, and zlib without memory. */
#include "async_server/ws_deflate.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "async_server/ws_frame.h"

#define LIMIT 100000

/* zlib's own functions for a start, unless there is to be no memory. */
static bool no_memory;
int __real_inflateInit2_(z_streamp stream, int bits, const char *version, int size);
int __wrap_inflateInit2_(z_streamp stream, int bits, const char *version, int size);
int __real_deflateInit2_(
    z_streamp stream, int level, int method, int bits, int mem, int strategy, const char *version, int size);
int __wrap_deflateInit2_(
    z_streamp stream, int level, int method, int bits, int mem, int strategy, const char *version, int size);
int __real_inflate(z_streamp stream, int flush);
int __wrap_inflate(z_streamp stream, int flush);

int
__wrap_inflateInit2_(z_streamp stream, int bits, const char *version, int size)
{
	return no_memory ? Z_MEM_ERROR : __real_inflateInit2_(stream, bits, version, size);
}

int
__wrap_deflateInit2_(
    z_streamp stream, int level, int method, int bits, int mem, int strategy, const char *version, int size)
{
	return no_memory ? Z_MEM_ERROR
			 : __real_deflateInit2_(stream, level, method, bits, mem, strategy, version, size);
}

int
__wrap_inflate(z_streamp stream, int flush)
{
	return no_memory ? Z_MEM_ERROR : __real_inflate(stream, flush);
}

static struct ws_deflate *
streams_new(uint8_t window_bits, bool no_context_takeover)
{
	struct ws_deflate *streams = ws_deflate_new(
	    (struct ws_deflate_params){.window_bits = window_bits, .no_context_takeover = no_context_takeover});

	assert_non_null(streams);
	return streams;
}

/* assert_inflates has one whole message come to TEXT. */
static void
assert_inflates(struct ws_deflate *streams, const char *data, size_t len, const char *text)
{
	struct ws_buffer buffer = {0};

	assert_int_equal(ws_deflate_inflate(streams, &buffer, LIMIT, data, len, true), 0);
	assert_int_equal(buffer.len, strlen(text));
	assert_memory_equal(ws_buffer_content(&buffer), text, buffer.len);
	ws_buffer_free(&buffer);
}

#define INFLATES(streams, data, text) assert_inflates(streams, data, sizeof(data) - 1, text)

static void
test_the_examples_of_the_rfc(void **state)
{
	struct ws_deflate *streams = streams_new(15, false);

	(void)state;
	INFLATES(streams, "\xf2\x48\xcd\xc9\xc9\x07\x00", "Hello"); /* 7.2.3.1 */
	INFLATES(streams, "\xf2\x00\x11\x00\x00", "Hello");         /* 7.2.3.2: the context is the message before */
	INFLATES(streams, "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", "Hello"); /* 7.2.3.3: a stored block */
	INFLATES(streams, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00", "Hello");             /* 7.2.3.4: a final block */
	INFLATES(streams, "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", "Hello"); /* 7.2.3.5: two blocks */
	INFLATES(streams, "\x00", "");                                                      /* 7.2.3.6 */
	ws_deflate_free(streams);
}

static void
test_a_final_block_does_not_end_the_context(void **state)
{
	struct ws_deflate *streams = streams_new(15, false);

	(void)state;
	INFLATES(streams, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00", "Hello");
	INFLATES(streams, "\xf2\x00\x11\x00\x00", "Hello"); /* refers to it */
	ws_deflate_free(streams);
}

static void
test_a_message_that_ends_within_a_block_is_refused(void **state)
{
	static const char *const cut[] = {"\xf2", "\xf2\x48", "\xf2\x48\xcd\xc9"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct ws_deflate *streams = streams_new(15, false);
		struct ws_buffer buffer = {0};

		assert_int_equal(
		    ws_deflate_inflate(streams, &buffer, LIMIT, cut[i], strlen(cut[i]), true), WS_CLOSE_INVALID_TEXT);
		ws_buffer_free(&buffer);
		ws_deflate_free(streams);
	}
}

static void
test_what_is_no_deflate_is_refused(void **state)
{
	static const char *const wrong[] = {"\x07", "\x01\x01\x01\x01\x01", "\xf2\x00\x11\x00"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct ws_deflate *streams = streams_new(15, false);
		struct ws_buffer buffer = {0};
		size_t len = i == 2 ? 5 : strlen(wrong[i]); /* the last refers to what there never was */

		assert_int_equal(
		    ws_deflate_inflate(streams, &buffer, LIMIT, wrong[i], len, true), WS_CLOSE_INVALID_TEXT);
		ws_buffer_free(&buffer);
		ws_deflate_free(streams);
	}
}

/* compress_text appends what TEXT comes to; returns how much that is. */
static size_t
compress_text(struct ws_deflate *streams, struct ws_buffer *buffer, const char *text)
{
	size_t before = buffer->len;

	assert_int_equal(ws_deflate_compress(streams, buffer, text, strlen(text)), 0);
	return buffer->len - before;
}

static void
test_what_was_compressed_is_inflated(void **state)
{
	static const char *const texts[] = {
	    "Hello", "", "", "Hello", "x", "and something else, for a change", "", "Hello"};

	(void)state;
	for (uint8_t bits = 9; bits <= 15; bits++) {
		for (int no_takeover = 0; no_takeover < 2; no_takeover++) {
			struct ws_deflate *streams = streams_new(bits, no_takeover != 0);

			for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
				struct ws_buffer buffer = {0};
				size_t len = compress_text(streams, &buffer, texts[i]);

				assert_true(len > 0); /* an empty payload is no compressed message */
				assert_inflates(streams, ws_buffer_content(&buffer), len, texts[i]);
				ws_buffer_free(&buffer);
			}
			ws_deflate_free(streams);
		}
	}
}

static void
test_without_context_takeover_each_message_stands_for_itself(void **state)
{
	static const char text[] = "a text that is long enough for a reference to pay";
	struct ws_deflate *keeps = streams_new(15, false), *forgets = streams_new(15, true);
	struct ws_buffer buffer = {0};
	size_t first, second;

	(void)state;
	first = compress_text(keeps, &buffer, text);
	second = compress_text(keeps, &buffer, text);
	assert_true(second < first / 2);
	buffer.len = 0;
	first = compress_text(forgets, &buffer, text);
	second = compress_text(forgets, &buffer, text);
	assert_true(second > first / 2);
	{
		struct ws_deflate *reader = streams_new(15, false);

		assert_inflates(reader, ws_buffer_content(&buffer) + first, second, text);
		ws_deflate_free(reader);
	}
	ws_buffer_free(&buffer);
	ws_deflate_free(keeps);
	ws_deflate_free(forgets);
}

static void
test_the_window_is_no_larger_than_agreed_on(void **state)
{
	struct ws_deflate *streams = streams_new(9, false), *wide = streams_new(15, false);
	struct ws_buffer buffer = {0};
	char text[2000];
	uint64_t x = 88172645463325252ULL;
	z_stream narrow = {0};
	char out[sizeof(text)];

	(void)state;
	/* Two halves alike, 1000 bytes apart: a window of 512 bytes does not reach. */
	for (size_t i = 0; i < sizeof(text) / 2; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		text[i] = text[i + sizeof(text) / 2] = (char)x;
	}
	assert_int_equal(ws_deflate_compress(wide, &buffer, text, sizeof(text)), 0);
	assert_true(buffer.len < 1200);
	buffer.len = 0;
	assert_int_equal(ws_deflate_compress(streams, &buffer, text, sizeof(text)), 0);
	/* A reader with such a window must be able to follow. */
	assert_int_equal(inflateInit2(&narrow, -9), Z_OK);
	narrow.next_in = (Bytef *)ws_buffer_content(&buffer);
	narrow.avail_in = buffer.len;
	narrow.next_out = (Bytef *)out;
	narrow.avail_out = sizeof(out);
	assert_true(inflate(&narrow, Z_SYNC_FLUSH) >= 0);
	assert_int_equal(narrow.avail_out, 0);
	assert_memory_equal(out, text, sizeof(text));
	inflateEnd(&narrow);
	ws_buffer_free(&buffer);
	ws_deflate_free(streams);
	ws_deflate_free(wide);
}

static void
test_zlib_without_memory(void **state)
{
	struct ws_deflate *streams = streams_new(15, false);
	struct ws_buffer buffer = {0};

	(void)state;
	no_memory = true;
	assert_int_equal(ws_deflate_compress(streams, &buffer, "x", 1), -ENOMEM);
	assert_int_equal(ws_deflate_inflate(streams, &buffer, LIMIT, "\x00", 1, true), WS_CLOSE_INTERNAL_ERROR);
	no_memory = false;
	INFLATES(streams, "\x00", "");
	no_memory = true;
	assert_int_equal(ws_deflate_inflate(streams, &buffer, LIMIT, "\x00", 1, true), WS_CLOSE_INTERNAL_ERROR);
	no_memory = false;
	ws_buffer_free(&buffer);
	ws_deflate_free(streams);
	ws_deflate_free(NULL);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_examples_of_the_rfc),
	    cmocka_unit_test(test_a_final_block_does_not_end_the_context),
	    cmocka_unit_test(test_a_message_that_ends_within_a_block_is_refused),
	    cmocka_unit_test(test_what_is_no_deflate_is_refused),
	    cmocka_unit_test(test_what_was_compressed_is_inflated),
	    cmocka_unit_test(test_without_context_takeover_each_message_stands_for_itself),
	    cmocka_unit_test(test_the_window_is_no_larger_than_agreed_on),
	    cmocka_unit_test(test_zlib_without_memory),
	};

	return cmocka_run_group_tests_name("async_server/ws_deflate", tests, NULL, NULL);
}
