/* Unit tests of loadgen/response: however a response is cut into reads, it says the same. */
#include "loadgen/response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct example {
	const char *bytes;
	bool head;        /* it answers HEAD */
	bool until_close; /* the peer closes behind it */
	int status;
	uint64_t body_len;
	bool keep_alive;
};

static const struct example examples[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", .status = 200, .body_len = 5, .keep_alive = true},
    {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", .status = 200, .keep_alive = true},
    {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", .status = 200, .body_len = 5},
    {"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", .status = 200, .body_len = 5},
    {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx", .status = 200, .body_len = 1,
	.keep_alive = true},
    {"HTTP/1.1 200 OK\r\nServer: x\r\n\r\nup to the end", .until_close = true, .status = 200, .body_len = 13},
    {"HTTP/1.0 200 OK\r\n\r\n", .until_close = true, .status = 200},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n", .status = 200,
	.body_len = 13, .keep_alive = true},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n", .status = 200,
	.body_len = 1, .keep_alive = true},
    {"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", .head = true, .status = 200, .keep_alive = true},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", .head = true, .status = 200, .keep_alive = true},
    {"HTTP/1.1 204 No Content\r\n\r\n", .status = 204, .keep_alive = true},
    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", .status = 304, .keep_alive = true},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", .status = 200, .body_len = 2,
	.keep_alive = true},
    {"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 404 Not Found\r\n"
     "Content-Length: 1\r\n\r\n.",
	.status = 404, .body_len = 1, .keep_alive = true},
    {"HTTP/1.1 500\r\nContent-Length: 0\r\n\r\n", .status = 500, .keep_alive = true},
    /* An interim response says nothing about the connection, and has no body whatever it says. */
    {"HTTP/1.1 100 Continue\r\nConnection: close\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\n"
     "Content-Length: 2\r\n\r\nok",
	.status = 200, .body_len = 2, .keep_alive = true},
    {"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", .status = 101},
    {"HTTP/1.1 101 Switching Protocols\r\nContent-Length: 3\r\n\r\n", .status = 101},
    {"HTTP/1.1 200 OK\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\n\r\nx", .status = 200,
	.body_len = 1, .keep_alive = true},
    {"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", .status = 304, .keep_alive = true},
    {"HTTP/1.0 304 Not Modified\r\n\r\n", .status = 304},
    {"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", .status = 204},
    {"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", .head = true, .status = 200},
    {"HTTP/1.1 200 OK\r\n\r\n", .head = true, .status = 200, .keep_alive = true},
    /* "close" is heard among other options, in any case, and above its opposite. */
    {"HTTP/1.1 200 OK\r\nConnection: x, CLOSE\r\nContent-Length: 1\r\n\r\nx", .status = 200, .body_len = 1},
    {"HTTP/1.1 200 OK\r\nConnection: keep-alive, close\r\nContent-Length: 1\r\n\r\nx", .status = 200, .body_len = 1},
    {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", .status = 200,
	.body_len = 1},
    {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nall", .until_close = true, .status = 200, .body_len = 3},
    {"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\nall", .until_close = true, .status = 200, .body_len = 3},
    /* Chunks: as much as a response may say about its framing. */
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nzz\r\n0\r\n\r\n", .status = 200, .body_len = 2,
	.keep_alive = true},
    {"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n002\r\nzz\r\n0\r\n\r\n", .status = 200,
	.body_len = 2},
    {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nz\r\n0\r\n\r\n",
	.status = 200, .body_len = 1},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nzzz", .until_close = true, .status = 200, .body_len = 3},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nz\r\n0\r\n\r\n",
	.status = 200, .body_len = 1, .keep_alive = true},
};

/* feed reads the example in pieces that end at CUTS, and checks what it says. */
static void
feed(struct response *response, const struct example *example, const size_t *cuts, size_t cuts_len)
{
	size_t len = strlen(example->bytes), from = 0, taken;
	enum response_event event = RESPONSE_MORE;

	for (size_t i = 0; i <= cuts_len; i++) {
		size_t to = i < cuts_len ? cuts[i] : len;
		char *piece = malloc(to - from); /* on the heap, where the sanitizer sees a byte too far */

		if (to == from) {
			free(piece);
			continue;
		}
		assert_non_null(piece);
		assert_int_equal(event, RESPONSE_MORE);
		memcpy(piece, example->bytes + from, to - from);
		event = response_read(response, piece, to - from, &taken);
		free(piece);
		assert_int_equal(taken, to - from);
		from = to;
	}
	if (example->until_close) {
		assert_int_equal(event, RESPONSE_MORE);
		event = response_end(response);
	}
	if (event != RESPONSE_COMPLETE)
		fail_msg("event %d: %s", event, example->bytes);
	assert_int_equal(response->facts.status, example->status);
	assert_int_equal(response->facts.body_len, example->body_len);
	if (response->facts.keep_alive != example->keep_alive)
		fail_msg("keep-alive %d: %s", response->facts.keep_alive, example->bytes);
	assert_true(response->facts.head_done);
	assert_true(response->started);
}

