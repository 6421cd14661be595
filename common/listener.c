/* Addresses and listening sockets, opened the same way for both servers. */
#include "common/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define DEFAULT_HOST "127.0.0.1"
#define UNIX_PREFIX "unix:"
#define DEAD_MAX 64 /* connections in a row that died before they were taken */

/* Room for a socket address of any family, seen as each. */
union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
	struct sockaddr_storage storage;
};

static int
set_flag(int fd, int level, int name)
{
	int on = 1;

	return setsockopt(fd, level, name, &on, sizeof(on)) == 0 ? 0 : -errno;
}

/* is_socket tells whether PATH itself, not what a symbolic link leads to, is a socket: nothing else is ever removed. */
static bool
is_socket(const char *path)
{
	struct stat status;

	return lstat(path, &status) == 0 && S_ISSOCK(status.st_mode);
}

/* somebody_listens tells a live Unix socket from the file that a killed server left behind. */
static bool
somebody_listens(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool refused;

	if (fd < 0)
		return true;
	refused = connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 && errno == ECONNREFUSED;
	close(fd);
	return !refused;
}

/* listen_or_close ends the opening of FD: listens, unless ERROR says that something failed before. Returns FD or -errno. */
static int
listen_or_close(int fd, int backlog, int error)
{
	if (error == 0 && listen(fd, backlog) != 0)
		error = -errno;
	if (error == 0)
		return fd;
	close(fd);
	return error;
}

static int
bind_to(int fd, const struct sockaddr *address, socklen_t len)
{
	return bind(fd, address, len) == 0 ? 0 : -errno;
}

static int
open_unix(const char *path, int backlog)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int error;
	int fd;

	if (*path == '\0')
		return -EINVAL;
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	error = bind_to(fd, (struct sockaddr *)&address, sizeof(address));
	if (error == -EADDRINUSE && !is_socket(path))
		error = -ENOTSOCK;
	else if (error == -EADDRINUSE && !somebody_listens(&address) && unlink(path) == 0)
		error = bind_to(fd, (struct sockaddr *)&address, sizeof(address));
	return listen_or_close(fd, backlog, error);
}

static int
open_resolved(const struct addrinfo *info, int backlog, bool reuse_port)
{
	int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int error;

	if (fd < 0)
		return -errno;
	error = set_flag(fd, SOL_SOCKET, SO_REUSEADDR);
	if (error == 0 && reuse_port)
		error = set_flag(fd, SOL_SOCKET, SO_REUSEPORT);
	if (error == 0)
		error = set_flag(fd, IPPROTO_TCP, TCP_NODELAY);
	if (error == 0 && info->ai_family == AF_INET6)
		error = set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY);
	if (error == 0)
		error = bind_to(fd, info->ai_addr, info->ai_addrlen);
	return listen_or_close(fd, backlog, error);
}

/* split_address cuts "host:port" in two; the host is DEFAULT_HOST where none is given. */
static int
split_address(const char *address, char *host, size_t host_size, const char **port)
{
	const char *colon = strrchr(address, ':');
	const char *start = address;
	const char *end = colon != NULL ? colon : address;

	*port = colon != NULL ? colon + 1 : address;
	if (*start == '[') {
		if (colon == NULL || end[-1] != ']' || end - start < 3)
			return -EINVAL;
		start++;
		end--;
	} else if (memchr(start, ':', (size_t)(end - start)) != NULL) {
		return -EINVAL; /* an IPv6 address wants its brackets */
	}
	if ((size_t)(end - start) >= host_size)
		return -EINVAL;
	if (**port == '\0' || strlen(*port) > 5 || strspn(*port, "0123456789") != strlen(*port))
		return -EINVAL;
	snprintf(host, host_size, "%.*s", (int)(end - start), start);
	if (*host == '\0')
		snprintf(host, host_size, "%s", DEFAULT_HOST);
	return 0;
}

int
listener_family(int fd)
{
	union address address = {0};
	socklen_t len = sizeof(address);

	return getsockname(fd, &address.any, &len) == 0 ? address.any.sa_family : AF_UNSPEC;
}

