/* Feeds bytes to ws_reader and ws_message in pieces of any lengths and writes down all that came of it, for comparing. */
#ifndef TESTS_UNIT_ASYNC_SERVER_WS_FEED_H
#define TESTS_UNIT_ASYNC_SERVER_WS_FEED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "async_server/ws_message.h"

/* What was seen. The same bytes have to give the same text, however they were cut. */
struct ws_outcome {
	size_t len;
	char text[1 << 17]; /* events and whole messages; what does not fit is left out, always at the same place */
	size_t messages;
	uint16_t code; /* of WS_CLOSED, WS_VIOLATED or a message that failed; 0: none of them */
};

/* Room to feed from, in front of a page that must not be touched. */
#define WS_FEED_ROOM 16384
/* A reader that does not get on this often in a row never will: a frame that ends a message may be empty. */
#define WS_FEED_STALLS_MAX 3

static inline void
ws_feed_check(bool good, const char *promise)
{
	if (good)
		return;
	fprintf(stderr, "a WebSocket reader broke its promise: %s\n", promise);
	abort();
}

static inline void
ws_outcome_add(struct ws_outcome *outcome, const char *what, const char *bytes, size_t len)
{
	size_t room = sizeof(outcome->text) - 1 - outcome->len;

	if (len + strlen(what) + 1 > room)
		len = room = 0;
	if (room == 0)
		return;
	outcome->text[outcome->len++] = '\n';
	memcpy(outcome->text + outcome->len, what, strlen(what));
	outcome->len += strlen(what);
	if (len > 0)
		memcpy(outcome->text + outcome->len, bytes, len);
	outcome->len += len;
	outcome->text[outcome->len] = '\0';
}

static inline void
ws_outcome_add_code(struct ws_outcome *outcome, const char *what, uint16_t code)
{
	char text[32];

	outcome->code = code;
	snprintf(text, sizeof(text), "%s %d ", what, code);
	ws_outcome_add(outcome, text, NULL, 0);
}

/* What is fed, and how it is read. */
struct ws_feed {
	uint32_t limit;
	bool deflate;
	const char *data;
	size_t len;
};

/* ws_feed_message hands a piece on. Returns false once the message failed. */
static inline bool
ws_feed_message(struct ws_outcome *outcome, const struct ws_feed *feed, struct ws_message *message,
    const struct ws_reader *reader, struct ws_deflate *deflate)
{
	uint16_t code = ws_message_add(message, reader, deflate, feed->limit);

	ws_feed_check(message->buffer.len <= feed->limit + 1, "no more is kept than the limit and a byte");
	if (code != 0) {
		/* Which of two faults in what was inflated comes first depends on how much is inflated at once. */
		ws_outcome_add_code(outcome, "FAILED", reader->compressed ? 0 : code);
		outcome->code = code;
		return false;
	}
	if (!reader->end)
		return true;
	outcome->messages++;
	ws_feed_check(message->len <= feed->limit, "no message is above the limit");
	ws_outcome_add(outcome, reader->opcode == WS_TEXT ? "TEXT " : "BINARY ", message->data, message->len);
	ws_message_drop(message);
	return true;
}

/* ws_feed_piece hands one piece over, which lies against the forbidden page. Returns false once the connection has ended. */
static inline bool
ws_feed_piece(struct ws_outcome *outcome, const struct ws_feed *feed, struct ws_reader *reader,
    struct ws_message *message, struct ws_deflate *deflate, char *data, size_t len)
{
	size_t taken;
	int stalls = 0;

	for (;;) {
		enum ws_event event = ws_reader_read(reader, data, len, &taken);

		ws_feed_check(taken <= len, "no more is taken than there is");
		data += taken;
		len -= taken;
		stalls = taken > 0 ? 0 : stalls + 1;
		ws_feed_check(stalls <= WS_FEED_STALLS_MAX, "calls come to WS_MORE");
		switch (event) {
		case WS_MORE:
			ws_feed_check(len == 0, "at WS_MORE all bytes are taken");
			return true;
		case WS_PIECE:
			ws_feed_check(reader->len > 0 || reader->end, "only a last piece is empty");
			ws_feed_check(reader->data + reader->len <= data, "a piece lies in the data");
			if (!ws_feed_message(outcome, feed, message, reader, deflate))
				return false;
			break;
		case WS_PINGED:
			ws_feed_check(reader->len <= WS_CONTROL_MAX, "a ping is short");
			ws_outcome_add(outcome, "PING ", reader->data, reader->len);
			break;
		case WS_PONGED:
			ws_outcome_add(outcome, "PONG ", reader->data, reader->len);
			break;
		case WS_CLOSED:
			ws_outcome_add_code(outcome, "CLOSED", reader->code);
			ws_outcome_add(outcome, "", reader->data, reader->len);
			ws_feed_check(ws_reader_read(reader, data, len, &taken) == WS_VIOLATED && taken == 0,
			    "nothing comes behind a close frame");
			return false;
		case WS_VIOLATED:
			ws_outcome_add_code(outcome, "VIOLATED", reader->code);
			ws_feed_check(ws_reader_read(reader, data, len, &taken) == WS_VIOLATED && taken == 0,
			    "violated once, violated always");
			return false;
		}
	}
}

/* ws_feed_page returns the end of the room to feed from: one byte behind it is one too many. */
static inline char *
ws_feed_page(void)
{
	static char *room;

	if (room == NULL) {
		room = mmap(NULL, WS_FEED_ROOM + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		ws_feed_check(room != MAP_FAILED && mprotect(room + WS_FEED_ROOM, 4096, PROT_NONE) == 0,
		    "there is memory to feed from");
	}
	return room + WS_FEED_ROOM;
}

/*
 * ws_feed_cut cuts the data into pieces of the lengths in CUTS, over and over, hands
 * them over one after the other, and writes what came of it to OUTCOME.  Each
 * piece is overwritten once it is used up.
 */
static inline void
ws_feed_cut(struct ws_outcome *outcome, const struct ws_feed *feed, const size_t *cuts, size_t cut_count)
{
	struct ws_deflate_params params = {.window_bits = 15};
	struct ws_deflate *deflate = feed->deflate ? ws_deflate_new(params) : NULL;
	struct ws_message message = {0};
	struct ws_reader reader;
	char *end = ws_feed_page();
	bool going = true;
	size_t done = 0;

	outcome->len = outcome->messages = 0;
	outcome->code = 0;
	outcome->text[0] = '\0';
	ws_feed_check(deflate != NULL || !feed->deflate, "there is memory");
	ws_reader_init(&reader, WS_PAYLOAD_MAX(feed->limit, feed->deflate), feed->deflate);
	for (size_t i = 0; going && done < feed->len; i++) {
		size_t piece = cuts[i % cut_count];

		if (piece > feed->len - done)
			piece = feed->len - done;
		if (piece > WS_FEED_ROOM)
			piece = WS_FEED_ROOM;
		memcpy(end - piece, feed->data + done, piece);
		going = ws_feed_piece(outcome, feed, &reader, &message, deflate, end - piece, piece);
		memset(end - piece, 0xa5, piece);
		done += piece;
	}
	if (going)
		ws_outcome_add(outcome, reader.in_message ? "IN MESSAGE" : "OPEN", NULL, 0);
	ws_message_drop(&message);
	ws_deflate_free(deflate);
}

#endif
