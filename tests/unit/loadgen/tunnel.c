/* Unit tests of loadgen/tunnel: what is asked, and answers good and bad at every split. */
#include "loadgen/tunnel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/compiler.h"
#include "common/version.h"

#define ASKED "CONNECT host:443 HTTP/1.1\r\nHost: host:443\r\n\r\n"

static bool memory_is_out;

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *
__wrap_calloc(size_t count, size_t size)
{
	return memory_is_out ? NULL : __real_calloc(count, size);
}

static void
make_pair(int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
}

static void
test_requests(void **state)
{
	static const struct {
		const char *url, *credentials, *text;
	} cases[] = {
	    {"https://host/x", NULL,
		"CONNECT host:443 HTTP/1.1\r\nHost: host:443\r\nUser-Agent: loadgen/" LOOPFORK_VERSION "\r\n\r\n"},
	    {"https://[fe80::1%eth0]:8443/x", NULL,
		"CONNECT [fe80::1]:8443 HTTP/1.1\r\nHost: [fe80::1]:8443\r\nUser-Agent: loadgen/" LOOPFORK_VERSION
		"\r\n\r\n"},
	    {"https://10.0.0.1", "Aladdin:open sesame",
		"CONNECT 10.0.0.1:443 HTTP/1.1\r\nHost: 10.0.0.1:443\r\nUser-Agent: loadgen/" LOOPFORK_VERSION
		"\r\nProxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct target target;
		char error[256], *text;

		assert_int_equal(target_parse(&target, cases[i].url, error, sizeof(error)), 0);
		text = tunnel_request(&target, cases[i].credentials);
		assert_string_equal(text, cases[i].text);
		free(text);
		target_deinit(&target);
	}
}

/* answer sends ANSWER cut at SPLIT (0: whole), and returns how the tunnel took it. */
static int
answer(const char *text, size_t split)
{
	struct tunnel *tunnel;
	char asked[256];
	int fds[2], result = -EAGAIN;

	make_pair(fds);
	tunnel = tunnel_open(fds[0], ASKED);
	assert_non_null(tunnel);
	assert_int_equal(tunnel_go_on(tunnel), -EAGAIN);
	assert_int_equal(recv(fds[1], asked, sizeof(asked), 0), strlen(ASKED));
	assert_memory_equal(asked, ASKED, strlen(ASKED));
	if (split > 0) {
		assert_int_equal(send(fds[1], text, split, 0), split);
		result = tunnel_go_on(tunnel);
	}
	if (result == -EAGAIN) {
		assert_int_equal(send(fds[1], text + split, strlen(text + split), 0), strlen(text + split));
		result = tunnel_go_on(tunnel);
	}
	tunnel_close(tunnel);
	close(fds[0]);
	close(fds[1]);
	return result;
}

static void
test_good_answers_at_every_split(void **state)
{
	static const char *const good[] = {
	    "HTTP/1.1 200 OK\r\n\r\n",
	    "HTTP/1.0 200 Connection established\r\n\r\n",
	    "HTTP/1.1 200\r\nVia: 1.1 proxy\r\nConnection: keep-alive\r\n\r\n",
	    "HTTP/1.1 204 No Content\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", /* to be ignored: RFC 9110, 9.3.6 */
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
	    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		for (size_t split = 0; split < strlen(good[i]); split++)
			if (answer(good[i], split) != 0)
				fail_msg("%s at %zu: %s", good[i], split, tunnel_why());
}

static bool
ends_with(const char *text, const char *end)
{
	return strlen(text) >= strlen(end) && strcmp(text + strlen(text) - strlen(end), end) == 0;
}

static void
test_bad_answers_at_every_split(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
	    {"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
		"the proxy answered CONNECT with 407 Proxy Authentication Required; use -P user:password"},
	    {"HTTP/1.1 502\r\n\r\n", "the proxy answered CONNECT with 502"},
	    {"HTTP/1.1 102 Early\r\n\r\nHTTP/1.1 503 Late\a\r\n\r\n", "the proxy answered CONNECT with 503 Late?"},
	    {"HTTP/1.1 102 Early\r\n\r\nHTTP/1.1 503 Late\r\n\r\n", "the proxy answered CONNECT with 503 Late"},
	    {"HTTP/1.1 102 Early\r\n\r\nHTTP/1.1 503 No\r\n\r\n", "the proxy answered CONNECT with 503 No"},
	    {"HTTP/1.1 102 Early\r\n\r\nHTTP/1.1 503 \r\n\r\n", "the proxy answered CONNECT with 503"},
	    {"HTTP/2.0 200 OK\r\n\r\n", "not HTTP/1"},
	    {"SSH-2.0-OpenSSH\r\n", "not HTTP/1"},
	    {"\x15\x03\x01", "not HTTP/1"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		for (size_t split = 0; split < strlen(bad[i].text); split++)
			if (answer(bad[i].text, split) != -EPROTO || !ends_with(tunnel_why(), bad[i].says))
				fail_msg("%s at %zu: %s", bad[i].text, split, tunnel_why());
	assert_int_equal(answer("HTTP/1.1 200 OK\r\n\r\nx", 0), -EPROTO);
	assert_string_equal(tunnel_why(), "the proxy sent more than its answer to CONNECT");
}

static void
test_an_answer_without_end(void **state)
{
	struct tunnel *tunnel;
	int fds[2], result = -EAGAIN;

	(void)state;
	make_pair(fds);
	tunnel = tunnel_open(fds[0], ASKED);
	assert_int_equal(send(fds[1], "HTTP/1.1 200 OK\r\n", 17, 0), 17);
	for (int i = 0; i < 100000 && result == -EAGAIN; i++) {
		assert_int_equal(send(fds[1], "A: 0123456789\r\n", 15, 0), 15);
		result = tunnel_go_on(tunnel);
	}
	assert_int_equal(result, -EPROTO);
	assert_string_equal(tunnel_why(), "the proxy's answer to CONNECT does not end");
	tunnel_close(tunnel);
	close(fds[0]);
	close(fds[1]);
}

static void
test_a_proxy_that_goes_away(void **state)
{
	struct tunnel *tunnel;
	int fds[2];

	(void)state;
	for (int asked = 0; asked < 2; asked++) { /* unread bytes at a close make a reset of it */
		char text[256];

		make_pair(fds);
		tunnel = tunnel_open(fds[0], ASKED);
		assert_int_equal(tunnel_go_on(tunnel), -EAGAIN);
		if (asked)
			assert_true(recv(fds[1], text, sizeof(text), 0) > 0);
		close(fds[1]);
		assert_int_equal(tunnel_go_on(tunnel), -ECONNRESET);
		tunnel_close(tunnel);
		close(fds[0]);
	}
	make_pair(fds);
	close(fds[1]);
	tunnel = tunnel_open(fds[0], ASKED);
	assert_int_equal(tunnel_go_on(tunnel), -EPIPE);
	tunnel_close(tunnel);
	close(fds[0]);
	tunnel_close(NULL);
}

static void
test_a_long_request_leaves_in_pieces(void **state)
{
	enum { LONG = 1 << 20 };
	static char request[LONG + 1], seen[LONG];
	struct tunnel *tunnel;
	size_t got = 0;
	int fds[2];

	(void)state;
	for (size_t i = 0; i < LONG; i++)
		request[i] = (char)('a' + i % 23);
	make_pair(fds);
	tunnel = tunnel_open(fds[0], request);
	for (int i = 0; i < 100000 && got < LONG; i++) {
		ssize_t len;

		assert_int_equal(tunnel_go_on(tunnel), -EAGAIN);
		len = recv(fds[1], seen + got, 1000 < LONG - got ? 1000 : LONG - got, 0);
		assert_true(len > 0);
		got += (size_t)len;
	}
	assert_int_equal(got, LONG);
	assert_memory_equal(seen, request, LONG);
	assert_int_equal(send(fds[1], "HTTP/1.1 200 OK\r\n\r\n", 19, 0), 19);
	assert_int_equal(tunnel_go_on(tunnel), 0);
	tunnel_close(tunnel);
	close(fds[0]);
	close(fds[1]);
}

static void
test_no_memory(void **state)
{
	(void)state;
	memory_is_out = true;
	assert_null(tunnel_open(0, ASKED));
	memory_is_out = false;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_requests),
	    cmocka_unit_test(test_good_answers_at_every_split),
	    cmocka_unit_test(test_bad_answers_at_every_split),
	    cmocka_unit_test(test_an_answer_without_end),
	    cmocka_unit_test(test_a_proxy_that_goes_away),
	    cmocka_unit_test(test_a_long_request_leaves_in_pieces),
	    cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests_name("loadgen/tunnel", tests, NULL, NULL);
}