bool
listener_is_unix(const char *address)
{
	return strncmp(address, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0;
}

int
listener_open(const char *address, int backlog, bool reuse_port)
{
	const struct addrinfo hints = {
	    .ai_socktype = SOCK_STREAM,
	    .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
	};
	struct addrinfo *list;
	const char *port;
	char host[256];
	int fd;

	if (listener_is_unix(address))
		return open_unix(address + strlen(UNIX_PREFIX), backlog);
	if (split_address(address, host, sizeof(host), &port) != 0 || atoi(port) > 65535)
		return -EINVAL;
	if (getaddrinfo(host, port, &hints, &list) != 0)
		return -EINVAL;
	fd = open_resolved(list, backlog, reuse_port);
	freeaddrinfo(list);
	return fd;
}

void
listener_remove_file(int fd)
{
	union address address = {0};
	socklen_t len = sizeof(address);

	if (getsockname(fd, &address.any, &len) == 0 && address.any.sa_family == AF_UNIX &&
	    is_socket(address.un.sun_path))
		unlink(address.un.sun_path);
}

void
listener_close(int fd)
{
	listener_remove_file(fd);
	close(fd);
}

const char *
listener_name(int fd, char buf[LISTENER_NAME_MAX])
{
	union address address = {0};
	socklen_t len = sizeof(address);
	char host[INET6_ADDRSTRLEN];

	snprintf(buf, LISTENER_NAME_MAX, "?");
	if (getsockname(fd, &address.any, &len) != 0)
		return buf;
	if (address.any.sa_family == AF_UNIX) {
		snprintf(buf, LISTENER_NAME_MAX, "unix:%s", address.un.sun_path);
	} else if (address.any.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &address.in6.sin6_addr, host, sizeof(host));
		snprintf(buf, LISTENER_NAME_MAX, "http://[%s]:%d", host, ntohs(address.in6.sin6_port));
	} else {
		inet_ntop(AF_INET, &address.in.sin_addr, host, sizeof(host));
		snprintf(buf, LISTENER_NAME_MAX, "http://%s:%d", host, ntohs(address.in.sin_port));
	}
	return buf;
}

const char *
listener_error(int error, const char *address, const char *option, char *buf, size_t size)
{
	switch (error) {
	case -EINVAL:
		snprintf(
		    buf, size, "%s %s: not an address; use HOST:PORT, [IPV6]:PORT, PORT or unix:PATH", option, address);
		break;
	case -EADDRINUSE:
		snprintf(buf, size, "%s %s: the address is in use: stop the other server, or choose another %s", option,
		    address, option);
		break;
	case -ENAMETOOLONG:
		snprintf(buf, size, "%s %s: longer than the %zu bytes that a Unix socket's path may have", option,
		    address, sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1);
		break;
	case -ENOTSOCK:
		snprintf(buf, size, "%s %s: there is something there that is not a socket: choose another path", option,
		    address);
		break;
	case -EACCES:
		snprintf(buf, size,
		    "%s %s: permission denied: ports below 1024 need root, a Unix socket a writable folder", option,
		    address);
		break;
	case -EADDRNOTAVAIL:
		snprintf(buf, size, "%s %s: this machine has no such address", option, address);
		break;
	default:
		snprintf(buf, size, "%s %s: %s", option, address, strerror(-error));
		break;
	}
	return buf;
}

int
listener_exit_status(int error)
{
	return error == -EINVAL || error == -ENAMETOOLONG || error == -ENOTSOCK ? 2 : 1;
}

/* is_of_one_connection tells the errors that accept(2) reports of a connection that died before it was taken. */
static bool
is_of_one_connection(int error)
{
	switch (error) {
	case ECONNABORTED:
	case EPROTO:
	case ENETDOWN:
	case ENOPROTOOPT:
	case EHOSTDOWN:
	case ENONET:
	case EHOSTUNREACH:
	case EOPNOTSUPP:
	case ENETUNREACH:
	case EPERM: /* the firewall said no */
		return true;
	default:
		return false;
	}
}

int
listener_accept(int fd, bool nonblocking)
{
	int accepted = -1;

	/* Bounded: where every accept is refused (a seccomp filter says EPERM), the caller must hear of it. */
	for (int tries = 0; tries < DEAD_MAX; tries++) {
		do
			accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC | (nonblocking ? SOCK_NONBLOCK : 0));
		while (accepted < 0 && errno == EINTR);
		if (accepted >= 0 || !is_of_one_connection(errno))
			break;
	}
	return accepted < 0 ? -errno : accepted;
}

bool
listener_is_exhausted(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOBUFS || error == -ENOMEM;
}

const char *
listener_peer_name(int fd, char *buf, size_t size)
{
	union address address = {0};
	socklen_t len = sizeof(address);

	*buf = '\0';
	if (getpeername(fd, &address.any, &len) != 0)
		return buf;
	if (address.any.sa_family == AF_INET)
		inet_ntop(AF_INET, &address.in.sin_addr, buf, (socklen_t)size);
	else if (address.any.sa_family == AF_INET6)
		inet_ntop(AF_INET6, &address.in6.sin6_addr, buf, (socklen_t)size);
	return buf;
}
