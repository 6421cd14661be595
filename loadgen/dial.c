/* Opens the sockets of connections. */
#include "loadgen/dial.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loadgen/config.h"

static int
set_buffers(int fd, int64_t size)
{
	const int bytes = (int)size;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)) != 0)
		return -errno;
	return 0;
}

int
dial_open(const struct config *config, const struct addrinfo *address, uint64_t turn, bool no_delay)
{
	const int on = 1;
	int fd, error = 0;

	fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, address->ai_protocol);
	if (fd == -1)
		return -errno;
	if (no_delay && address->ai_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (config->socket_buffer > 0)
		error = set_buffers(fd, config->socket_buffer);
	if (error == 0 && config->source.count > 0)
		error = source_bind(&config->source, turn, fd);
	if (error == 0 && connect(fd, address->ai_addr, address->ai_addrlen) != 0 && errno != EINPROGRESS &&
	    errno != EINTR)
		error = -errno;
	if (error == 0)
		return fd;
	close(fd);
	return error;
}

int
dial_check(int fd)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	int error = 0;

	if (getpeername(fd, (struct sockaddr *)&peer, &len) == 0)
		return 0;
	len = sizeof(error);
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		return -errno;
	return error != 0 ? -error : -EINPROGRESS;
}

const char *
dial_advice(int error)
{
	switch (error) {
	case EMFILE:
		return "; raise the limit of open files with ulimit -n";
	case ENFILE:
		return "; raise the system's limit of open files with sysctl fs.file-max";
	case EADDRNOTAVAIL:
		return "; out of local ports: widen net.ipv4.ip_local_port_range with sysctl, or spread with --source";
	case EAGAIN: /* a Unix socket's answer; TCP waits */
		return "; the server's queue of connections is full: raise its backlog, or lower -c";
	case ENOBUFS:
	case ENOMEM:
		return "; lower -c, or -b";
	default:
		return "";
	}
}
