/*
 * The limit that an event loop can reach: a bare epoll server.  It parses
 * nothing: it finds CRLF CRLF and answers the lab's 16 bytes, all answers to
 * one read in one write.  No deadlines, no limits, no errors: for bench/ only.
 *
 *   cc -D_GNU_SOURCE -O2 -o epoll_server bench/limits/epoll_server.c && ./epoll_server [PORT [COUNTER]]
 *
 * It prints its port and serves 127.0.0.1 until it is killed. COUNTER: see counter.h.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "answer.h"
#include "counter.h"
#include "listener.h"

#define EVENTS 256
#define IN_SIZE 65536

/* As many answers as requests (of 18 bytes or more) that fit one read. */
static char answers[IN_SIZE / 18 * ANSWER_LEN];
static struct counter *counter;

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
	int listen_fd = listener_open(argc > 1 ? argv[1] : NULL, SOCK_NONBLOCK);
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

	counter = counter_open(argc > 2 ? argv[2] : NULL);
	for (size_t i = 0; i < sizeof(answers) / ANSWER_LEN; i++)
		memcpy(answers + i * ANSWER_LEN, answer, ANSWER_LEN);
	listener_watch(epoll_fd, listen_fd, EPOLLIN);
	for (;;) {
		int count = epoll_wait(epoll_fd, events, EVENTS, -1);

		for (int i = 0; i < count; i++) {
			int fd = events[i].data.fd;

			if (fd != listen_fd) {
				serve(fd);
				continue;
			}
			while ((fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
				listener_watch(epoll_fd, fd, EPOLLIN);
		}
	}
}
