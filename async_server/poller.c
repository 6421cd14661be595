/* What the loop waits in: an epoll set of the connections, edge-triggered, and of libuv's loop as one descriptor. */
#include "async_server/poller.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

/* At a time; those who are left come in the next round, after timers and new connections. */
#define EVENTS_MAX 256

int
poller_init(struct poller *poller, uv_loop_t *loop, void (*on_events)(void *what, uint32_t events))
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};

	poller->loop = loop;
	poller->on_events = on_events;
	poller->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (poller->epoll_fd < 0)
		return -errno;
	if (epoll_ctl(poller->epoll_fd, EPOLL_CTL_ADD, uv_backend_fd(loop), &event) != 0) {
		int error = -errno;

		close(poller->epoll_fd);
		return error;
	}
	return 0;
}

int
poller_watch(struct poller *poller, int fd, bool added, uint32_t events, void *what)
{
	struct epoll_event event = {.events = events | EPOLLET, .data.ptr = what};

	return epoll_ctl(poller->epoll_fd, added ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

void
poller_wait(struct poller *poller, int timeout_ms)
{
	struct epoll_event events[EVENTS_MAX];
	int count = epoll_wait(poller->epoll_fd, events, EVENTS_MAX, timeout_ms);
	bool loop = false;

	for (int i = 0; i < count; i++) {
		if (events[i].data.ptr == NULL)
			loop = true;
		else
			poller->on_events(events[i].data.ptr, events[i].events);
	}
	if (loop)
		uv_run(poller->loop, UV_RUN_NOWAIT);
}

void
poller_close(struct poller *poller)
{
	close(poller->epoll_fd);
}
