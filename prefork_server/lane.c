/* One thread's place on the scoreboard: what it has counted, and what it does now. */
#include "prefork_server/lane.h"

#include <string.h>

#define TRIES 8                /* of a reader, where the writer was quicker */
#define COUNT_MAX (1ULL << 53) /* no thread comes so far, and every reader of JSON can take it, 256 times too */

/* The orders make the sequence number work without fences: on x86 all of these are plain moves. */
static uint64_t
get(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_acquire);
}

static void
put(_Atomic uint64_t *word, uint64_t value)
{
	atomic_store_explicit(word, value, memory_order_release);
}

void
lane_begin(struct lane *lane)
{
	metrics_settle(&lane->metrics);
	put(&lane->doing, LANE_NONE);
	put(&lane->requests_before, get(&lane->metrics.requests_begun));
	put(&lane->connections_before, get(&lane->metrics.connections_accepted));
	/* The last writer may have died while it was odd. */
	put(&lane->sequence, (get(&lane->sequence) | 1) + 1);
}

void
lane_work(struct lane *lane, const char *method, struct http_span target, uint64_t now_ns)
{
	uint64_t sequence = get(&lane->sequence);
	uint64_t words[LANE_REQUEST_WORDS];
	char *text = (char *)words;
	size_t used = strnlen(method, LANE_REQUEST_MAX - 1);
	size_t rest = LANE_REQUEST_MAX - 1 - used;

	memcpy(text, method, used);
	text[used++] = ' ';
	if (target.len < rest)
		rest = target.len;
	memcpy(text + used, target.at, rest);
	used += rest;
	memset(text + used, 0, -used % sizeof(words[0])); /* the last word is copied whole */
	put(&lane->sequence, sequence + 1);
	put(&lane->request_ns, now_ns);
	put(&lane->request_len, used);
	for (size_t i = 0; i < (used + sizeof(words[0]) - 1) / sizeof(words[0]); i++)
		put(&lane->request[i], words[i]);
	put(&lane->sequence, sequence + 2);
	lane_enter(lane, LANE_WORKING, now_ns);
}

void
lane_forget(struct lane *lane)
{
	put(&lane->request_len, 0);
}

/* since returns how long ago THEN was; a time that is yet to come is now. */
static uint64_t
since(uint64_t then_ns, uint64_t now_ns)
{
	return then_ns < now_ns ? now_ns - then_ns : 0;
}

/* look_request reads the request. Returns whether there is one, and it stood still meanwhile. */
static bool
look_request(const struct lane *lane, struct lane_view *view, uint64_t now_ns)
{
	uint64_t words[LANE_REQUEST_WORDS];
	uint64_t sequence = get(&lane->sequence);
	uint64_t len;

	if (sequence % 2 != 0)
		return false;
	view->request_ns = since(get(&lane->request_ns), now_ns);
	len = get(&lane->request_len);
	for (size_t i = 0; i < LANE_REQUEST_WORDS; i++)
		words[i] = get(&lane->request[i]);
	if (get(&lane->sequence) != sequence)
		return false;
	view->request_len = len < LANE_REQUEST_MAX ? (size_t)len : LANE_REQUEST_MAX;
	memcpy(view->request, words, sizeof(words));
	return len > 0;
}

/* counted returns how far COUNT has come since it was BEFORE. */
static uint64_t
counted(const _Atomic uint64_t *before, const _Atomic uint64_t *count)
{
	uint64_t amount = since(get(before), get(count));

	return amount < COUNT_MAX ? amount : COUNT_MAX;
}

void
lane_look(const struct lane *lane, struct lane_view *view, uint64_t now_ns)
{
	uint64_t doing = get(&lane->doing);

	*view = (struct lane_view){
	    .requests = counted(&lane->requests_before, &lane->metrics.requests_begun),
	    .connections = counted(&lane->connections_before, &lane->metrics.connections_accepted),
	};
	/* A request belongs to the state that stood before and behind it. */
	for (int i = 0; i < TRIES; i++) {
		uint64_t before = doing;

		view->state = (enum lane_state)(doing & 7);
		view->has_request =
		    view->state >= LANE_WORKING && view->state <= LANE_CLOSING && look_request(lane, view, now_ns);
		doing = get(&lane->doing);
		if (doing == before)
			break;
		view->has_request = false;
	}
	if (view->state > LANE_UNKNOWN)
		view->state = LANE_UNKNOWN;
	if (view->state != LANE_NONE && view->state != LANE_UNKNOWN)
		view->state_ns = since(doing >> 3, now_ns);
}
