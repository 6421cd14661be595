/* Unit tests of loadgen/source: addresses and ranges, right and wrong. */
#include "loadgen/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/compiler.h"

static char error[256];

static const char *
shown(const struct source *source, uint64_t turn)
{
	static char text[INET6_ADDRSTRLEN];
	union source_address address;
	socklen_t len = source_at(source, turn, &address);
	int family = address.any.sa_family;

	assert_int_equal(len, family == AF_INET ? sizeof(address.v4) : sizeof(address.v6));
	assert_int_equal(family == AF_INET ? address.v4.sin_port : address.v6.sin6_port, 0);
	return inet_ntop(family, family == AF_INET ? (void *)&address.v4.sin_addr : (void *)&address.v6.sin6_addr, text,
	    sizeof(text));
}

static void
test_ranges(void **state)
{
	static const struct {
		const char *text;
		uint32_t count;
		const char *first, *second, *last; /* the turns 0, 1 and count - 1 */
	} right[] = {
	    {"127.0.0.2", 1, "127.0.0.2", "127.0.0.2", "127.0.0.2"},
	    {"127.0.0.2-127.0.0.2", 1, "127.0.0.2", "127.0.0.2", "127.0.0.2"},
	    {"127.0.0.2-127.0.0.5", 4, "127.0.0.2", "127.0.0.3", "127.0.0.5"},
	    {"127.0.0.255-127.0.1.1", 3, "127.0.0.255", "127.0.1.0", "127.0.1.1"},
	    {"126.255.255.255-127.0.0.0", 2, "126.255.255.255", "127.0.0.0", "127.0.0.0"},
	    {"127.1.0.0-127.1.255.255", 65536, "127.1.0.0", "127.1.0.1", "127.1.255.255"},
	    {"0.0.0.0-0.0.255.255", 65536, "0.0.0.0", "0.0.0.1", "0.0.255.255"},
	    {"::1", 1, "::1", "::1", "::1"},
	    {"fd00::fffe-fd00::1:1", 4, "fd00::fffe", "fd00::ffff", "fd00::1:1"},
	    {"fd00:0:0:1:ffff:ffff:ffff:ffff-fd00:0:0:2::", 2, "fd00::1:ffff:ffff:ffff:ffff",
		"fd00:0:0:2::", "fd00:0:0:2::"},
	};
	struct source source;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(right); i++) {
		if (source_parse(&source, right[i].text, error, sizeof(error)) != 0)
			fail_msg("%s: %s", right[i].text, error);
		assert_int_equal(source.count, right[i].count);
		assert_string_equal(shown(&source, 0), right[i].first);
		assert_string_equal(shown(&source, 1), right[i].second);
		assert_string_equal(shown(&source, source.count - 1), right[i].last);
		assert_string_equal(shown(&source, 7ULL * source.count), right[i].first);
		assert_string_equal(shown(&source, (UINT64_MAX / source.count - 1) * source.count), right[i].first);
	}
}

static void
test_every_wrong_range_says_what_to_do(void **state)
{
	static const struct {
		const char *text, *says;
	} wrong[] = {
	    {"", "use a local address"},
	    {"-", "use a local address"},
	    {"127.0.0.2-", "use a local address"},
	    {"-127.0.0.2", "use a local address"},
	    {"127.0.0.2-5", "use a local address"},
	    {"127.0.0.256", "use a local address"},
	    {"127.0.0.2-127.0.0.3-127.0.0.4", "use a local address"},
	    {"127.0.0.2,127.0.0.3", "use a local address"},
	    {"localhost", "use a local address"},
	    {"[::1]", "use a local address"},
	    {"127.0.0.2:80", "use a local address"},
	    {"1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111",
		"use a local address"},
	    {"127.0.0.5-127.0.0.2", "lower address first"},
	    {"::2-::1", "lower address first"},
	    {"127.0.0.1-::1", "both IPv6"},
	    {"::1-127.0.0.1", "both IPv6"},
	    {"127.0.0.0-127.1.0.0", "more than 65536"},
	    {"0.0.0.0-255.255.255.255", "more than 65536"},
	    {"::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "more than 65536"},
	    {"::1-1::", "more than 65536"},
	};
	struct source source;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		error[0] = '\0';
		if (source_parse(&source, wrong[i].text, error, sizeof(error)) != -EINVAL ||
		    strstr(error, wrong[i].says) == NULL)
			fail_msg("%s: %s", wrong[i].text, error);
	}
}

static void
test_a_socket_is_bound_without_a_port(void **state)
{
	static const char *const texts[] = {"127.0.0.2-127.0.0.3", "::1"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct source source;
		union source_address bound;
		socklen_t len = sizeof(bound);
		int fd;

		assert_int_equal(source_parse(&source, texts[i], error, sizeof(error)), 0);
		fd = socket(source.first.any.sa_family, SOCK_STREAM, 0);
		if (fd == -1 || source_check(&source, error, sizeof(error)) != 0) {
			assert_string_equal(texts[i], "::1"); /* a machine may lack IPv6 */
			if (fd != -1)
				close(fd);
			continue;
		}
		assert_int_equal(source_bind(&source, 1, fd), 0);
		assert_int_equal(getsockname(fd, &bound.any, &len), 0);
		assert_int_equal(bound.any.sa_family == AF_INET ? bound.v4.sin_port : bound.v6.sin6_port, 0);
		if (bound.any.sa_family == AF_INET)
			assert_int_equal(ntohl(bound.v4.sin_addr.s_addr), INADDR_LOOPBACK + 2);
		close(fd);
	}
}

static void
test_an_address_of_another_machine_is_named(void **state)
{
	struct source source;

	(void)state;
	assert_int_equal(source_parse(&source, "192.0.2.7", error, sizeof(error)), 0); /* documentation, RFC 5737 */
	assert_int_equal(source_check(&source, error, sizeof(error)), -EADDRNOTAVAIL);
	assert_non_null(
	    strstr(error, "192.0.2.7 is not an address of this machine; `ip addr add 192.0.2.7/32 dev lo`"));
	assert_int_equal(source_parse(&source, "127.255.255.254-128.0.0.1", error, sizeof(error)), 0);
	assert_int_equal(source_check(&source, error, sizeof(error)), -EADDRNOTAVAIL);
	assert_non_null(strstr(error, "128.0.0.0 is not"));
	assert_int_equal(source_parse(&source, "fe80::1", error, sizeof(error)), 0); /* of which link? */
	if (source_check(&source, error, sizeof(error)) == -EINVAL)                  /* a machine may lack IPv6 */
		assert_string_equal(error, "fe80::1: Invalid argument");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ranges),
	    cmocka_unit_test(test_every_wrong_range_says_what_to_do),
	    cmocka_unit_test(test_a_socket_is_bound_without_a_port),
	    cmocka_unit_test(test_an_address_of_another_machine_is_named),
	};

	return cmocka_run_group_tests_name("loadgen/source", tests, NULL, NULL);
}
