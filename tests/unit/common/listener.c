/* Unit tests of common/listener: every kind of address, and every way that one can be wrong. */
#include "common/listener.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int
port_of(int fd)
{
	struct sockaddr_in address;
	socklen_t len = sizeof(address);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	return ntohs(address.sin_port);
}

static int
connect_to(int port)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET,
	    .sin_port = htons((uint16_t)port),
	    .sin_addr = {htonl(INADDR_LOOPBACK)},
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void
test_addresses_are_opened_and_named(void **state)
{
	static const struct {
		const char *address, *name;
	} good[] = {
	    {"127.0.0.1:0", "http://127.0.0.1:"},
	    {":0", "http://127.0.0.1:"},
	    {"0", "http://127.0.0.1:"},
	    {"[::1]:0", "http://[::1]:"},
	    {"0.0.0.0:0", "http://0.0.0.0:"},
	    {"localhost:0", "http://"},
	};
	char name[LISTENER_NAME_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		int fd = listener_open(good[i].address, 16, false);

		if (fd == -EADDRNOTAVAIL && strchr(good[i].address, '[') != NULL)
			continue; /* a machine without IPv6 */
		if (fd == -EINVAL && strncmp(good[i].address, "localhost", 9) == 0 && access("/etc/hosts", R_OK) != 0)
			continue; /* a machine that has no name for itself */
		if (fd < 0)
			fail_msg("%s: %s", good[i].address, strerror(-fd));
		listener_name(fd, name);
		assert_memory_equal(name, good[i].name, strlen(good[i].name));
		assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		listener_close(fd);
	}
}

static void
test_wrong_addresses_are_refused(void **state)
{
	static const char *const bad[] = {
	    "",
	    "localhost",
	    "127.0.0.1:",
	    "127.0.0.1:x",
	    "127.0.0.1:-1",
	    "127.0.0.1:65536",
	    "127.0.0.1:080808",
	    "::1:80",
	    "[::1:80",
	    "[]:80",
	    "[",
	    "[::1]80",

	    "unix:",
	    "http://127.0.0.1:80",
	    "127.0.0.1:80/",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		int fd = listener_open(bad[i], 16, false);

		if (fd != -EINVAL)
			fail_msg("\"%s\" gave %d", bad[i], fd);
	}
	assert_int_equal(listener_exit_status(-EINVAL), 2);
	assert_int_equal(listener_exit_status(-EADDRINUSE), 1);
}

static void
test_a_path_that_is_too_long_is_told(void **state)
{
	char address[200] = "unix:/tmp/", message[512];

	(void)state;
	memset(address + strlen(address), 'x', 103); /* and so one more than there is room for */
	assert_int_equal(listener_open(address, 16, false), -ENAMETOOLONG);
	assert_int_equal(listener_exit_status(-ENAMETOOLONG), 2);
	listener_error(-ENAMETOOLONG, address, "--bind", message, sizeof(message));
	assert_non_null(strstr(message, address));
	assert_non_null(strstr(message, "longer than the 107 bytes"));
}

static void
test_a_port_in_use_is_told(void **state)
{
	int fd = listener_open("127.0.0.1:0", 16, false);
	char address[32], message[256];

	(void)state;
	snprintf(address, sizeof(address), "127.0.0.1:%d", port_of(fd));
	assert_int_equal(listener_open(address, 16, false), -EADDRINUSE);
	listener_error(-EADDRINUSE, address, "--bind", message, sizeof(message));
	assert_non_null(strstr(message, address));
	assert_non_null(strstr(message, "in use"));
	listener_close(fd);
}

static void
test_an_address_of_another_machine(void **state)
{
	(void)state;
	assert_int_equal(listener_open("192.0.2.1:0", 16, false), -EADDRNOTAVAIL);
}

static void
test_two_listeners_share_a_port_where_asked(void **state)
{
	int first = listener_open("127.0.0.1:0", 16, true), second;
	char address[32];

	(void)state;
	snprintf(address, sizeof(address), "127.0.0.1:%d", port_of(first));
	second = listener_open(address, 16, true);
	assert_true(second >= 0);
	listener_close(first);
	listener_close(second);
}

