/* Unit tests of async_server/ws_frame: every rule of framing, however it is cut, and what is written. */
#include "async_server/ws_frame.h"

#include "tests/unit/async_server/ws_cuts.h"

/* First bytes of frames. */
#define FINAL 0x80
#define RSV1 0x40

/* Heads that a client may not send, or may; each is followed by nothing else. The text may hold NUL. */
struct row {
	const char *name;
	uint16_t code; /* 0: it may */
	const char *bytes;
	size_t len;
	bool deflate;
};
#define ROW(name, code, bytes, deflate) \
	{ \
		name, code, bytes, sizeof(bytes) - 1, deflate \
	}
#define MASK "\1\2\3\4"
#define OPENED "\x01\x80" MASK /* the first frame of a text, empty */

static struct row rows[] = {
    ROW("a text without mask", 1002, "\x81\x01x", false),
    ROW("a ping without mask", 1002, "\x89\x00", false),
    ROW("a close frame without mask", 1002, "\x88\x00", false),
    ROW("opcode 3", 1002, "\x83\x80" MASK, false),
    ROW("opcode 7", 1002, "\x87\x80" MASK, false),
    ROW("opcode 11", 1002, "\x8b\x80" MASK, false),
    ROW("opcode 15", 1002, "\x8f\x80" MASK, false),
    ROW("RSV1 without an extension", 1002, "\xc1\x80" MASK, false),
    ROW("RSV2", 1002, "\xa1\x80" MASK, true),
    ROW("RSV3", 1002, "\x91\x80" MASK, true),
    ROW("RSV1 on a ping", 1002, "\xc9\x80" MASK, true),
    ROW("RSV1 on a continuation", 1002, "\x41\x80" MASK "\xc0\x80" MASK, true),
    ROW("a ping in parts", 1002, "\x09\x80" MASK, false),
    ROW("a close frame in parts", 1002, "\x08\x80" MASK, false),
    ROW("a ping of 126 bytes", 1002, "\x89\xfe\x00\x7e" MASK, false),
    ROW("a ping with a length of 64 bits", 1002, "\x89\xff\0\0\0\0\0\0\0\1" MASK, false),
    ROW("a continuation of nothing", 1002, "\x80\x80" MASK, false),
    ROW("a continuation of a message that has ended", 1002, "\x81\x80" MASK "\x80\x80" MASK, false),
    ROW("a text within a text", 1002, OPENED "\x81\x80" MASK, false),
    ROW("a binary message within a text", 1002, OPENED "\x02\x80" MASK, false),
    ROW("125 in 16 bits", 1002, "\x82\xfe\x00\x7d" MASK, false),
    ROW("126 in 64 bits", 1002, "\x82\xff\0\0\0\0\0\0\0\x7e" MASK, false),
    ROW("65535 in 64 bits", 1002, "\x82\xff\0\0\0\0\0\0\xff\xff" MASK, false),
    ROW("a length of 2^63", 1002, "\x82\xff\x80\0\0\0\0\0\0\0" MASK, false),
    ROW("a length of 2^64 - 1", 1002, "\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff" MASK, false),
    ROW("a length of 2^63 - 1", 1009, "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff", false),
    ROW("4 MiB and a byte", 1009, "\x82\xff\0\0\0\0\0\x40\0\1", false),
    ROW("4 MiB and a byte over two frames", 1009, "\x02\x81" MASK "x\x80\xff\0\0\0\0\0\x40\0\0", false),
    ROW("more than any message of 4 MiB comes to, compressed", 1009, "\xc2\xff\0\0\0\0\0\x41\0\0", true),

    ROW("4 MiB", 0, "\x82\xff\0\0\0\0\0\x40\0\0" MASK "x", false),
    ROW("4 MiB over two frames", 0, "\x02\x81" MASK "x\x80\xff\0\0\0\0\0\x3f\xff\xff" MASK, false),
    ROW("4 MiB and what stored blocks add", 0, "\xc2\xff\0\0\0\0\0\x40\x06\0" MASK, true),
    ROW("126 in 16 bits", 0, "\x82\xfe\x00\x7e" MASK, false),
    ROW("65536 in 64 bits", 0, "\x82\xff\0\0\0\0\0\1\0\0" MASK, false),
    ROW("RSV1 on a message's first frame", 0, "\x41\x80" MASK "\x00\x80" MASK, true),
};

