/* Unit tests of prefork_server/gate: who waits to be accepted makes an event while it is open, and only then. */
#include "prefork_server/gate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/listener.h"

#define FIRST_KEY 1000

struct bench {
	struct listeners listeners;
	int epoll_fd;
	int clients[CONFIG_BINDS_MAX];
	struct gate gate;
};

/* connect_to makes a connection that waits to be accepted at FD. */
static int
connect_to(int fd)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(client >= 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	assert_int_equal(connect(client, (struct sockaddr *)&address, len), 0);
	return client;
}

static int
set_up(void **state)
{
	static struct bench bench;

	bench = (struct bench){.listeners.count = 2, .epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
	assert_true(bench.epoll_fd >= 0);
	for (size_t i = 0; i < 2; i++) {
		bench.listeners.fds[i] = listener_open("127.0.0.1:0", 16, false);
		assert_true(bench.listeners.fds[i] >= 0);
		bench.clients[i] = connect_to(bench.listeners.fds[i]);
	}
	assert_int_equal(gate_init(&bench.gate, bench.epoll_fd, &bench.listeners, FIRST_KEY), 0);
	*state = &bench;
	return 0;
}

static int
tear_down(void **state)
{
	struct bench *bench = *state;

	gate_deinit(&bench->gate);
	for (size_t i = 0; i < 2; i++) {
		close(bench->clients[i]);
		close(bench->listeners.fds[i]);
	}
	close(bench->epoll_fd);
	return 0;
}

/* is_open tells whether both sockets make their events. */
static bool
is_open(const struct bench *bench)
{
	struct epoll_event events[4];
	int count = epoll_wait(bench->epoll_fd, events, 4, 0);

	if (count == 0)
		return false;
	assert_int_equal(count, 2);
	assert_int_equal(events[0].data.u64 + events[1].data.u64, 2 * FIRST_KEY + 1);
	return true;
}

static void
test_it_is_open_once_it_has_been_opened(void **state)
{
	struct bench *bench = *state;

	assert_false(is_open(bench));
	assert_int_equal(gate_open(&bench->gate), 0);
	assert_true(is_open(bench));
	assert_true(is_open(bench));
	gate_go_last(&bench->gate);
	assert_true(is_open(bench));
}

static void
test_every_reason_has_to_end(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(gate_open(&bench->gate), 0);
	assert_true(gate_shut(&bench->gate, GATE_PAUSED));
	assert_false(gate_shut(&bench->gate, GATE_PAUSED));
	assert_true(gate_shut(&bench->gate, GATE_ENDED));
	assert_false(is_open(bench));
	gate_go_last(&bench->gate);
	assert_false(is_open(bench));
	assert_true(gate_lift(&bench->gate, GATE_PAUSED));
	assert_false(gate_lift(&bench->gate, GATE_PAUSED));
	assert_false(is_open(bench));
	assert_true(gate_lift(&bench->gate, GATE_ENDED));
	assert_true(is_open(bench));
}

static bool
is_true(const void *context)
{
	return *(const bool *)context;
}

static void
test_it_is_shut_while_it_is_full(void **state)
{
	struct bench *bench = *state;
	bool full = true;

	assert_int_equal(gate_open(&bench->gate), 0);
	gate_check(&bench->gate, is_true, &full);
	assert_false(is_open(bench));
	gate_check(&bench->gate, is_true, &full);
	full = false;
	gate_check(&bench->gate, is_true, &full);
	assert_true(is_open(bench));
}

static void
test_what_cannot_be_opened_as_a_whole_is_not_opened_and_tried_again(void **state)
{
	struct bench *bench = *state;
	int socket = bench->listeners.fds[1];
	bool full = true;

	/* epoll takes no regular file. */
	bench->listeners.fds[1] = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	assert_true(bench->listeners.fds[1] >= 0);
	assert_int_equal(gate_open(&bench->gate), -EPERM);
	assert_false(is_open(bench));
	gate_check(&bench->gate, is_true, &full);
	full = false;
	gate_check(&bench->gate, is_true, &full);
	assert_false(is_open(bench));
	close(bench->listeners.fds[1]);
	bench->listeners.fds[1] = socket;
	gate_check(&bench->gate, is_true, &full);
	assert_true(is_open(bench));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_it_is_open_once_it_has_been_opened),
	    TEST(test_every_reason_has_to_end),
	    TEST(test_it_is_shut_while_it_is_full),
	    TEST(test_what_cannot_be_opened_as_a_whole_is_not_opened_and_tried_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
