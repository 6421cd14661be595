/* Unit tests of loadgen/target: URLs right and wrong. */
#include "loadgen/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

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
	    {"http://[fe80::1%25eth0]:1", "http://[fe80::1%eth0]:1/", "fe80::1%eth0", "[fe80::1]:1", "/", 1},
	    {"[fe80::1%25]", "http://[fe80::1%25]/", "fe80::1%25", "[fe80::1]", "/", 80}, /* interface 25 */
	    {"host%25x", "http://host%25x/", "host%25x", "host", "/", 80},
	    {"http:8088/x:y", "http://http:8088/x:y", "http", "http:8088", "/x:y", 8088},
	    {"https:81", "http://https:81/", "https", "https:81", "/", 81},
	    {"http", "http://http/", "http", "http", "/", 80},
	    {"https://host/", "https://host/", "host", "host", "/", 443},
	    {"HTTPS://host:443", "https://host:443/", "host", "host", "/", 443},
	    {"https://host:80/x", "https://host:80/x", "host", "host:80", "/x", 80},
	    {"http://host:443/x", "http://host:443/x", "host", "host:443", "/x", 443},
	    {"https://[::1]:8443/x#y", "https://[::1]:8443/x", "::1", "[::1]:8443", "/x", 8443},
	    {"unix:8088/x", "http://unix:8088/x", "unix", "unix:8088", "/x", 8088},
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
		assert_int_equal(target.tls, strncmp(right[i].url, "https:", 6) == 0);
		assert_null(target.socket);
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
	    {"https://", "no host"},
	    {"https://:443/", "no host"},
	    {"ftp://host/", "only http://, https:// and unix:"},
	    {"https+unix://host/", "only http://"},
	    {"unix:", "begins with a slash"},
	    {"unix:app.sock", "begins with a slash"},
	    {"unix::/", "begins with a slash"},
	    {"unix:/tmp/a b.sock:/", "percent-encoded"},
	    {"https://user:secret@host", "-A user:password"},
	    {"://host", "only http://"},
	    {"host:", "1 to 65535"},
	    {"host:/", "1 to 65535"},
	    {"http:/host/", "two slashes"},
	    {"http:/127.0.0.1:9701/", "two slashes"},
	    {"http:127.0.0.1:9701", "two slashes"},
	    {"https:127.0.0.1", "two slashes"},
	    {"HTTPS:host?u=http://x/", "two slashes"},
	    {"http:80x", "two slashes"},
	    {"http:", "two slashes"},
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
test_unix_sockets(void **state)
{
	static const struct {
		const char *text, *socket, *path, *url;
	} right[] = {
	    {"unix:/run/app.sock", "/run/app.sock", "/", "unix:/run/app.sock:/"},
	    {"unix:/run/app.sock:", "/run/app.sock", "/", "unix:/run/app.sock:/"},
	    {"unix:/run/app.sock:/x?u=http://y/#z", "/run/app.sock", "/x?u=http://y/",
		"unix:/run/app.sock:/x?u=http://y/"},
	    {"UNIX:/run/app.sock:?q", "/run/app.sock", "/?q", "unix:/run/app.sock:/?q"},
	};
	struct target target;
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		const struct sockaddr_un *address;

		assert_int_equal(target_parse(&target, right[i].text, error, sizeof(error)), 0);
		assert_string_equal(target.socket, right[i].socket);
		assert_string_equal(target.path, right[i].path);
		assert_string_equal(target.url, right[i].url);
		assert_string_equal(target.host, "localhost");
		assert_string_equal(target.field, "localhost");
		assert_int_equal(target.port, 0);
		assert_false(target.tls);
		assert_int_equal(target_resolve(&target, AF_UNSPEC, error, sizeof(error)), 0);
		assert_int_equal(target.addresses->ai_family, AF_UNIX);
		assert_null(target.addresses->ai_next);
		address = (const struct sockaddr_un *)target.addresses->ai_addr;
		assert_string_equal(address->sun_path, right[i].socket);
		assert_int_equal(target.addresses->ai_addrlen, sizeof(*address));
		target_deinit(&target);
	}
	for (int len = 107; len <= 108; len++) {
		snprintf(text, sizeof(text), "unix:/%0*d:/", len - 1, 0);
		assert_int_equal(target_parse(&target, text, error, sizeof(error)), len == 107 ? 0 : -EINVAL);
		target_deinit(&target);
	}
	assert_non_null(strstr(error, "at most 107 characters"));
}

