/*
 * The limit for requests that sleep in one loop: a bare epoll server with one
 * timerfd.  It parses nothing.  Every request sleeps for the same time, so
 * that the next one to wake is the head of a queue.  No deadlines, no limits,
 * no errors: for bench/ only.
 *
 *   cc -D_GNU_SOURCE -O2 -o epoll_sleep_server bench/limits/epoll_sleep_server.c && ./epoll_sleep_server [PORT [MILLISECONDS]]
 *
 * It prints its port and serves 127.0.0.1 until it is killed.
 */
#include <err.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "answer.h"
#include "listener.h"

#define EVENTS 256
#define IN_SIZE 65536
#define SLEEPERS 65536 /* more than there are descriptors, and a connection has one request at a time */
#define NS_PER_SEC 1000000000u

struct sleeper {
	uint64_t due_ns;
	int fd;
};

/* A ring: `woken` and `begun` count for ever. */
static struct sleeper sleepers[SLEEPERS];
static uint32_t woken, begun;
static bool timer_is_set;

static uint64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_SEC + (uint64_t)now.tv_nsec;
}

static void
fall_asleep(int fd, uint64_t due_ns)
{
	static char in[IN_SIZE];
	ssize_t got = recv(fd, in, sizeof(in), 0);

	if (got <= 0)
		close(fd);
	else if (memmem(in, (size_t)got, "\r\n\r\n", 4) != NULL)
		sleepers[begun++ % SLEEPERS] = (struct sleeper){.due_ns = due_ns, .fd = fd};
}

static void
wake(void)
{
	uint64_t now = now_ns();

	for (; woken != begun && sleepers[woken % SLEEPERS].due_ns <= now; woken++)
		if (send(sleepers[woken % SLEEPERS].fd, answer, ANSWER_LEN, MSG_NOSIGNAL) < 0)
			warn("send");
}

/* set_timer has the loop woken for the head of the queue. Setting the timer also takes back that it has FIRED. */
static void
set_timer(int timer_fd, bool fired)
{
	uint64_t due_ns = woken != begun ? sleepers[woken % SLEEPERS].due_ns : 0;
	struct itimerspec when = {
	    .it_value = {.tv_sec = (time_t)(due_ns / NS_PER_SEC), .tv_nsec = (long)(due_ns % NS_PER_SEC)}};

	if (timer_is_set ? !fired : woken == begun)
		return;
	if (timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &when, NULL) != 0)
		err(1, "timerfd_settime");
	timer_is_set = due_ns != 0;
}

int
main(int argc, char **argv)
{
	struct epoll_event events[EVENTS];
	int listen_fd = listener_open(argc > 1 ? argv[1] : NULL, SOCK_NONBLOCK);
	uint64_t sleep_ns = (argc > 2 ? strtoull(argv[2], NULL, 10) : 1000) * 1000000;
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	int timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	listener_watch(epoll_fd, listen_fd, EPOLLIN);
	listener_watch(epoll_fd, timer_fd, EPOLLIN);
	for (;;) {
		int count = epoll_wait(epoll_fd, events, EVENTS, -1);
		uint64_t due_ns = now_ns() + sleep_ns; /* what is readable now was sent before: no sleep is too short */
		bool fired = false;

		for (int i = 0; i < count; i++) {
			int fd = events[i].data.fd;

			if (fd == timer_fd) {
				wake();
				fired = true;
			} else if (fd != listen_fd) {
				fall_asleep(fd, due_ns);
			} else {
				while ((fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
					listener_watch(epoll_fd, fd, EPOLLIN);
			}
		}
		set_timer(timer_fd, fired);
	}
}
