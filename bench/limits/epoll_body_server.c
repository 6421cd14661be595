/*
 * The limit for large answers: a bare epoll server.  It parses nothing.  It
 * copies the body into the socket, as a server does that made it: out of the
 * page cache (sendfile) a client that copies would find the same bytes in its
 * cache again and again.  No deadlines, no limits, no errors, one request at
 * a time on a connection: for bench/ only.
 *
 *   cc -D_GNU_SOURCE -O2 -o epoll_body_server bench/limits/epoll_body_server.c && ./epoll_body_server [PORT [BYTES [COUNTER]]]
 *
 * It prints its port and serves 127.0.0.1 until it is killed. COUNTER: see counter.h.
 */
#include <err.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "counter.h"
#include "listener.h"

#define EVENTS 256
#define IN_SIZE 65536
#define HEAD_SIZE 256
#define CONNECTIONS 65536 /* more than there are descriptors */

static char head[HEAD_SIZE];
static size_t head_len;
static size_t body_len;
static char *body;
static size_t unsent[CONNECTIONS]; /* of the body under way, by descriptor */
static struct counter *counter;

static void
make_answer(void)
{
	head_len = (size_t)snprintf(head, sizeof(head),
	    "HTTP/1.1 200 OK\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n"
	    "Content-Length: %zu\r\n"
	    "Date: Sat, 21 Nov 2026 10:00:00 GMT\r\n"
	    "Server: epoll_body_server/0.1.0\r\n"
	    "Connection: keep-alive\r\n" /* for ab, which asks in HTTP/1.0 */
	    "\r\n",
	    body_len);
	body = malloc(body_len);
	if (body == NULL)
		err(1, NULL);
	memset(body, 'x', body_len);
}

/* go_on sends as much of the body as the socket takes. */
static void
go_on(int fd)
{
	while (unsent[fd] > 0) {
		ssize_t put = send(fd, body + body_len - unsent[fd], unsent[fd], MSG_NOSIGNAL);

		if (put <= 0)
			return;
		unsent[fd] -= (size_t)put;
		if (unsent[fd] == 0)
			counter->answered++;
	}
}

static void
serve(int fd)
{
	static char in[IN_SIZE];
	ssize_t got = recv(fd, in, sizeof(in), 0);

	if (got == 0) {
		close(fd);
	} else if (got > 0 && memmem(in, (size_t)got, "\r\n\r\n", 4) != NULL) {
		if (send(fd, head, head_len, MSG_MORE | MSG_NOSIGNAL) < 0)
			return;
		unsent[fd] = body_len;
		go_on(fd);
	}
}

int
main(int argc, char **argv)
{
	struct epoll_event events[EVENTS];
	int listen_fd = listener_open(argc > 1 ? argv[1] : NULL, SOCK_NONBLOCK);
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

	signal(SIGPIPE, SIG_IGN);
	body_len = argc > 2 ? strtoull(argv[2], NULL, 10) : 65536;
	counter = counter_open(argc > 3 ? argv[3] : NULL);
	make_answer();
	listener_watch(epoll_fd, listen_fd, EPOLLIN);
	for (;;) {
		int count = epoll_wait(epoll_fd, events, EVENTS, -1);

		for (int i = 0; i < count; i++) {
			int fd = events[i].data.fd;

			if (fd != listen_fd) {
				if (unsent[fd] > 0)
					go_on(fd);
				else
					serve(fd);
				continue;
			}
			while ((fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
				unsent[fd] = 0;
				listener_watch(epoll_fd, fd, EPOLLIN | EPOLLOUT | EPOLLET);
			}
		}
	}
}
