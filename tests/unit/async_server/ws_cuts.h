/* The same bytes, fed whole, byte by byte and cut at every place: cmocka assertions that all come to the same. */
#ifndef TESTS_UNIT_ASYNC_SERVER_WS_CUTS_H
#define TESTS_UNIT_ASYNC_SERVER_WS_CUTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/compiler.h"
#include "tests/unit/async_server/ws_feed.h"

/* Longer than this is not cut at every place: the time grows with the square. */
#define WS_EVERY_CUT_MAX 600

/* ws_frames writes down what a client sends. */
struct ws_frames {
	size_t len;
	char bytes[1 << 17];
};

/* ws_frames_add adds a masked frame, with FIRST as its first byte and the shortest length there is. */
static inline void
ws_frames_add(struct ws_frames *frames, int first, const char *payload, size_t len)
{
	static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
	char *at = frames->bytes + frames->len;
	size_t head = ws_frame_head(at, WS_TEXT, false, len);

	assert_true(frames->len + head + sizeof(mask) + len <= sizeof(frames->bytes));
	at[0] = (char)first;
	at[1] = (char)(at[1] | 0x80);
	memcpy(at + head, mask, sizeof(mask));
	head += sizeof(mask);
	for (size_t i = 0; i < len; i++)
		at[head + i] = (char)((uint8_t)payload[i] ^ mask[i % sizeof(mask)]);
	frames->len += head + len;
}

static inline void
ws_frames_add_text(struct ws_frames *frames, int first, const char *payload)
{
	ws_frames_add(frames, first, payload, strlen(payload));
}

static inline void
ws_assert_same(const struct ws_outcome *whole, const struct ws_outcome *cut)
{
	assert_int_equal(cut->len, whole->len);
	assert_memory_equal(cut->text, whole->text, whole->len);
}

/* ws_assert_cuts feeds it in all ways, compares, and returns what the whole came to. */
static inline const struct ws_outcome *
ws_assert_cuts(const struct ws_feed *feed)
{
	static struct ws_outcome whole, cut;
	static const size_t one = 1, all = SIZE_MAX, mixed[] = {3, 1, 7, 2, 40};

	ws_feed_cut(&whole, feed, &all, 1);
	ws_feed_cut(&cut, feed, &one, 1);
	ws_assert_same(&whole, &cut);
	ws_feed_cut(&cut, feed, mixed, ARRAY_LEN(mixed));
	ws_assert_same(&whole, &cut);
	for (size_t at = 0; at <= feed->len && feed->len <= WS_EVERY_CUT_MAX; at++) {
		const size_t cuts[] = {at, SIZE_MAX};

		ws_feed_cut(&cut, feed, cuts, ARRAY_LEN(cuts));
		ws_assert_same(&whole, &cut);
	}
	return &whole;
}

/* ws_assert_text does so with FRAMES, the limit of the server and no compression, and compares with TEXT. */
static inline void
ws_assert_text(const struct ws_frames *frames, const char *text)
{
	struct ws_feed feed = {.limit = WS_MESSAGE_MAX, .data = frames->bytes, .len = frames->len};

	assert_string_equal(ws_assert_cuts(&feed)->text, text);
}

#endif
