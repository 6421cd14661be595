/* Unit tests of loadgen/target: URLs right and wrong. */
#include "loadgen/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

static char error[256];

static void
test_urls(void **state)
{
	static const struct {
		const char *text, *url, *host, *field, *path;
		int port;
	} right[] = {
	    {"http://127.0.0.1:8088/", "http://127.0.0.1:8088/", "127.0.0.1", "127.0.0.1:8088", "/", 8088},
	    {"localhost:8088", "http://localhost:8088/", "localhost", "localhost:8088", "/", 8088},
	    {"localhost", "http://localhost/", "localhost", "localhost", "/", 80},
	    {"HTTP://host:80/x", "http://host:80/x", "host", "host", "/x", 80},
	    {"host/a/b?c=d&e", "http://host/a/b?c=d&e", "host", "host", "/a/b?c=d&e", 80},
	    {"host?q=1", "http://host/?q=1", "host", "host", "/?q=1", 80},
	    {"host:81?q=http://x/", "http://host:81/?q=http://x/", "host", "host:81", "/?q=http://x/", 81},
	    {"host/x#part", "http://host/x", "host", "host", "/x", 80},
	    {"host#part", "http://host/", "host", "host", "/", 80},
	    {"http://[::1]:8088/x", "http://[::1]:8088/x", "::1", "[::1]:8088", "/x", 8088},
	    {"[::1]", "http://[::1]/", "::1", "[::1]", "/", 80},
	    {"[fe80::1%eth0]:1", "http://[fe80::1%eth0]:1/", "fe80::1%eth0", "[fe80::1]:1", "/", 1},
	    {"host:65535", "http://host:65535/", "host", "host:65535", "/", 65535},
	};
	struct target target;

	(void)state;
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		assert_int_equal(target_parse(&target, right[i].text, error, sizeof(error)), 0);
		assert_string_equal(target.url, right[i].url);
		assert_string_equal(target.host, right[i].host);
		assert_string_equal(target.field, right[i].field);
		assert_string_equal(target.path, right[i].path);
		assert_int_equal(target.port, right[i].port);
		target_deinit(&target);
	}
}

static void
test_every_wrong_url_says_what_to_do(void **state)
{
	static const struct {
		const char *text, *says;
	} wrong[] = {
	    {"", "no host"},
	    {"/", "no host"},
	    {"/path", "no host"},
	    {":8088", "no host"},
	    {"http://", "no host"},
	    {"http:///", "no host"},
	    {"http://:8088/", "no host"},
	    {"http://?x", "no host"},
	    {"[]:80", "no host"},
	    {"https://host/", "not supported yet"},
	    {"HTTPS://host", "not supported yet"},
	    {"ftp://host/", "only http://"},
	    {"unix:///tmp/x", "only http://"},
	    {"://host", "only http://"},
	    {"host:", "1 to 65535"},
	    {"host:/", "1 to 65535"},
	    {"http:/host/", "1 to 65535"},
	    {"host:0", "1 to 65535"},
	    {"host:65536", "1 to 65535"},
	    {"host:99999999999999999999", "1 to 65535"},
	    {"host:80x", "1 to 65535"},
	    {"host:-1", "1 to 65535"},
	    {"host: 80", "percent-encoded"},
	    {"::1", "brackets"},
	    {"::1:8088", "brackets"},
	    {"fe80::1", "brackets"},
	    {"[::1", "closing bracket"},
	    {"[::1]8088", "may follow"},
	    {"user:secret@host", "-A user:password"},
	    {"http://host/a b", "percent-encoded"},
	    {"http://host/a\r\nX: y", "percent-encoded"},
	    {"http://host/\xc3\xbc", "percent-encoded"},
	    {"http://host/\x7f", "percent-encoded"},
	};
	struct target target;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		error[0] = '\0';
		if (target_parse(&target, wrong[i].text, error, sizeof(error)) != -EINVAL ||
		    strstr(error, wrong[i].says) == NULL)
			fail_msg("%s: %s", wrong[i].text, error);
	}
}

static void
test_resolving(void **state)
{
	struct target target;

	(void)state;
	assert_int_equal(target_parse(&target, "127.0.0.1:99", error, sizeof(error)), 0);
	assert_int_equal(target_resolve(&target, error, sizeof(error)), 0);
	assert_non_null(target.addresses);
	assert_int_equal(target.addresses->ai_family, AF_INET);
	target_deinit(&target);
	assert_int_equal(target_parse(&target, "no.such.host.invalid", error, sizeof(error)), 0);
	error[0] = '\0';
	assert_int_equal(target_resolve(&target, error, sizeof(error)), -1);
	assert_string_not_equal(error, "");
	target_deinit(&target);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_urls),
	    cmocka_unit_test(test_every_wrong_url_says_what_to_do),
	    cmocka_unit_test(test_resolving),
	};

	return cmocka_run_group_tests_name("loadgen/target", tests, NULL, NULL);
}
