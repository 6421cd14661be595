/*
 * The limit that an event loop can reach: a bare epoll server.  It parses
 * nothing: it finds CRLF CRLF and answers the lab's 16 bytes, all answers to
 * one read in one write.  No deadlines, no limits, no errors: for bench/ only.
 *
 *   cc -D_GNU_SOURCE -O2 -o epoll_server bench/limits/epoll_server.c && ./epoll_server [PORT [COUNTER]]
 *
 * It prints its port and serves 127.0.0.1 until it is killed. COUNTER: see counter.h.
 */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "counter.h"

#define EVENTS 256
#define IN_SIZE 65536

#ifdef KEEP_ALIVE_TOLD /* ab asks in HTTP/1.0: unless it is told, it waits for the end of the connection */
#define KEEP_ALIVE "Connection: keep-alive\r\n"
#else
#define KEEP_ALIVE
#endif

static const char answer[] = "HTTP/1.1 200 OK\r\n"
			     "Content-Type: text/plain; charset=utf-8\r\n"
			     "Content-Length: 16\r\n"
			     "Date: Sat, 21 Nov 2026 10:00:00 GMT\r\n"
			     "Server: epoll_server/0.1.0\r\n" KEEP_ALIVE "\r\n"
			     "Hello, Anonymous";
#define ANSWER_LEN (sizeof(answer) - 1)

/* As many answers as requests (of 18 bytes or more) that fit one read. */
static char answers[IN_SIZE / 18 * ANSWER_LEN];
static struct counter *counter;

static int
open_listener(uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	socklen_t len = sizeof(address);
	int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, 4096) != 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &len) != 0)
		err(1, "cannot listen");
	printf("%d\n", ntohs(address.sin_port));
	fflush(stdout);
	return fd;
}

static void
watch(int epoll_fd, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
		err(1, "epoll_ctl");
}

#ifdef TIMES_TOLD
/* note: COUNT requests have come. */
static void
note(size_t count)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	for (size_t i = 0; i < count; i++)
		counter->times_ns[(counter->answered + i) % COUNTER_TIMES] =
		    (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}
#endif

static void
serve(int fd)
{
	static char in[IN_SIZE];
	ssize_t got = recv(fd, in, sizeof(in), 0);
	const char *at = in;
	size_t count = 0;

	if (got <= 0) {
		close(fd);
		return;
	}
	while ((at = memmem(at, (size_t)(in + got - at), "\r\n\r\n", 4)) != NULL) {
		at += 4;
		count++;
	}
#ifdef TIMES_TOLD
	note(count);
#endif
	if (count > 0 && send(fd, answers, count * ANSWER_LEN, MSG_NOSIGNAL) < 0)
		close(fd);
	counter->answered += count;
}

int
main(int argc, char **argv)
{
	struct epoll_event events[EVENTS];
	int listen_fd = open_listener(argc > 1 ? (uint16_t)atoi(argv[1]) : 0);
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

	counter = counter_open(argc > 2 ? argv[2] : NULL);
	for (size_t i = 0; i < sizeof(answers) / ANSWER_LEN; i++)
		memcpy(answers + i * ANSWER_LEN, answer, ANSWER_LEN);
	watch(epoll_fd, listen_fd);
	for (;;) {
		int count = epoll_wait(epoll_fd, events, EVENTS, -1);

		for (int i = 0; i < count; i++) {
			int fd = events[i].data.fd;

			if (fd != listen_fd) {
				serve(fd);
				continue;
			}
			while ((fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
				watch(epoll_fd, fd);
		}
	}
}