static void
test_a_stale_unix_socket_is_replaced_and_a_live_one_is_not(void **state)
{
	char folder[] = "/tmp/listener-XXXXXX", address[64], name[LISTENER_NAME_MAX], peer[64] = "x";
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int first, second, client, accepted;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(address, sizeof(address), "unix:%s/socket", folder);
	first = listener_open(address, 16, false);
	assert_true(first >= 0);
	assert_string_equal(listener_name(first, name), address);
	assert_int_equal(listener_open(address, 16, false), -EADDRINUSE);

	memcpy(to.sun_path, address + 5, strlen(address + 5) + 1);
	client = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&to, sizeof(to)), 0);
	while ((accepted = listener_accept(first, true)) == -EAGAIN || accepted == -EADDRINUSE)
		;
	assert_true(accepted >= 0);
	assert_string_equal(listener_peer_name(accepted, peer, sizeof(peer)), "");
	close(accepted);
	close(client);

	close(first); /* as a killed server leaves it: the file stays */
	second = listener_open(address, 16, false);
	assert_true(second >= 0);
	listener_close(second);
	assert_int_equal(access(address + 5, F_OK), -1);
	assert_int_equal(rmdir(folder), 0);
	assert_int_equal(listener_open("unix:/no/such/folder/socket", 16, false), -ENOENT);
}

static void
test_only_a_socket_is_ever_replaced_or_removed(void **state)
{
	char folder[] = "/tmp/listener-XXXXXX", file[64], link[64], address[80], message[256];
	struct stat before, after;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(file, sizeof(file), "%s/file", folder);
	snprintf(link, sizeof(link), "%s/link", folder);
	fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "precious", 8), 8);
	close(fd);
	assert_int_equal(symlink(file, link), 0);
	assert_int_equal(stat(file, &before), 0);
	for (int i = 0; i < 3; i++) {
		snprintf(address, sizeof(address), "unix:%s", i == 0 ? file : i == 1 ? link : folder);
		assert_int_equal(listener_open(address, 16, false), -ENOTSOCK);
		assert_int_equal(stat(i == 1 ? link : file, &after), 0);
		assert_int_equal(after.st_ino, before.st_ino);
		assert_int_equal(after.st_size, 8);
	}
	assert_int_equal(listener_exit_status(-ENOTSOCK), 2);
	assert_non_null(strstr(listener_error(-ENOTSOCK, address, "--bind", message, sizeof(message)), "not a socket"));

	/* Somebody has put a file in the place of our socket meanwhile: it is theirs. */
	snprintf(address, sizeof(address), "unix:%s/socket", folder);
	fd = listener_open(address, 16, false);
	assert_true(fd >= 0);
	assert_int_equal(rename(file, address + 5), 0);
	listener_close(fd);
	assert_int_equal(stat(address + 5, &after), 0);
	assert_int_equal(after.st_ino, before.st_ino);
	unlink(address + 5);
	unlink(link);
	assert_int_equal(rmdir(folder), 0);
}

static void
test_accepting(void **state)
{
	int fd = listener_open("127.0.0.1:0", 16, false), client, accepted, on = 0;
	socklen_t len = sizeof(on);
	char peer[64];

	(void)state;
	assert_int_equal(listener_accept(fd, true), -EAGAIN);
	client = connect_to(port_of(fd));
	accepted = listener_accept(fd, true);
	assert_true(accepted >= 0);
	assert_true(fcntl(accepted, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(accepted, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(getsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
	assert_true(on);
	assert_string_equal(listener_peer_name(accepted, peer, sizeof(peer)), "127.0.0.1");
	close(accepted);
	close(client);
	client = connect_to(port_of(fd));
	accepted = listener_accept(fd, false);
	assert_false(fcntl(accepted, F_GETFL) & O_NONBLOCK);
	close(accepted);
	close(client);
	listener_close(fd);
}

static void
test_running_out_of_descriptors_is_told_from_other_errors(void **state)
{
	int fd = listener_open("127.0.0.1:0", 16, false);
	int client = connect_to(port_of(fd)), accepted;
	struct rlimit old, low;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &old);
	low = old;
	low.rlim_cur = (rlim_t)client + 1;
	setrlimit(RLIMIT_NOFILE, &low);
	accepted = listener_accept(fd, true);
	setrlimit(RLIMIT_NOFILE, &old);
	assert_int_equal(accepted, -EMFILE);
	assert_true(listener_is_exhausted(accepted));
	assert_false(listener_is_exhausted(-EAGAIN));
	accepted = listener_accept(fd, true);
	assert_true(accepted >= 0); /* nothing was lost */
	close(accepted);
	close(client);
	listener_close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_addresses_are_opened_and_named),
	    cmocka_unit_test(test_wrong_addresses_are_refused),
	    cmocka_unit_test(test_a_path_that_is_too_long_is_told),
	    cmocka_unit_test(test_a_port_in_use_is_told),
	    cmocka_unit_test(test_an_address_of_another_machine),
	    cmocka_unit_test(test_two_listeners_share_a_port_where_asked),
	    cmocka_unit_test(test_a_stale_unix_socket_is_replaced_and_a_live_one_is_not),
	    cmocka_unit_test(test_only_a_socket_is_ever_replaced_or_removed),
	    cmocka_unit_test(test_accepting),
	    cmocka_unit_test(test_running_out_of_descriptors_is_told_from_other_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
