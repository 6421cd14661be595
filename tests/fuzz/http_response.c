/* Fuzzes response: what a server sends comes to the same responses whole and cut, parsed and remembered, read and skipped. */
#include "loadgen/response.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first bytes choose what the requests were and the cutting; the rest is what the server sends. */
#define CUTS 4
#define RESPONSES_MAX 64 /* of one input; the rest is not read */

/* One response that was read, or did not come whole. */
struct seen {
	struct response_facts facts;
	enum response_event event;
	size_t end; /* bytes of the input up to its end */
	bool started;
};

struct outcome {
	struct seen seen[RESPONSES_MAX];
	size_t len;
	char server[RESPONSE_SERVER_MAX];
};

/* How an input is read. */
struct manner {
	const size_t *cuts; /* lengths of the reads, in turn */
	size_t cuts_len;
	struct response_memo *memo;
	unsigned heads; /* bits, in turn: the request was HEAD */
	bool name;      /* the Server field is wanted */
	bool skip;      /* bodies of known length are thrown away unseen */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool good, const char *promise)
{
	if (good)
		return;
	fprintf(stderr, "response broke its promise: %s\n", promise);
	abort();
}

/* read_piece gives RESPONSE the bytes of one read, on the heap, where the sanitizer sees a byte too far. */
static enum response_event
read_piece(struct response *response, const struct manner *manner, const char *text, size_t len, size_t *taken)
{
	uint64_t left = response_left(response);
	enum response_event event;
	char *piece;

	if (manner->skip && left > 0) {
		*taken = left < len ? (size_t)left : len;
		return response_skip(response, *taken);
	}
	piece = malloc(len);
	check(piece != NULL, "there is memory");
	memcpy(piece, text, len);
	event = response_read(response, piece, len, taken);
	free(piece);
	check(*taken <= len, "no byte is taken that was not there");
	check(event != RESPONSE_MORE || *taken == len, "all bytes are taken while the response goes on");
	check(event != RESPONSE_COMPLETE || response_left(response) == 0, "nothing is left of what is complete");
	check(event == RESPONSE_MORE || left == 0 || *taken <= left, "a body is no longer than was said");
	return event;
}

/* note writes down what RESPONSE came to. */
static void
note(struct outcome *outcome, const struct response *response, enum response_event event, size_t end)
{
	struct seen *seen = &outcome->seen[outcome->len++];

	memset(seen, 0, sizeof(*seen)); /* what lies between the fields, too: they are compared as bytes */
	seen->facts.body_len = response->facts.body_len;
	seen->facts.status = response->facts.status;
	seen->facts.head_done = response->facts.head_done;
	seen->facts.keep_alive = response->facts.keep_alive;
	seen->event = event;
	seen->started = response->started;
	seen->end = end;
	if (event != RESPONSE_COMPLETE)
		return;
	check(response->facts.head_done && response->started, "what is complete has a header");
	check(!response->head || response->facts.body_len == 0, "an answer to HEAD has no body");
	check(response->facts.body_len <= end, "a body is made of bytes that came");
}

/* read_all reads the responses in TEXT until one is not whole. */
static void
read_all(struct outcome *outcome, const struct manner *manner, const char *text, size_t len)
{
	struct response response;
	size_t at = 0, taken;
	enum response_event event = RESPONSE_MORE;

	outcome->len = 0;
	memset(outcome->server, 0, sizeof(outcome->server));
	response_init(&response, manner->memo, manner->name ? outcome->server : NULL);
	response.head = manner->heads & 1;
	for (size_t cut = 0; at < len && event != RESPONSE_INVALID && outcome->len < RESPONSES_MAX - 1; cut++) {
		size_t to = manner->cuts[cut % manner->cuts_len];

		to = to < len - at ? at + to : len;
		while (at < to && event != RESPONSE_INVALID && outcome->len < RESPONSES_MAX - 1) {
			event = read_piece(&response, manner, text + at, to - at, &taken);
			at += taken;
			if (event == RESPONSE_MORE)
				continue;
			note(outcome, &response, event, event == RESPONSE_INVALID ? 0 : at);
			if (event == RESPONSE_COMPLETE)
				response_reset(&response);
			response.head = (manner->heads >> outcome->len % 8 & 1) != 0;
		}
	}
	if (event != RESPONSE_INVALID)
		note(outcome, &response, response_end(&response), at);
}

static void
check_equal(const struct outcome *a, const struct outcome *b, const char *promise)
{
	check(a->len == b->len && memcmp(a->seen, b->seen, a->len * sizeof(a->seen[0])) == 0, promise);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t all = SIZE_MAX, one = 1;
	static struct outcome whole, other;
	struct response_memo memo = {0}, unused = {0};
	const char *text = (const char *)data + 2 + CUTS;
	struct manner manner = {.cuts = &all, .cuts_len = 1, .memo = &memo};
	size_t cuts[CUTS];

	if (size < 2 + CUTS)
		return 0;
	size -= 2 + CUTS;
	manner.heads = data[1];
	manner.name = (data[0] & 1) != 0;
	for (size_t i = 0; i < CUTS; i++)
		cuts[i] = data[2 + i] + 1u;
	read_all(&whole, &manner, text, size);
	manner.skip = true;
	read_all(&other, &manner, text, size);
	check_equal(&whole, &other, "what was remembered, and skipped, is as good as what was read");
	manner.cuts = cuts;
	manner.cuts_len = CUTS;
	manner.skip = (data[0] & 2) != 0;
	read_all(&other, &manner, text, size);
	check_equal(&whole, &other, "a cutting changes nothing");
	check(strcmp(whole.server, other.server) == 0, "the server has one name");
	manner.cuts = &one;
	manner.cuts_len = 1;
	manner.memo = &unused;
	manner.name = false;
	read_all(&other, &manner, text, size);
	check_equal(&whole, &other, "byte by byte is as good as whole");
	return 0;
}
