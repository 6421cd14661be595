/* Unit tests of common/listen_fds: sockets are taken over in a child that starts as systemd starts one. */
#include "common/listen_fds.h"

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
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/listener.h"

#define MAX 4
#define MINE "mine" /* as LISTEN_PID: the child's own */

/* What the child got. */
struct result {
	int taken; /* listen_fds_take's result */
	int fds[MAX];
	int descriptor_flags[MAX]; /* of the descriptors 3 ... */
	int status_flags[MAX];
	int nodelay[MAX];
	int variables; /* that are still set */
};

static void
set_or_unset(const char *name, const char *value)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	if (value == NULL)
		unsetenv(name);
	else
		setenv(name, strcmp(value, MINE) == 0 ? pid : value, 1);
}

/* place puts the COUNT descriptors FDS at 3 ..., and leaves what comes after them closed. */
static void
place(const int *fds, size_t count, int report)
{
	int copies[MAX];

	/* First out of the way: some may lie at 3 ... already. */
	if (dup2(report, 100) != 100)
		exit(2);
	for (size_t i = 0; i < count; i++)
		copies[i] = fcntl(fds[i], F_DUPFD, 50);
	for (int fd = 3; fd < 50; fd++)
		close(fd);
	for (size_t i = 0; i < count; i++) {
		dup2(copies[i], 3 + (int)i);
		close(copies[i]);
	}
}

/* run takes over FDS in a child whose variables are PID and COUNT_TEXT. */
static struct result
run(const int *fds, size_t count, const char *pid, const char *count_text)
{
	struct result result = {.fds = {-2, -2, -2, -2}};
	int report[2], status;
	pid_t child;

	assert_int_equal(pipe(report), 0);
	fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		set_or_unset("LISTEN_PID", pid);
		set_or_unset("LISTEN_FDS", count_text);
		set_or_unset("LISTEN_FDNAMES", "web:admin");
		place(fds, count, report[1]);
		result.taken = listen_fds_take(result.fds, MAX);
		for (int i = 0; i < (int)count; i++) {
			socklen_t len = sizeof(result.nodelay[i]);

			result.descriptor_flags[i] = fcntl(3 + i, F_GETFD);
			result.status_flags[i] = fcntl(3 + i, F_GETFL);
			getsockopt(3 + i, IPPROTO_TCP, TCP_NODELAY, &result.nodelay[i], &len);
		}
		result.variables = (getenv("LISTEN_PID") != NULL) + (getenv("LISTEN_FDS") != NULL) +
				   (getenv("LISTEN_FDNAMES") != NULL);
		exit(write(100, &result, sizeof(result)) == sizeof(result) ? 0 : 1);
	}
	close(report[1]);
	assert_int_equal(read(report[0], &result, sizeof(result)), sizeof(result));
	close(report[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(result.variables, 0); /* whatever came of it */
	return result;
}

/* tcp_listener is one as systemd opens it: blocking, without TCP_NODELAY. */
static int
tcp_listener(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(listen(fd, 16), 0);
	return fd;
}

/* unix_listener listens on an abstract address, which leaves no file. */
static int
unix_listener(int type)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
	assert_int_equal(listen(fd, 16), 0);
	return fd;
}

static void
sockets_are_taken_over(void **state)
{
	int fds[] = {tcp_listener(), unix_listener(SOCK_STREAM), socket(AF_INET6, SOCK_STREAM, 0)};
	int count = 2;
	struct result result;

	(void)state;
	if (fds[2] >= 0) /* a machine with IPv6 */
		count += listen(fds[2], 16) == 0;
	result = run(fds, (size_t)count, MINE, count == 3 ? "3" : "2");
	assert_int_equal(result.taken, count);
	for (int i = 0; i < count; i++) {
		assert_int_equal(result.fds[i], 3 + i);
		assert_true(result.descriptor_flags[i] & FD_CLOEXEC);
		assert_true(result.status_flags[i] & O_NONBLOCK);
		assert_int_equal(result.nodelay[i], i == 1 ? 0 : 1);
	}
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
}

/* Descriptors that are not promised are left as they are. */
static void
no_more_are_taken_than_were_promised(void **state)
{
	int fds[] = {tcp_listener(), tcp_listener()};
	struct result result = run(fds, 2, MINE, "1");

	(void)state;
	assert_int_equal(result.taken, 1);
	assert_false(result.descriptor_flags[1] & FD_CLOEXEC);
	assert_false(result.status_flags[1] & O_NONBLOCK);
	close(fds[0]);
	close(fds[1]);
}

static void
without_the_variables_or_for_another_process_there_are_none(void **state)
{
	int fd = tcp_listener();

	(void)state;
	assert_int_equal(run(&fd, 1, NULL, NULL).taken, 0);
	assert_int_equal(run(&fd, 1, NULL, "1").taken, 0);
	assert_int_equal(run(&fd, 1, MINE, NULL).taken, 0);
	assert_int_equal(run(&fd, 1, "1", "1").taken, 0);
	assert_int_equal(run(&fd, 1, "1", "nonsense").taken, 0);
	assert_false(run(&fd, 1, "1", "1").descriptor_flags[0] & FD_CLOEXEC);
	close(fd);
}