static void
test_row(void **state)
{
	const struct row *row = *state;
	struct ws_feed feed = {.limit = WS_MESSAGE_MAX, .deflate = row->deflate, .data = row->bytes, .len = row->len};
	const struct ws_outcome *outcome = ws_assert_cuts(&feed);

	if (outcome->code != row->code)
		print_error("%s\n", outcome->text);
	assert_int_equal(outcome->code, row->code);
}

static void
test_a_message_and_the_next(void **state)
{
	struct ws_frames frames = {0};

	(void)state;
	ws_frames_add_text(&frames, FINAL | WS_TEXT, "Hello");
	ws_frames_add_text(&frames, FINAL | WS_BINARY, "\x01\xff");
	ws_frames_add_text(&frames, FINAL | WS_TEXT, "");
	ws_frames_add_text(&frames, FINAL | WS_BINARY, "");
	ws_assert_text(&frames, "\nTEXT Hello\nBINARY \x01\xff\nTEXT \nBINARY \nOPEN");
}

static void
test_fragments_with_control_frames_between_them(void **state)
{
	struct ws_frames frames = {0};

	(void)state;
	ws_frames_add_text(&frames, WS_TEXT, "Hel");
	ws_frames_add_text(&frames, FINAL | WS_PING, "are you there");
	ws_frames_add_text(&frames, WS_CONTINUATION, "");
	ws_frames_add_text(&frames, WS_CONTINUATION, "lo, ");
	ws_frames_add_text(&frames, FINAL | WS_PONG, "");
	ws_frames_add_text(&frames, FINAL | WS_CONTINUATION, "world");
	ws_frames_add_text(&frames, WS_BINARY, "");
	ws_frames_add_text(&frames, FINAL | WS_CONTINUATION, "");
	ws_frames_add_text(&frames, WS_BINARY, "the rest does not come");
	ws_assert_text(&frames, "\nPING are you there\nPONG \nTEXT Hello, world\nBINARY \nIN MESSAGE");
}

static void
test_payloads_of_every_length_form(void **state)
{
	static const size_t lengths[] = {1, 2, 3, 4, 5, 7, 8, 9, 125, 126, 127, 65535, 65536, 65537};
	static struct ws_frames frames;
	static char payload[65537];

	(void)state;
	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (char)(i * 31 + i / 256);
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		struct ws_feed feed = {.limit = WS_MESSAGE_MAX, .data = frames.bytes};
		const struct ws_outcome *outcome;

		frames.len = 0;
		ws_frames_add(&frames, FINAL | WS_BINARY, payload, lengths[i]);
		feed.len = frames.len;
		outcome = ws_assert_cuts(&feed);
		assert_int_equal(outcome->len, strlen("\nBINARY ") + lengths[i] + strlen("\nOPEN"));
		assert_memory_equal(outcome->text + strlen("\nBINARY "), payload, lengths[i]);
	}
}

static void
test_a_ping_of_125_bytes(void **state)
{
	struct ws_frames frames = {0};
	char payload[WS_CONTROL_MAX + 1] = "", expected[200];

	(void)state;
	memset(payload, 'p', WS_CONTROL_MAX);
	ws_frames_add_text(&frames, FINAL | WS_PING, payload);
	snprintf(expected, sizeof(expected), "\nPING %s\nOPEN", payload);
	ws_assert_text(&frames, expected);
}

/* close_outcome is what a close frame with CODE and REASON comes to. */
static uint16_t
close_outcome(uint16_t code, const char *reason)
{
	struct ws_frames frames = {0};
	struct ws_feed feed = {.limit = WS_MESSAGE_MAX, .data = frames.bytes};
	char payload[WS_CONTROL_MAX] = {(char)(code >> 8), (char)(code & 0xff)};

	strcpy(payload + 2, reason);
	ws_frames_add(&frames, FINAL | WS_CLOSE, payload, 2 + strlen(reason));
	ws_frames_add_text(&frames, FINAL | WS_TEXT, "nobody reads this");
	feed.len = frames.len;
	return ws_assert_cuts(&feed)->code;
}

