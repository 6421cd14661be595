/* Fuzzes http_request: whatever comes, whole and cut feeding agree, nothing crashes, and no promise is broken. */
#include <stddef.h>
#include <stdint.h>

#include "tests/unit/common/http_feed.h"

/* The first bytes choose the limits and the cutting; the rest is what the client sends. */
#define CUTS 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const wanted[] = {"host", "accept", "x", NULL};
	static const struct http_limits limits[] = {
	    {.request_line = 4094, .field_size = 8190, .fields = 100, .header_size = 65536},
	    {.request_line = 32, .field_size = 40, .fields = 4, .header_size = 128, .wanted = wanted},
	};
	static const size_t all = SIZE_MAX, one = 1;
	static struct outcome whole, cut;
	size_t cuts[CUTS];
	const char *text = (const char *)data + 1 + CUTS;

	if (size < 1 + CUTS)
		return 0;
	size -= 1 + CUTS;
	for (size_t i = 0; i < CUTS; i++)
		cuts[i] = data[1 + i] + 1u;
	feed(&whole, &limits[data[0] & 1], text, size, &all, 1, (data[0] & 2) != 0);
	feed(&cut, &limits[data[0] & 1], text, size, cuts, CUTS, (data[0] & 4) != 0);
	feed_check(whole.len == cut.len && memcmp(whole.text, cut.text, whole.len) == 0, "a cutting changes nothing");
	feed(&cut, &limits[data[0] & 1], text, size, &one, 1, false);
	feed_check(
	    whole.len == cut.len && memcmp(whole.text, cut.text, whole.len) == 0, "byte by byte is as good as whole");
	return 0;
}
