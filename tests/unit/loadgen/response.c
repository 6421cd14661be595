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
};

/* feed reads the example in pieces that end at CUTS, and checks what it says. */
static void
feed(struct response *response, const struct example *example, const size_t *cuts, size_t cuts_len)
{
	size_t len = strlen(example->bytes), from = 0;
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
		event = response_read(response, piece, to - from);
		free(piece);
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

		response_init(&response, examples[e].head, &memo, NULL);
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

static void
test_bytes_behind_the_end_are_a_fault(void **state)
{
	(void)state;
	for (size_t e = 0; e < sizeof(examples) / sizeof(examples[0]); e++) {
		struct response_memo memo = {0};
		struct response response;
		char more[512];

		if (examples[e].until_close)
			continue;
		response_init(&response, examples[e].head, &memo, NULL);
		feed(&response, &examples[e], NULL, 0);
		response_reset(&response);
		snprintf(more, sizeof(more), "%sx", examples[e].bytes);
		assert_int_equal(response_read(&response, more, strlen(more)), RESPONSE_INVALID);
	}
}

static void
test_the_memo_belongs_to_whole_equal_bytes_only(void **state)
{
	const char *first = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
	const char *other = "HTTP/1.1 404 No\r\nContent-Length: 5\r\n\r\nhello";
	struct response_memo memo = {0};
	struct response a, b;

	(void)state;
	response_init(&a, false, &memo, NULL);
	response_init(&b, false, &memo, NULL);
	assert_int_equal(response_read(&a, first, strlen(first)), RESPONSE_COMPLETE);
	assert_int_equal(memo.len, strlen(first));
	assert_int_equal(response_read(&b, other, strlen(other)), RESPONSE_COMPLETE);
	assert_int_equal(b.facts.status, 404);
	response_reset(&a);
	/* The same bytes as the memo's, but in the middle of another response. */
	assert_int_equal(response_read(&a, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", 40), RESPONSE_MORE);
	assert_int_equal(response_read(&a, other, strlen(other)), RESPONSE_MORE);
	assert_int_equal(a.facts.body_len, strlen(other));
	assert_int_equal(a.facts.status, 200);
}

static void
test_a_long_response_is_not_remembered(void **state)
{
	char bytes[RESPONSE_MEMO_MAX + 100];
	struct response_memo memo = {0};
	struct response response;
	int head = snprintf(bytes, sizeof(bytes), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", RESPONSE_MEMO_MAX);

	(void)state;
	memset(bytes + head, 'x', RESPONSE_MEMO_MAX);
	response_init(&response, false, &memo, NULL);
	assert_int_equal(response_read(&response, bytes, (size_t)head + RESPONSE_MEMO_MAX), RESPONSE_COMPLETE);
	assert_int_equal(response.facts.body_len, RESPONSE_MEMO_MAX);
	assert_int_equal(memo.len, 0);
}

static void
test_a_cut_one_is_told_from_a_whole_one(void **state)
{
	(void)state;
	for (size_t e = 0; e < sizeof(examples) / sizeof(examples[0]); e++) {
		size_t len = strlen(examples[e].bytes), head_len;

		if (examples[e].until_close)
			continue;
		head_len = (size_t)(strstr(examples[e].bytes, "\r\n\r\n") + 4 - examples[e].bytes);
		for (size_t i = 0; i < len; i++) {
			struct response_memo memo = {0};
			struct response response;

			response_init(&response, examples[e].head, &memo, NULL);
			if (i > 0)
				assert_int_equal(response_read(&response, examples[e].bytes, i), RESPONSE_MORE);
			assert_int_equal(response_end(&response), RESPONSE_CUT);
			assert_int_equal(response.started, i > 0);
			if (i < head_len)
				assert_false(response.facts.head_done);
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
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct response_memo memo = {0};
		struct response response;

		response_init(&response, false, &memo, NULL);
		if (response_read(&response, wrong[i], strlen(wrong[i])) != RESPONSE_INVALID)
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

		response_init(&response, false, &memo, server);
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
	response_init(&response, false, &memo, server);
	assert_int_equal(response_read(&response, bytes, strlen(bytes)), RESPONSE_COMPLETE);
	assert_int_equal(strlen(server), RESPONSE_SERVER_MAX - 1);
	assert_int_equal(server[0], '?');
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_response_says_the_same_at_every_cut),
	    cmocka_unit_test(test_bytes_behind_the_end_are_a_fault),
	    cmocka_unit_test(test_the_memo_belongs_to_whole_equal_bytes_only),
	    cmocka_unit_test(test_a_long_response_is_not_remembered),
	    cmocka_unit_test(test_a_cut_one_is_told_from_a_whole_one),
	    cmocka_unit_test(test_what_is_not_http_is_invalid),
	    cmocka_unit_test(test_the_server_field_is_found_at_every_cut),
	    cmocka_unit_test(test_a_long_or_strange_server_field_is_cut_and_cleaned),
	};

	return cmocka_run_group_tests_name("loadgen/response", tests, NULL, NULL);
}
