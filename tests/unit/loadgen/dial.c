/* Unit tests of loadgen/dial: sockets as asked, and what is said when there are none. */
#include "loadgen/dial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loadgen/config.h"

static struct sockaddr_in server;
static bool buffers_fail;

int __real_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len);

int
__wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	if (buffers_fail && level == SOL_SOCKET && name == SO_RCVBUF) {
		errno = ENOBUFS;
		return -1;
	}
	return __real_setsockopt(fd, level, name, value, len);
}

static struct addrinfo address = {
    .ai_family = AF_INET,
    .ai_socktype = SOCK_STREAM,
    .ai_addr = (struct sockaddr *)&server,
    .ai_addrlen = sizeof(server),
};

static int
listening(void)
{
	socklen_t len = sizeof(server);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	server = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	assert_int_equal(bind(fd, (struct sockaddr *)&server, sizeof(server)), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&server, &len), 0);
	return fd;
}

static int
option_of(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

static void
wait_connected(int fd)
{
	struct pollfd writable = {.fd = fd, .events = POLLOUT};

	assert_int_equal(poll(&writable, 1, 10000), 1);
}

static void
test_sockets_are_as_asked(void **state)
{
	struct config config = {.socket_buffer = 16384};
	int listener = listening(), plain, asked;

	(void)state;
	asked = dial_open(&config, &address, 0, true);
	config.socket_buffer = 0;
	plain = dial_open(&config, &address, 0, false);
	assert_true(asked >= 0 && plain >= 0);
	wait_connected(asked);
	assert_int_equal(dial_check(asked), 0);
	assert_int_equal(option_of(asked, SOL_SOCKET, SO_SNDBUF), 32768); /* the kernel doubles it: socket(7) */
	assert_int_equal(option_of(asked, SOL_SOCKET, SO_RCVBUF), 32768);
	assert_int_not_equal(option_of(plain, SOL_SOCKET, SO_SNDBUF), 32768);
	assert_int_not_equal(option_of(asked, IPPROTO_TCP, TCP_NODELAY), 0);
	assert_int_equal(option_of(plain, IPPROTO_TCP, TCP_NODELAY), 0);
	close(asked);
	close(plain);
	close(listener);
}

static void
test_sources_take_turns(void **state)
{
	struct config config = {0};
	char error[256];
	int listener = listening();

	(void)state;
	assert_int_equal(source_parse(&config.source, "127.0.0.2-127.0.0.4", error, sizeof(error)), 0);
	for (uint64_t turn = 0; turn < 6; turn++) {
		struct sockaddr_in peer;
		socklen_t len = sizeof(peer);
		int fd = dial_open(&config, &address, turn, false), accepted;

		assert_true(fd >= 0);
		accepted = accept(listener, (struct sockaddr *)&peer, &len);
		assert_true(accepted >= 0);
		assert_int_equal(ntohl(peer.sin_addr.s_addr), INADDR_LOOPBACK + 1 + turn % 3);
		close(fd);
		close(accepted);
	}
	close(listener);
}

static void
test_failures(void **state)
{
	struct config config = {0};
	char error[256];
	int fd;

	(void)state;
	close(listening());
	fd = dial_open(&config, &address, 0, false);
	if (fd >= 0) { /* the refusal may come at once or later */
		wait_connected(fd);
		assert_int_equal(dial_check(fd), -ECONNREFUSED);
		close(fd);
	} else {
		assert_int_equal(fd, -ECONNREFUSED);
	}
	assert_int_equal(source_parse(&config.source, "192.0.2.7", error, sizeof(error)), 0); /* RFC 5737: nobody's */
	assert_int_equal(dial_open(&config, &address, 0, false), -EADDRNOTAVAIL);
	config = (struct config){.socket_buffer = 4096};
	buffers_fail = true;
	assert_int_equal(dial_open(&config, &address, 0, false), -ENOBUFS);
	buffers_fail = false;
	address.ai_family = -1;
	assert_int_equal(dial_open(&config, &address, 0, false), -EAFNOSUPPORT);
	address.ai_family = AF_INET;
}

static void
test_advice_names_the_command_that_helps(void **state)
{
	(void)state;
	assert_non_null(strstr(dial_advice(EMFILE), "ulimit -n"));
	assert_non_null(strstr(dial_advice(ENFILE), "fs.file-max"));
	assert_non_null(strstr(dial_advice(EADDRNOTAVAIL), "net.ipv4.ip_local_port_range"));
	assert_non_null(strstr(dial_advice(EADDRNOTAVAIL), "--source"));
	assert_non_null(strstr(dial_advice(ENOBUFS), "lower -c"));
	assert_non_null(strstr(dial_advice(ENOMEM), "lower -c"));
	assert_string_equal(dial_advice(ECONNREFUSED), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sockets_are_as_asked),
	    cmocka_unit_test(test_sources_take_turns),
	    cmocka_unit_test(test_failures),
	    cmocka_unit_test(test_advice_names_the_command_that_helps),
	};

	return cmocka_run_group_tests_name("loadgen/dial", tests, NULL, NULL);
}
