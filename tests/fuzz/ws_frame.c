/* Fuzzes the WebSocket readers: whatever comes, whole and cut feeding agree, nothing crashes, and no promise is broken. */
#include <stddef.h>
#include <stdint.h>

#include "tests/unit/async_server/ws_feed.h"

/* The first bytes choose the limit, the compression and the cutting; the rest is what the client sends. */
#define CUTS 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
assert_same(const struct ws_outcome *whole, const struct ws_outcome *cut, const char *promise)
{
	ws_feed_check(whole->len == cut->len && memcmp(whole->text, cut->text, whole->len) == 0, promise);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t all = SIZE_MAX, one = 1;
	static struct ws_outcome whole, cut;
	struct ws_feed feed;
	size_t cuts[CUTS];

	if (size < 1 + CUTS)
		return 0;
	feed.data = (const char *)data + 1 + CUTS;
	feed.len = size - 1 - CUTS;
	feed.limit = (data[0] & 1) != 0 ? 300 : 70000;
	feed.deflate = (data[0] & 2) != 0;
	for (size_t i = 0; i < CUTS; i++)
		cuts[i] = data[1 + i] + 1u;
	ws_feed_cut(&whole, &feed, &all, 1);
	ws_feed_cut(&cut, &feed, cuts, CUTS);
	assert_same(&whole, &cut, "a cutting changes nothing");
	ws_feed_cut(&cut, &feed, &one, 1);
	assert_same(&whole, &cut, "byte by byte is as good as whole");
	return 0;
}
