/* Unit tests of prefork_server/notify, with a socket as the service manager's. */
#include "prefork_server/notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/log.h"

/* A manager's socket, by a name that its kernel gives it: abstract, so that no file is left. */
struct manager {
	int fd;
	char name[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 1]; /* as in $NOTIFY_SOCKET */
};

static void
manager_open(struct manager *manager)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t len = sizeof(sa_family_t);

	manager->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_true(manager->fd >= 0);
	assert_int_equal(bind(manager->fd, (struct sockaddr *)&address, len), 0);
	len = sizeof(address);
	assert_int_equal(getsockname(manager->fd, (struct sockaddr *)&address, &len), 0);
	snprintf(manager->name, sizeof(manager->name), "@%.*s", (int)(len - offsetof(struct sockaddr_un, sun_path) - 1),
	    address.sun_path + 1);
	assert_int_equal(setenv("NOTIFY_SOCKET", manager->name, 1), 0);
}

static void
assert_told(struct manager *manager, const char *state)
{
	char told[256];
	ssize_t len = recv(manager->fd, told, sizeof(told) - 1, 0);

	assert_true(len > 0);
	told[len] = '\0';
	assert_string_equal(told, state);
}

static void
assert_told_no_more(struct manager *manager)
{
	char told[256];

	assert_int_equal(recv(manager->fd, told, sizeof(told), 0), -1);
}

static void
test_what_is_told(void **state)
{
	struct manager manager;

	(void)state;
	manager_open(&manager);
	notify_ready();
	assert_told(&manager, "READY=1\nSTATUS=prefork_server arbiter booted");
	notify_stopping(0);
	assert_told(&manager, "STOPPING=1");
	notify_stopping(1234);
	assert_told(&manager, "MAINPID=1234");
	assert_told_no_more(&manager);
	close(manager.fd);
}

static void
test_without_a_manager_nothing_happens(void **state)
{
	struct manager manager;

	(void)state;
	manager_open(&manager);
	unsetenv("NOTIFY_SOCKET");
	notify_ready();
	notify_stopping(0);
	assert_told_no_more(&manager);
	close(manager.fd);
}

/* logged returns what the log has to say of a manager with NAME. */
static const char *
logged(const char *name)
{
	static char text[1024];
	char path[] = "/tmp/notify-XXXXXX";
	int fd = mkstemp(path);
	ssize_t len;

	assert_true(fd >= 0);
	assert_int_equal(log_open(path, LOG_LEVEL_INFO), 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
	notify_ready();
	len = read(fd, text, sizeof(text) - 1);
	assert_true(len >= 0);
	text[len] = '\0';
	close(fd);
	unlink(path);
	return text;
}

static void
test_a_manager_that_cannot_be_told_costs_a_line(void **state)
{
	char longest[200];

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	longest[0] = '/';
	longest[sizeof(longest) - 1] = '\0';
	assert_non_null(strstr(logged("/nowhere/notify"), "No such file or directory"));
	assert_non_null(strstr(logged("@loopfork-nobody"), "Connection refused"));
	assert_non_null(strstr(logged(""), "Invalid argument"));
	assert_non_null(strstr(logged("@"), "Invalid argument"));
	assert_non_null(strstr(logged("relative"), "Invalid argument"));
	assert_non_null(strstr(logged(longest), "Invalid argument"));
}

/* A full queue is waited for, but not for ever. */
static void
test_a_manager_that_does_not_listen_holds_nobody_up(void **state)
{
	struct manager manager;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_un address;
	socklen_t len = sizeof(address);

	(void)state;
	manager_open(&manager);
	assert_true(fd >= 0);
	assert_int_equal(getsockname(manager.fd, (struct sockaddr *)&address, &len), 0);
	while (sendto(fd, "x", 1, 0, (struct sockaddr *)&address, len) == 1)
		;
	assert_non_null(strstr(logged(manager.name), "Resource temporarily unavailable"));
	close(fd);
	close(manager.fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_is_told),
	    cmocka_unit_test(test_without_a_manager_nothing_happens),
	    cmocka_unit_test(test_a_manager_that_cannot_be_told_costs_a_line),
	    cmocka_unit_test(test_a_manager_that_does_not_listen_holds_nobody_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
