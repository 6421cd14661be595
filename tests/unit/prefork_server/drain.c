/* Unit tests of prefork_server/drain, over real sockets. */
#include "prefork_server/drain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"

#define PATIENCE_NS (20 * NS_PER_SEC)

static void
open_at(struct listeners *listeners, const char *address)
{
	*listeners = (struct listeners){.count = 1};
	listeners->fds[0] = listener_open(address, 8, false);
	assert_true(listeners->fds[0] >= 0);
}

/* client begins to connect to where FD listens. Returns its socket. */
static int
client(int fd)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	int peer;

	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	peer = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_true(peer >= 0);
	if (connect(peer, (struct sockaddr *)&address, len) != 0)
		assert_int_equal(errno, EINPROGRESS);
	return peer;
}

/* outcome waits MS at most for what becomes of a connection: 0, its errno, or -1 where it is still under way. */
static int
outcome(int peer, int ms)
{
	struct pollfd poller = {.fd = peer, .events = POLLOUT};
	socklen_t len = sizeof(int);
	int error;

	if (poll(&poller, 1, ms) == 0)
		return -1;
	assert_int_equal(getsockopt(peer, SOL_SOCKET, SO_ERROR, &error, &len), 0);
	return error;
}

static void
wait_over(struct drain *drain)
{
	uint64_t due_ns = clock_now_ns() + PATIENCE_NS;

	while (!drain_is_over(drain)) {
		assert_true(clock_now_ns() < due_ns);
		clock_sleep_until_ns(drain->look_ns);
	}
}

static void
begin(struct drain *drain, struct listeners *listeners)
{
	assert_int_equal(drain_begin(drain, listeners), 0);
}

static void
check_tcp(const char *address)
{
	struct listeners listeners;
	struct drain drain;
	char bytes[4] = "";
	int early, late, accepted;

	open_at(&listeners, address);
	early = client(listeners.fds[0]);
	assert_int_equal(outcome(early, 10000), 0);
	begin(&drain, &listeners);
	late = client(listeners.fds[0]);
	assert_int_equal(outcome(late, 200), -1);
	/* As long as one waits it is not over. */
	for (int i = 0; i < 3; i++) {
		clock_sleep_until_ns(drain.look_ns);
		assert_false(drain_is_over(&drain));
		assert_int_equal(drain.empty_ns, 0);
	}
	accepted = listener_accept(listeners.fds[0], false);
	assert_true(accepted >= 0);
	wait_over(&drain);
	assert_true(clock_now_ns() - drain.empty_ns >= DRAIN_EMPTY_NS);
	assert_int_equal(listener_accept(listeners.fds[0], true), -EAGAIN);
	/* What was accepted works, filter and all. */
	assert_int_equal(send(early, "hey", 3, 0), 3);
	assert_int_equal(recv(accepted, bytes, sizeof(bytes), 0), 3);
	listeners_close(&listeners);
	/* The late one tries again by itself after a second. */
	assert_int_equal(outcome(late, 10000), ECONNREFUSED);
	close(early);
	close(late);
	close(accepted);
}

static void
test_tcp_holds_back_and_then_refuses(void **state)
{
	(void)state;
	check_tcp("127.0.0.1:0");
}

static void
test_ipv6_does_so_too(void **state)
{
	(void)state;
	check_tcp("[::1]:0");
}

static void
test_one_that_was_held_back_meets_the_next_server(void **state)
{
	struct listeners listeners, next;
	char name[LISTENER_NAME_MAX];
	struct drain drain;
	int late, shared;

	(void)state;
	open_at(&listeners, "127.0.0.1:0");
	listener_name(listeners.fds[0], name);
	begin(&drain, &listeners);
	late = client(listeners.fds[0]);
	assert_int_equal(outcome(late, 50), -1);
	/* A worker in a long request has the socket open still; the address is free all the same. */
	shared = dup(listeners.fds[0]);
	listeners_close(&listeners);
	open_at(&next, name + strlen("http://"));
	assert_int_equal(outcome(late, 10000), 0);
	listeners_close(&next);
	close(shared);
	close(late);
}

static void
test_a_unix_socket_loses_its_file_first_and_those_who_wait_are_served(void **state)
{
	char folder[] = "/tmp/loopfork-drain-XXXXXX";
	char address[96], path[64];
	struct listeners listeners;
	struct sockaddr_un late = {.sun_family = AF_UNIX};
	struct drain drain;
	struct stat status;
	int early, accepted, peer;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/socket", folder);
	snprintf(address, sizeof(address), "unix:%s", path);
	open_at(&listeners, address);
	early = client(listeners.fds[0]);
	begin(&drain, &listeners);
	assert_int_equal(stat(path, &status), -1);
	peer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	memcpy(late.sun_path, path, strlen(path));
	assert_int_equal(connect(peer, (struct sockaddr *)&late, sizeof(late)), -1);
	assert_int_equal(errno, ENOENT);
	assert_false(drain_is_over(&drain));
	accepted = listener_accept(listeners.fds[0], false);
	assert_true(accepted >= 0);
	wait_over(&drain);
	/* What stands at the path by now is another's. */
	assert_int_equal(bind(peer, (struct sockaddr *)&late, sizeof(late)), 0);
	listeners_close(&listeners);
	assert_int_equal(stat(path, &status), 0);
	unlink(path);
	rmdir(folder);
	close(peer);
	close(early);
	close(accepted);
}

static void
test_somebody_who_comes_between_two_looks_is_waited_for(void **state)
{
	struct listeners listeners;
	struct drain drain;
	int peer;

	(void)state;
	open_at(&listeners, "127.0.0.1:0");
	/* A handshake that was under way: for the test, a drain that began without its filter. */
	drain = (struct drain){.listeners = &listeners, .look_ns = clock_now_ns()};
	assert_false(drain_is_over(&drain));
	assert_int_not_equal(drain.empty_ns, 0);
	peer = client(listeners.fds[0]);
	assert_int_equal(outcome(peer, 10000), 0);
	clock_sleep_until_ns(drain.look_ns + DRAIN_EMPTY_NS);
	assert_false(drain_is_over(&drain));
	assert_int_equal(drain.empty_ns, 0);
	listeners_close(&listeners);
	close(peer);
}

static void
test_what_takes_no_filter_says_so(void **state)
{
	struct listeners listeners = {.count = 1};
	struct drain drain;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	listeners.fds[0] = ends[0];
	assert_int_equal(drain_begin(&drain, &listeners), -ENOTSOCK);
	close(ends[0]);
	close(ends[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_tcp_holds_back_and_then_refuses),
	    cmocka_unit_test(test_ipv6_does_so_too),
	    cmocka_unit_test(test_one_that_was_held_back_meets_the_next_server),
	    cmocka_unit_test(test_a_unix_socket_loses_its_file_first_and_those_who_wait_are_served),
	    cmocka_unit_test(test_somebody_who_comes_between_two_looks_is_waited_for),
	    cmocka_unit_test(test_what_takes_no_filter_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