static void
test_a_response_says_the_same_at_every_cut(void **state)
{
	(void)state;
	for (size_t e = 0; e < sizeof(examples) / sizeof(examples[0]); e++) {
		size_t len = strlen(examples[e].bytes), all[512];
		struct response_memo memo = {0};
		struct response response;

		response_init(&response, &memo, NULL);
		response.head = examples[e].head;
		for (size_t i = 0; i <= len;
		     i++) { /* twice in a row on one connection: the memo must not change a thing */
			feed(&response, &examples[e], &i, 1);
			response_reset(&response);
		}
		for (size_t i = 0; i < len; i += 2)
			for (size_t j = i; j <= len; j += 3) {
				feed(&response, &examples[e], (size_t[]){i, j}, 2);
				response_reset(&response);
			}
		for (size_t i = 0; i < len; i++)
			all[i] = i + 1;
		feed(&response, &examples[e], all, len - 1);
	}
}

/* read_all reads a piece of which every byte is to be taken. */
static enum response_event
read_all(struct response *response, const char *text)
{
	size_t taken;
	enum response_event event = response_read(response, text, strlen(text), &taken);

	assert_int_equal(taken, event == RESPONSE_INVALID ? 0 : strlen(text));
	return event;
}

static void
test_bytes_behind_the_end_are_not_taken(void **state)
{
	(void)state;
	for (size_t e = 0; e < sizeof(examples) / sizeof(examples[0]); e++) {
		size_t len = strlen(examples[e].bytes), taken;
		struct response_memo memo = {0};
		struct response response;
		char more[1024];

		if (examples[e].until_close)
			continue;
		snprintf(more, sizeof(more), "%s%s", examples[e].bytes, examples[e].bytes);
		response_init(&response, &memo, NULL);
		response.head = examples[e].head;
		for (size_t i = 0; i < len; i++) { /* the first time without the memo, then with it */
			if (i > 0) {
				assert_int_equal(response_read(&response, more, i, &taken), RESPONSE_MORE);
				assert_int_equal(taken, i);
			}
			assert_int_equal(response_read(&response, more + i, 2 * len - i, &taken), RESPONSE_COMPLETE);
			if (taken != len - i)
				fail_msg("%zu of %zu taken: %s", taken, len - i, examples[e].bytes);
			response_reset(&response);
			assert_int_equal(response_read(&response, more + len, len, &taken), RESPONSE_COMPLETE);
			assert_int_equal(taken, len);
			assert_int_equal(response.facts.body_len, examples[e].body_len);
			response_reset(&response);
		}
	}
}

static void
test_different_answers_follow_each_other(void **state)
{
	size_t ends[sizeof(examples) / sizeof(examples[0])], len = 0, at, taken;
	char *all = calloc(sizeof(examples) / sizeof(examples[0]), 512);
	struct response_memo memo = {0};
	struct response response;

	(void)state;
	assert_non_null(all);
	for (size_t e = 0; e < sizeof(examples) / sizeof(examples[0]); e++) {
		if (!examples[e].until_close)
			len += (size_t)sprintf(all + len, "%s", examples[e].bytes);
		ends[e] = len;
	}
	for (size_t piece = 1; piece <= len; piece += 1 + piece / 8) {
		size_t e = 0;

		response_init(&response, &memo, NULL);
		response.head = examples[0].head;
		for (at = 0; at < len;) {
			size_t to =
			    at + piece - at % piece; /* reads of PIECE bytes, of which responses take what is theirs */

			switch (response_read(&response, all + at, (to < len ? to : len) - at, &taken)) {
			case RESPONSE_COMPLETE:
				at += taken;
				assert_int_equal(at, ends[e]);
				assert_int_equal(response.facts.status, examples[e].status);
				assert_int_equal(response.facts.body_len, examples[e].body_len);
				assert_int_equal(response.facts.keep_alive, examples[e].keep_alive);
				for (e++; e < sizeof(ends) / sizeof(ends[0]) && examples[e].until_close;)
					e++;
				response_reset(&response);
				response.head = at < len && examples[e].head;
				break;
			case RESPONSE_MORE:
				at += taken;
				assert_int_equal(at, to < len ? to : len);
				break;
			case RESPONSE_INVALID:
			case RESPONSE_CUT:
				fail_msg("at %zu in reads of %zu: %.60s", at, piece, all + at);
			}
		}
		assert_false(response.started);
	}
	free(all);
}

