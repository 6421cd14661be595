/* Readiness: one connection at a time, ready only when the server has answered and closed. */
#include "tests/unit/experiments/sample.h"

#include <poll.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "experiments/port.h"
#include "experiments/ready.h"

#define PATIENCE_NS (20 * NS_PER_SEC)

static const struct server asks = {.ready_path = (char *)(uintptr_t) "/up", .ready_status = 404};
static const struct server connects = {.ready_path = NULL};

/* listen_on opens a listening socket on PORT. */
static int
listen_on(int port)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_port = htons((in_port_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

/* step_until steps the probe until it is in STATE. */
static void
step_until(struct ready *ready, enum ready_state wanted, char *error)
{
	uint64_t due = clock_now_ns() + PATIENCE_NS;

	while (ready_step(ready, error) != wanted) {
		struct pollfd fd = {.fd = ready->fd, .events = ready_events(ready)};

		assert_true(clock_now_ns() < due);
		poll(&fd, 1, 5);
	}
}

/* serve answers one connection of LISTENER with ANSWER, and closes it. */
static void
serve(int listener, const char *answer)
{
	char request[512];
	int peer = accept(listener, NULL, NULL);
	ssize_t got = recv(peer, request, sizeof(request) - 1, 0);

	assert_true(got > 0);
	request[got] = '\0';
	assert_has(request, "GET /up HTTP/1.0\r\n");
	assert_has(request, "\r\n\r\n");
	assert_int_equal(send(peer, answer, strlen(answer), MSG_NOSIGNAL), strlen(answer));
	close(peer);
}

static void
test_it_asks_until_somebody_answers(void **state)
{
	int port = port_free("127.0.0.1"), listener;
	char error[READY_ERROR_MAX] = "";
	struct ready ready;

	(void)state;
	assert_int_equal(ready_init(&ready, &asks, "127.0.0.1", port), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(ready_step(&ready, error), READY_WAITING);
		clock_sleep_until_ns(ready.next_ns);
	}
	listener = listen_on(port);
	step_until(&ready, READY_READING, error);
	serve(listener, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
	step_until(&ready, READY_YES, error);
	assert_int_equal(ready.fd, -1);
	close(listener);
}

static void
test_it_is_not_ready_while_the_answer_goes_on(void **state)
{
	int port = port_free("127.0.0.1"), listener = listen_on(port), peer;
	char error[READY_ERROR_MAX] = "";
	struct ready ready;

	(void)state;
	assert_int_equal(ready_init(&ready, &asks, "127.0.0.1", port), 0);
	step_until(&ready, READY_READING, error);
	peer = accept(listener, NULL, NULL);
	assert_true(send(peer, "HTTP/1.1 404 No", 15, MSG_NOSIGNAL) == 15);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(ready_step(&ready, error), READY_READING);
		poll(NULL, 0, 2);
	}
	shutdown(peer, SHUT_RDWR);
	step_until(&ready, READY_YES, error);
	close(peer);
	close(listener);
}

static void
test_a_connection_closed_without_an_answer_is_asked_again(void **state)
{
	int port = port_free("127.0.0.1"), listener = listen_on(port);
	char error[READY_ERROR_MAX] = "";
	struct ready ready;

	(void)state;
	assert_int_equal(ready_init(&ready, &asks, "127.0.0.1", port), 0);
	step_until(&ready, READY_READING, error);
	close(accept(listener, NULL, NULL));
	step_until(&ready, READY_WAITING, error);
	step_until(&ready, READY_READING, error);
	serve(listener, "HTTP/1.0 404 x\r\n\r\n");
	step_until(&ready, READY_YES, error);
	close(listener);
}

static void
test_a_wrong_answer_is_told(void **state)
{
	int port = port_free("127.0.0.1"), listener = listen_on(port);
	char error[READY_ERROR_MAX] = "";
	struct ready ready;

	(void)state;
	assert_int_equal(ready_init(&ready, &asks, "127.0.0.1", port), 0);
	step_until(&ready, READY_READING, error);
	serve(listener, "HTTP/1.1 500 Oh\r\n\r\n");
	step_until(&ready, READY_FAILED, error);
	assert_string_equal(error, "it answers 500 to GET /up, where its definition says 404");
	assert_int_equal(ready_init(&ready, &asks, "127.0.0.1", port), 0);
	step_until(&ready, READY_READING, error);
	serve(listener, "SSH-2.0-OpenSSH\r\n");
	step_until(&ready, READY_FAILED, error);
	assert_has(error, "does not speak HTTP");
	close(listener);
}

static void
test_a_connection_can_be_enough(void **state)
{
	int port = port_free("127.0.0.1"), listener = listen_on(port);
	char error[READY_ERROR_MAX] = "";
	struct ready ready;

	(void)state;
	assert_int_equal(ready_init(&ready, &connects, "127.0.0.1", port), 0);
	step_until(&ready, READY_YES, error);
	close(listener);
	assert_int_equal(ready_init(&ready, &connects, "localhost", port), -EINVAL);
}

static void
test_ports_are_handed_out_once(void **state)
{
	int first = port_free("127.0.0.1"), second = port_free("127.0.0.1"), listener;

	(void)state;
	assert_true(first >= 20000 && first < 32000);
	assert_int_not_equal(first, second);
	assert_true(port_is_free("127.0.0.1", second));
	listener = listen_on(second);
	assert_false(port_is_free("127.0.0.1", second));
	close(listener);
	assert_true(port_is_free("127.0.0.1", second));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_it_asks_until_somebody_answers),
	    cmocka_unit_test(test_it_is_not_ready_while_the_answer_goes_on),
	    cmocka_unit_test(test_a_connection_closed_without_an_answer_is_asked_again),
	    cmocka_unit_test(test_a_wrong_answer_is_told),
	    cmocka_unit_test(test_a_connection_can_be_enough),
	    cmocka_unit_test(test_ports_are_handed_out_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
