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
#include <arpa/inet.h>
#include <err.h>
#include <netinet/tcp.h>
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

#define EVENTS 256
#define IN_SIZE 65536
#define SLEEPERS 65536 /* more than there are descriptors, and a connection has one request at a time */
#define NS_PER_SEC 1000000000u

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
		if (send(sleepers[woken % SLEEPERS].fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) < 0)
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
	int listen_fd = open_listener(argc > 1 ? (uint16_t)atoi(argv[1]) : 0);
	uint64_t sleep_ns = (argc > 2 ? strtoull(argv[2], NULL, 10) : 1000) * 1000000;
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	int timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	watch(epoll_fd, listen_fd);
	watch(epoll_fd, timer_fd);
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
					watch(epoll_fd, fd);
			}
		}
		set_timer(timer_fd, fired);
	}
}