static void
variables_that_make_no_sense_are_refused(void **state)
{
	static const struct {
		const char *pid, *count;
		int error;
	} wrong[] = {
	    {"", "1", -EINVAL},
	    {"x", "1", -EINVAL},
	    {"-1", "1", -EINVAL},
	    {" 1", "1", -EINVAL},
	    {"99999999999999999999", "1", -EINVAL},
	    {MINE, "", -EINVAL},
	    {MINE, "1x", -EINVAL},
	    {MINE, "0", -EINVAL},
	    {MINE, "-1", -EINVAL},
	    {MINE, "99999999999999999999", -EINVAL},
	    {MINE, "5", -E2BIG},
	    {MINE, "2147483647", -E2BIG},
	};
	int fd = tcp_listener();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct result result = run(&fd, 1, wrong[i].pid, wrong[i].count);

		if (result.taken != wrong[i].error)
			fail_msg("\"%s\" \"%s\": %d", wrong[i].pid, wrong[i].count, result.taken);
		assert_int_equal(result.fds[0], -1);
	}
	close(fd);
}

/* check_refused makes the second of two descriptors FD. */
static void
check_refused(int fd, int error)
{
	int good = tcp_listener();
	int fds[] = {good, fd};
	struct result result = run(fds, fd >= 0 ? 2 : 1, MINE, "2");

	assert_int_equal(result.taken, error);
	assert_int_equal(result.fds[0], 4);
	close(good);
	if (fd >= 0)
		close(fd);
}

static void
what_cannot_be_accepted_from_is_refused(void **state)
{
	int vsock = socket(AF_VSOCK, SOCK_STREAM, 0);

	(void)state;
	check_refused(-1, -EBADF);
	check_refused(open("/dev/null", O_RDONLY), -ENOTSOCK);
	check_refused(socket(AF_INET, SOCK_DGRAM, 0), -EPROTOTYPE);
	check_refused(unix_listener(SOCK_SEQPACKET), -EPROTOTYPE);
	check_refused(socket(AF_INET, SOCK_STREAM, 0), -EDESTADDRREQ);
	if (vsock >= 0) /* a kernel that has it */
		check_refused(vsock, -EAFNOSUPPORT);
}

static void
an_error_is_told_in_a_sentence(void **state)
{
	static const struct {
		int error, fd;
		const char *message;
	} told[] = {
	    {-EINVAL, -1, "inherited sockets: $LISTEN_PID and $LISTEN_FDS must be whole numbers from 1"},
	    {-E2BIG, -1, "inherited sockets: $LISTEN_FDS names more sockets than can be served"},
	    {-EBADF, 4, "inherited socket, descriptor 4: not open, though the environment names it"},
	    {-ENOTSOCK, 3, "inherited socket, descriptor 3: not a socket"},
	    {-EPROTOTYPE, 3, "inherited socket, descriptor 3: not a stream socket; use ListenStream="},
	    {-EAFNOSUPPORT, 3, "inherited socket, descriptor 3: neither an IPv4, an IPv6 nor a Unix socket"},
	    {-EDESTADDRREQ, 3, "inherited socket, descriptor 3: a socket that does not listen; use Accept=no"},
	    {-EINVAL, 3, "inherited socket, descriptor 3: Invalid argument"},
	    {-ENOMEM, 3, "inherited socket, descriptor 3: Cannot allocate memory"},
	};
	char buf[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(told); i++)
		assert_string_equal(listen_fds_error(told[i].error, told[i].fd, buf, sizeof(buf)), told[i].message);
}

/* What the manager opened stays: the file of a Unix socket is there for the next start. */
static void
an_inherited_unix_socket_keeps_its_file_and_its_backlog(void **state)
{
	char dir[] = "/tmp/listen_fds_XXXXXX", path[64], address[128];
	int manager, client, accepted;
	struct sockaddr_un peer = {.sun_family = AF_UNIX};
	int status;
	pid_t child;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/socket", dir);
	snprintf(address, sizeof(address), "unix:%s", path);
	manager = listener_open(address, 16, false);
	assert_true(manager >= 0);
	fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		int fds[MAX];
		int count;

		set_or_unset("LISTEN_PID", MINE);
		set_or_unset("LISTEN_FDS", "1");
		place(&manager, 1, STDERR_FILENO);
		count = listen_fds_take(fds, MAX);
		close(fds[0]);
		exit(count == 1 ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	snprintf(peer.sun_path, sizeof(peer.sun_path), "%s", path);
	client = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&peer, sizeof(peer)), 0);
	accepted = listener_accept(manager, true);
	assert_true(accepted >= 0);
	close(accepted);
	close(client);
	listener_close(manager);
	assert_int_equal(rmdir(dir), 0); /* listener_close, of its owner, removed the file */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sockets_are_taken_over),
	    cmocka_unit_test(no_more_are_taken_than_were_promised),
	    cmocka_unit_test(without_the_variables_or_for_another_process_there_are_none),
	    cmocka_unit_test(variables_that_make_no_sense_are_refused),
	    cmocka_unit_test(what_cannot_be_accepted_from_is_refused),
	    cmocka_unit_test(an_error_is_told_in_a_sentence),
	    cmocka_unit_test(an_inherited_unix_socket_keeps_its_file_and_its_backlog),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
