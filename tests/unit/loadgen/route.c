/* Unit tests of loadgen/route: names for SNI, proxies and tunnels, addresses of one family. */
#include "loadgen/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static char error[512];

static const char *
name_for(const char *url, const char *field)
{
	static char name[64];
	struct config config = {.spec.fields = {"Accept: x", field}, .spec.fields_len = field != NULL ? 2 : 1};
	struct target target;

	assert_int_equal(target_parse(&target, url, error, sizeof(error)), 0);
	assert_int_equal(route_choose(&target, &config, error, sizeof(error)), 0);
	snprintf(name, sizeof(name), "%s", target.server_name != NULL ? target.server_name : "(null)");
	assert_null(target.proxy);
	assert_null(target.tunnel);
	target_deinit(&target);
	return name;
}

static void
test_the_name_for_sni(void **state)
{
	(void)state;
	assert_string_equal(name_for("https://server:8443/", NULL), "server");
	assert_string_equal(name_for("https://127.0.0.1/", NULL), "127.0.0.1"); /* which tls_open leaves out */
	assert_string_equal(name_for("https://127.0.0.1/", "Host: other"), "other");
	assert_string_equal(name_for("https://127.0.0.1/", "host:\tother:99 "), "other");
	assert_string_equal(name_for("https://server/", "Host: [::1]:8443"), "");
	assert_string_equal(name_for("https://server/", "Hosts: other"), "server");
	assert_string_equal(name_for("http://server/", "Host: other"), "(null)");
}

static void
test_proxies_and_tunnels(void **state)
{
	struct config config = {.proxy = "127.0.0.1:3128", .spec.proxy_credentials = "a:b"};
	struct target target;

	(void)state;
	assert_int_equal(target_parse(&target, "https://server/", error, sizeof(error)), 0);
	assert_int_equal(route_choose(&target, &config, error, sizeof(error)), 0);
	assert_non_null(strstr(target.tunnel, "CONNECT server:443 "));
	assert_non_null(strstr(target.tunnel, "\r\nProxy-Authorization: Basic YTpi\r\n"));
	assert_string_equal(target.server_name, "server");
	assert_int_equal(route_resolve(&target, &config, error, sizeof(error)), 0);
	target_deinit(&target);

	assert_int_equal(target_parse(&target, "http://server/", error, sizeof(error)), 0);
	assert_int_equal(route_choose(&target, &config, error, sizeof(error)), 0);
	assert_string_equal(target.proxy, "127.0.0.1");
	assert_null(target.tunnel);
	target_deinit(&target);

	config.proxy = "https://127.0.0.1";
	assert_int_equal(target_parse(&target, "http://server/", error, sizeof(error)), 0);
	assert_int_equal(route_choose(&target, &config, error, sizeof(error)), -EINVAL);
	assert_string_equal(error, "-X https://127.0.0.1: a proxy is host:port alone, and is spoken to in plain HTTP");
	target_deinit(&target);

	config.proxy = "no.such.proxy.invalid:3128";
	assert_int_equal(target_parse(&target, "http://127.0.0.1/", error, sizeof(error)), 0);
	assert_int_equal(route_choose(&target, &config, error, sizeof(error)), 0);
	assert_int_equal(route_resolve(&target, &config, error, sizeof(error)), -1);
	assert_ptr_equal(strstr(error, "-X no.such.proxy.invalid:3128: cannot resolve no.such.proxy.invalid: "), error);
	target_deinit(&target);
}

static void
test_addresses_are_of_the_sources_family(void **state)
{
	struct config config = {0};
	struct target target;

	(void)state;
	assert_int_equal(source_parse(&config.source, "127.0.0.2", error, sizeof(error)), 0);
	assert_int_equal(target_parse(&target, "http://127.0.0.1/", error, sizeof(error)), 0);
	assert_int_equal(route_choose(&target, &config, error, sizeof(error)), 0);
	assert_int_equal(route_resolve(&target, &config, error, sizeof(error)), 0);
	target_deinit(&target);

	assert_int_equal(target_parse(&target, "http://[::1]/", error, sizeof(error)), 0);
	assert_int_equal(route_resolve(&target, &config, error, sizeof(error)), -1);
	assert_ptr_equal(strstr(error, "http://[::1]/: cannot resolve ::1: "), error);
	target_deinit(&target);

	assert_int_equal(target_parse(&target, "unix:/run/app.sock:/", error, sizeof(error)), 0);
	assert_int_equal(route_choose(&target, &config, error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "leave -B or --source out"));
	target_deinit(&target);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_name_for_sni),
	    cmocka_unit_test(test_proxies_and_tunnels),
	    cmocka_unit_test(test_addresses_are_of_the_sources_family),
	};

	return cmocka_run_group_tests_name("loadgen/route", tests, NULL, NULL);
}
