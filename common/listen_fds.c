/* Listening sockets that the service manager opened: systemd's socket activation. */
#include "common/listen_fds.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST_FD 3 /* SD_LISTEN_FDS_START */

/* parse_number reads a whole number of digits alone. */
static int
parse_number(const char *text, long *number)
{
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	*number = strtol(text, &end, 10);
	return *end == '\0' && errno == 0 ? 0 : -EINVAL;
}

/* count tells how many sockets the variables promise to this process. */
static int
count(size_t max)
{
	const char *pid_text = getenv("LISTEN_PID");
	const char *fds_text = getenv("LISTEN_FDS");
	long pid, fds;

	if (pid_text == NULL || fds_text == NULL)
		return 0;
	if (parse_number(pid_text, &pid) != 0)
		return -EINVAL;
	if (pid != getpid())
		return 0;
	if (parse_number(fds_text, &fds) != 0 || fds < 1)
		return -EINVAL;
	if ((unsigned long)fds > max || fds > INT_MAX - FIRST_FD)
		return -E2BIG;
	return (int)fds;
}

static int
add_flag(int fd, int get, int set, int flag)
{
	int flags = fcntl(fd, get);

	return flags >= 0 && fcntl(fd, set, flags | flag) == 0 ? 0 : -errno;
}

static int
get_option(int fd, int name, int *value)
{
	socklen_t len = sizeof(*value);

	return getsockopt(fd, SOL_SOCKET, name, value, &len) == 0 ? 0 : -errno;
}

static int
check_socket(int fd, int *family)
{
	int type, listens, error;

	error = get_option(fd, SO_TYPE, &type);
	if (error == 0)
		error = get_option(fd, SO_DOMAIN, family);
	if (error == 0)
		error = get_option(fd, SO_ACCEPTCONN, &listens);
	if (error != 0)
		return error;
	if (type != SOCK_STREAM)
		return -EPROTOTYPE;
	if (*family != AF_INET && *family != AF_INET6 && *family != AF_UNIX)
		return -EAFNOSUPPORT;
	return listens ? 0 : -EDESTADDRREQ;
}

int
listen_fds_check(int fd)
{
	int family;
	int error = check_socket(fd, &family);

	return error == 0 ? add_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC) : error;
}

/* take makes FD what listener_open would have made of it. */
static int
take(int fd)
{
	int family, on = 1;
	int error = check_socket(fd, &family);

	if (error == 0)
		error = add_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC);
	if (error == 0)
		error = add_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK);
	if (error == 0 && family != AF_UNIX && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0)
		error = -errno;
	return error;
}

int
listen_fds_take(int *fds, size_t max)
{
	int taken = count(max);

	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	if (taken < 0)
		fds[0] = -1;
	for (int i = 0; i < taken; i++) {
		int error = take(FIRST_FD + i);

		fds[i] = FIRST_FD + i;
		if (error != 0) {
			fds[0] = fds[i];
			return error;
		}
	}
	return taken;
}

const char *
listen_fds_error(int error, int fd, char *buf, size_t size)
{
	const char *why = strerror(-error);

	switch (error) {
	case -EINVAL:
		why = fd < 0 ? "$LISTEN_PID and $LISTEN_FDS must be whole numbers from 1" : why;
		break;
	case -E2BIG:
		why = "$LISTEN_FDS names more sockets than can be served";
		break;
	case -EBADF:
		why = "not open, though the environment names it";
		break;
	case -ENOTSOCK:
		why = "not a socket";
		break;
	case -EPROTOTYPE:
		why = "not a stream socket; use ListenStream=";
		break;
	case -EAFNOSUPPORT:
		why = "neither an IPv4, an IPv6 nor a Unix socket";
		break;
	case -EDESTADDRREQ:
		why = "a socket that does not listen; use Accept=no";
		break;
	default:
		break;
	}
	if (fd < 0)
		snprintf(buf, size, "inherited sockets: %s", why);
	else
		snprintf(buf, size, "inherited socket, descriptor %d: %s", fd, why);
	return buf;
}
