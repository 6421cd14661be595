/* What the bare servers have in common before they serve: a socket that listens, and sockets that epoll watches. */
#ifndef BENCH_LIMITS_LISTENER_H
#define BENCH_LIMITS_LISTENER_H

#include <arpa/inet.h>
#include <err.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define LISTENER_BACKLOG 4096

/*
 * listener_open listens on 127.0.0.1 at PORT (a number as text; NULL: any that is free) and prints the port.
 * FLAGS: of the socket besides SOCK_CLOEXEC.  It ends the process if it cannot.
 */
static inline int
listener_open(const char *port, int flags)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	    .sin_port = htons(port == NULL ? 0 : (uint16_t)atoi(port)),
	};
	socklen_t len = sizeof(address);
	int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, LISTENER_BACKLOG) != 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &len) != 0)
		err(1, "cannot listen");
	printf("%d\n", ntohs(address.sin_port));
	fflush(stdout);
	return fd;
}

/* listener_watch has EVENTS of FD told by epoll. */
static inline void
listener_watch(int epoll_fd, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};

	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
		err(1, "epoll_ctl");
}

#endif