static void
test_a_body_of_known_length_may_be_skipped(void **state)
{
	const char *head = "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n";
	struct response_memo memo = {0};
	struct response response;

	(void)state;
	response_init(&response, &memo, NULL);
	for (int round = 0; round < 2; round++) { /* parsed, then remembered */
		assert_int_equal(response_left(&response), 0);
		assert_int_equal(read_all(&response, head), RESPONSE_MORE);
		assert_int_equal(response_left(&response), 1000000000000);
		assert_int_equal(response_skip(&response, 999999999990), RESPONSE_MORE);
		assert_int_equal(read_all(&response, "12345"), RESPONSE_MORE);
		assert_int_equal(response_left(&response), 5);
		assert_int_equal(response_end(&response), RESPONSE_CUT);
		assert_int_equal(response_skip(&response, 5), RESPONSE_COMPLETE);
		assert_int_equal(response.facts.body_len, 1000000000000);
		assert_int_equal(response_left(&response), 0);
		assert_int_equal(response_end(&response), RESPONSE_COMPLETE);
		assert_true(response.facts.keep_alive);
		response_reset(&response);
	}
	assert_int_equal(memo.len, strlen(head));
}

static void
test_only_a_body_of_known_length_may_be_skipped(void **state)
{
	static const char *const others[] = {
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
	    "HTTP/1.1 200 OK\r\n\r\nab",
	    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct response_memo memo = {0};
		struct response response;

		response_init(&response, &memo, NULL);
		assert_int_equal(read_all(&response, others[i]), RESPONSE_MORE);
		assert_int_equal(response_left(&response), 0);
	}
}