static void
test_proxies(void **state)
{
	static const struct {
		const char *text, *host;
		int port;
	} right[] = {
	    {"127.0.0.1:3128", "127.0.0.1", 3128},
	    {"proxy", "proxy", 80},
	    {"[::1]:3128", "::1", 3128},
	    {"[::1]", "::1", 80},
	    {"[fe80::1%25lo]:3128", "fe80::1%lo", 3128},
	};
	static const struct {
		const char *text, *says;
	} wrong[] = {
	    {"", "no host"},
	    {":3128", "no host"},
	    {"proxy:", "1 to 65535"},
	    {"proxy:x", "1 to 65535"},
	    {"::1", "brackets"},
	    {"https://proxy:3128", "plain HTTP"},
	    {"http://proxy:3128", "host:port alone"},
	    {"proxy/x", "plain HTTP"},
	    {"a b", "plain HTTP"},
	    {"user:secret@proxy:3128", "-P user:password"},
	};
	struct target target;

	(void)state;
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		assert_int_equal(target_parse(&target, "https://no.such.host.invalid/x", error, sizeof(error)), 0);
		assert_int_equal(target_set_proxy(&target, right[i].text, error, sizeof(error)), 0);
		assert_string_equal(target.proxy, right[i].host);
		assert_int_equal(target.proxy_port, right[i].port);
		assert_string_equal(target.host, "no.such.host.invalid");
		assert_int_equal(target.port, 443);
		target_deinit(&target);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(target_parse(&target, "host", error, sizeof(error)), 0);
		if (target_set_proxy(&target, wrong[i].text, error, sizeof(error)) != -EINVAL ||
		    strstr(error, wrong[i].says) == NULL)
			fail_msg("%s: %s", wrong[i].text, error);
		assert_null(target.proxy);
		target_deinit(&target);
	}
	assert_int_equal(target_parse(&target, "unix:/run/app.sock:/", error, sizeof(error)), 0);
	assert_int_equal(target_set_proxy(&target, "proxy:3128", error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "leave -X out"));
	target_deinit(&target);
}

static void
test_resolving_looks_up_the_proxy_alone(void **state)
{
	const struct sockaddr_in *address;
	struct target target;

	(void)state;
	assert_int_equal(target_parse(&target, "http://no.such.host.invalid/x", error, sizeof(error)), 0);
	assert_int_equal(target_set_proxy(&target, "127.0.0.2:3128", error, sizeof(error)), 0);
	assert_int_equal(target_resolve(&target, AF_UNSPEC, error, sizeof(error)), 0);
	address = (const struct sockaddr_in *)target.addresses->ai_addr;
	assert_int_equal(ntohs(address->sin_port), 3128);
	assert_int_equal(ntohl(address->sin_addr.s_addr), INADDR_LOOPBACK + 1);
	target_deinit(&target);
}

static void
test_resolving(void **state)
{
	struct target target;

	(void)state;
	assert_int_equal(target_parse(&target, "127.0.0.1:99", error, sizeof(error)), 0);
	assert_int_equal(target_resolve(&target, AF_UNSPEC, error, sizeof(error)), 0);
	assert_non_null(target.addresses);
	assert_int_equal(target.addresses->ai_family, AF_INET);
	target_deinit(&target);
	assert_int_equal(target_parse(&target, "127.0.0.1:99", error, sizeof(error)), 0);
	assert_int_equal(target_resolve(&target, AF_INET, error, sizeof(error)), 0);
	target_deinit(&target);
	assert_int_equal(target_parse(&target, "127.0.0.1:99", error, sizeof(error)), 0);
	error[0] = '\0';
	assert_int_equal(target_resolve(&target, AF_INET6, error, sizeof(error)), -1);
	assert_string_not_equal(error, "");
	target_deinit(&target);
	assert_int_equal(target_parse(&target, "no.such.host.invalid", error, sizeof(error)), 0);
	error[0] = '\0';
	assert_int_equal(target_resolve(&target, AF_UNSPEC, error, sizeof(error)), -1);
	assert_string_not_equal(error, "");
	target_deinit(&target);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_urls),
	    cmocka_unit_test(test_every_wrong_url_says_what_to_do),
	    cmocka_unit_test(test_unix_sockets),
	    cmocka_unit_test(test_proxies),
	    cmocka_unit_test(test_resolving),
	    cmocka_unit_test(test_resolving_looks_up_the_proxy_alone),
	};

	return cmocka_run_group_tests_name("loadgen/target", tests, NULL, NULL);
}