static void
test_close_codes(void **state)
{
	static const uint16_t good[] = {
	    1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999};
	static const uint16_t bad[] = {0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(close_outcome(good[i], ""), good[i]);
		assert_int_equal(close_outcome(good[i], "gr\xc3\xbc\xc3\x9f"), good[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(close_outcome(bad[i], "reason"), WS_CLOSE_PROTOCOL_ERROR);
	assert_int_equal(close_outcome(1000, "\xc3"), WS_CLOSE_INVALID_TEXT);
	assert_int_equal(close_outcome(1000, "\xff"), WS_CLOSE_INVALID_TEXT);
}

static void
test_a_close_frame_tells_its_reason_and_ends_everything(void **state)
{
	struct ws_frames frames = {0};

	(void)state;
	ws_frames_add_text(&frames, WS_TEXT, "not finished");
	ws_frames_add_text(&frames, FINAL | WS_CLOSE, "\x0f\xa0gone fishing");
	ws_frames_add_text(&frames, FINAL | WS_CONTINUATION, "nobody reads this");
	ws_assert_text(&frames, "\nCLOSED 4000 \ngone fishing");
	frames.len = 0;
	ws_frames_add_text(&frames, FINAL | WS_CLOSE, "");
	ws_assert_text(&frames, "\nCLOSED 1005 \n");
	frames.len = 0;
	ws_frames_add_text(&frames, FINAL | WS_CLOSE, "x");
	ws_assert_text(&frames, "\nVIOLATED 1002 ");
}

static void
test_the_limit_counts_a_message_and_not_a_connection(void **state)
{
	struct ws_frames frames = {0};
	struct ws_feed feed = {.limit = 8, .data = frames.bytes};

	(void)state;
	for (int i = 0; i < 3; i++) {
		ws_frames_add_text(&frames, WS_TEXT, "1234");
		ws_frames_add_text(&frames, FINAL | WS_PING, "a ping does not count");
		ws_frames_add_text(&frames, FINAL | WS_CONTINUATION, "5678");
	}
	feed.len = frames.len;
	assert_int_equal(ws_assert_cuts(&feed)->messages, 3);
	ws_frames_add_text(&frames, WS_TEXT, "1234");
	ws_frames_add_text(&frames, FINAL | WS_CONTINUATION, "56789");
	feed.len = frames.len;
	assert_int_equal(ws_assert_cuts(&feed)->code, WS_CLOSE_TOO_BIG);
}

static void
test_heads_are_written_in_their_shortest_form(void **state)
{
	static const struct {
		size_t payload, len;
		const char *head;
	} heads[] = {
	    {0, 2, "\x81\x00"},
	    {125, 2, "\x81\x7d"},
	    {126, 4, "\x81\x7e\x00\x7e"},
	    {65535, 4, "\x81\x7e\xff\xff"},
	    {65536, 10, "\x81\x7f\0\0\0\0\0\1\0\0"},
	    {0x12345678, 10, "\x81\x7f\0\0\0\0\x12\x34\x56\x78"},
	};
	char buf[WS_HEAD_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		assert_int_equal(ws_frame_head_len(heads[i].payload), heads[i].len);
		assert_int_equal(ws_frame_head(buf, WS_TEXT, false, heads[i].payload), heads[i].len);
		assert_memory_equal(buf, heads[i].head, heads[i].len);
	}
	ws_frame_head(buf, WS_BINARY, true, 0);
	assert_int_equal((uint8_t)buf[0], FINAL | RSV1 | WS_BINARY);
	ws_frame_head(buf, WS_PONG, false, 0);
	assert_int_equal((uint8_t)buf[0], FINAL | WS_PONG);
}

static void
test_a_close_frame_is_written(void **state)
{
	char buf[WS_CLOSE_FRAME_LEN];

	(void)state;
	ws_frame_close(buf, WS_CLOSE_TOO_BIG);
	assert_memory_equal(buf, "\x88\x02\x03\xf1", sizeof(buf));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_message_and_the_next),
	    cmocka_unit_test(test_fragments_with_control_frames_between_them),
	    cmocka_unit_test(test_payloads_of_every_length_form),
	    cmocka_unit_test(test_a_ping_of_125_bytes),
	    cmocka_unit_test(test_close_codes),
	    cmocka_unit_test(test_a_close_frame_tells_its_reason_and_ends_everything),
	    cmocka_unit_test(test_the_limit_counts_a_message_and_not_a_connection),
	    cmocka_unit_test(test_heads_are_written_in_their_shortest_form),
	    cmocka_unit_test(test_a_close_frame_is_written),
	};
	static struct CMUnitTest cases[ARRAY_LEN(rows)];
	int failed = cmocka_run_group_tests_name("async_server/ws_frame", tests, NULL, NULL);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		cases[i] = (struct CMUnitTest){.name = rows[i].name, .test_func = test_row, .initial_state = &rows[i]};
	failed += cmocka_run_group_tests_name("async_server/ws_frame rules", cases, NULL, NULL);
	return failed;
}