static void
test_the_memo_knows_equal_beginnings_only(void **state)
{
	const char *first = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
	const char *other = "HTTP/1.1 404 No\r\nContent-Length: 5\r\n\r\nhello";
	struct response_memo memo = {0};
	struct response a, b;

	(void)state;
	response_init(&a, &memo, NULL);
	response_init(&b, &memo, NULL);
	assert_int_equal(read_all(&a, first), RESPONSE_COMPLETE);
	assert_int_equal(memo.len, strlen(first) - 5); /* the body is counted: it may be another one */
	assert_int_equal(read_all(&b, other), RESPONSE_COMPLETE);
	assert_int_equal(b.facts.status, 404);
	response_reset(&a);
	/* The same bytes as the memo's, but in the middle of another response. */
	assert_int_equal(read_all(&a, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"), RESPONSE_MORE);
	assert_int_equal(read_all(&a, other), RESPONSE_MORE);
	assert_int_equal(a.facts.body_len, strlen(other));
	assert_int_equal(a.facts.status, 200);
	/* What came in pieces is not remembered: its first bytes are gone. */
	memo.len = 0;
	response_reset(&b);
	assert_int_equal(read_all(&b, "HTTP/1.1 200 OK\r\n"), RESPONSE_MORE);
	assert_int_equal(read_all(&b, "Content-Length: 1\r\n\r\nx"), RESPONSE_COMPLETE);
	assert_int_equal(memo.len, 0);
}

/* With --urls, answers to HEAD and to GET come on the same connection, and their headers may be equal. */
static void
test_the_memo_tells_answers_to_head_from_others(void **state)
{
	const char *head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
	struct response_memo memo = {0};
	struct response response;

	(void)state;
	response_init(&response, &memo, NULL);
	for (int round = 0; round < 3; round++) {
		response.head = true;
		assert_int_equal(read_all(&response, head), RESPONSE_COMPLETE);
		assert_int_equal(response.facts.body_len, 0);
		response_reset(&response);
		response.head = false;
		assert_int_equal(read_all(&response, head), RESPONSE_MORE);
		assert_int_equal(read_all(&response, "hello"), RESPONSE_COMPLETE);
		assert_int_equal(response.facts.body_len, 5);
		response_reset(&response);
	}
}

static void
test_a_chunked_response_is_remembered_whole(void **state)
{
	const char *whole = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
	const char *other = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n";
	struct response_memo memo = {0};
	struct response response;

	(void)state;
	response_init(&response, &memo, NULL);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(read_all(&response, whole), RESPONSE_COMPLETE);
		assert_int_equal(memo.len, strlen(whole));
		assert_int_equal(response.facts.body_len, 3);
		response_reset(&response);
	}
	assert_int_equal(read_all(&response, other), RESPONSE_COMPLETE);
	assert_int_equal(response.facts.body_len, 4);
}

static void
test_a_long_header_is_not_remembered(void **state)
{
	char bytes[RESPONSE_MEMO_MAX + 100];
	struct response_memo memo = {0};
	struct response response;

	(void)state;
	snprintf(
	    bytes, sizeof(bytes), "HTTP/1.1 200 OK\r\nX: %0*d\r\nContent-Length: 1\r\n\r\nx", RESPONSE_MEMO_MAX, 1);
	response_init(&response, &memo, NULL);
	assert_int_equal(read_all(&response, bytes), RESPONSE_COMPLETE);
	assert_int_equal(response.facts.body_len, 1);
	assert_int_equal(memo.len, 0);
}

/* final_head_len: bytes up to the end of the last header, behind those of interim responses. */
static size_t
final_head_len(const char *bytes)
{
	const char *last = bytes, *next;

	while ((next = strstr(last + 1, "HTTP/1")) != NULL)
		last = next;
	return (size_t)(strstr(last, "\r\n\r\n") + 4 - bytes);
}

static void
test_a_cut_one_is_told_from_a_whole_one(void **state)
{
	(void)state;
	for (size_t e = 0; e < sizeof(examples) / sizeof(examples[0]); e++) {
		size_t len = strlen(examples[e].bytes), head_len, taken;

		if (examples[e].until_close)
			continue;
		head_len = final_head_len(examples[e].bytes);
		for (size_t i = 0; i < len; i++) {
			struct response_memo memo = {0};
			struct response response;

			response_init(&response, &memo, NULL);
			response.head = examples[e].head;
			if (i > 0)
				assert_int_equal(response_read(&response, examples[e].bytes, i, &taken), RESPONSE_MORE);
			assert_int_equal(response_end(&response), RESPONSE_CUT);
			assert_int_equal(response.started, i > 0);
			assert_int_equal(response.facts.head_done, i >= head_len);
		}
	}
}

static void
test_what_is_not_http_is_invalid(void **state)
{
	static const char *const wrong[] = {
	    "hello\r\n\r\n",
	    "SSH-2.0-OpenSSH\r\n",
	    "GET / HTTP/1.1\r\n\r\n",
	    "HTTP/2.0 200 OK\r\n\r\n",
	    "HTTP/1.1 2x0 OK\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
	    "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
	    "HTTP/1.1 100 Continue\r\n\r\nhello\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct response_memo memo = {0};
		struct response response;

		response_init(&response, &memo, NULL);
		if (read_all(&response, wrong[i]) != RESPONSE_INVALID)
			fail_msg("taken for a response: %s", wrong[i]);
	}
}

static void
test_the_server_field_is_found_at_every_cut(void **state)
{
	static const struct example example = {"HTTP/1.1 200 OK\r\nServerX: no\r\nServe: no\r\nsErVeR: toy/1.0 (x)\r\n"
					       "Server: second\r\nContent-Length: 2\r\n\r\nok",
	    .status = 200, .body_len = 2, .keep_alive = true};

	(void)state;
	for (size_t i = 0; i <= strlen(example.bytes); i++) {
		char server[RESPONSE_SERVER_MAX] = "left over";
		struct response_memo memo = {0};
		struct response response;

		response_init(&response, &memo, server);
		feed(&response, &example, &i, 1);
		assert_string_equal(server, "toy/1.0 (x)");
		assert_null(response.server); /* later ones are not looked at */
	}
}

static void
test_a_long_or_strange_server_field_is_cut_and_cleaned(void **state)
{
	char bytes[1024], server[RESPONSE_SERVER_MAX] = "";
	struct response_memo memo = {0};
	struct response response;

	(void)state;
	snprintf(bytes, sizeof(bytes), "HTTP/1.1 204 x\r\nServer: \xff%0500d\r\n\r\n", 1);
	response_init(&response, &memo, server);
	assert_int_equal(read_all(&response, bytes), RESPONSE_COMPLETE);
	assert_int_equal(strlen(server), RESPONSE_SERVER_MAX - 1);
	assert_int_equal(server[0], '?');
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_response_says_the_same_at_every_cut),
	    cmocka_unit_test(test_bytes_behind_the_end_are_not_taken),
	    cmocka_unit_test(test_different_answers_follow_each_other),
	    cmocka_unit_test(test_a_body_of_known_length_may_be_skipped),
	    cmocka_unit_test(test_only_a_body_of_known_length_may_be_skipped),
	    cmocka_unit_test(test_the_memo_knows_equal_beginnings_only),
	    cmocka_unit_test(test_the_memo_tells_answers_to_head_from_others),
	    cmocka_unit_test(test_a_chunked_response_is_remembered_whole),
	    cmocka_unit_test(test_a_long_header_is_not_remembered),
	    cmocka_unit_test(test_a_cut_one_is_told_from_a_whole_one),
	    cmocka_unit_test(test_what_is_not_http_is_invalid),
	    cmocka_unit_test(test_the_server_field_is_found_at_every_cut),
	    cmocka_unit_test(test_a_long_or_strange_server_field_is_cut_and_cleaned),
	};

	return cmocka_run_group_tests_name("loadgen/response", tests, NULL, NULL);
}
