/* What the loop waits in: an epoll set of the connections, edge-triggered, and of libuv's loop as one descriptor. */
#ifndef ASYNC_SERVER_POLLER_H
#define ASYNC_SERVER_POLLER_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "common/compiler.h"

/*
 * Why not a uv_poll_t for each connection: libuv's watchers are
 * level-triggered, so that the kernel looks at every ready socket a second
 * time before it sleeps; each new one costs four system calls more, and 160
 * bytes; and turning one off and on around a sleep costs two calls.  Here a
 * connection is added once, and not touched again while it goes from
 * request to request.  libuv keeps what is rare: listening sockets, the timer, notices, the pool.  Its loop is
 * embedded the way its manual gives for that (uv_backend_fd).
 */
struct poller {
	uv_loop_t *loop;
	int epoll_fd;
	void (*on_events)(void *what, uint32_t events);
};

/*
 * poller_init opens the set, with LOOP in it.  ON_EVENTS is called for each
 * descriptor that something has happened to, with what poller_watch was given
 * and the events of epoll_ctl(2).  Returns 0 or -errno.
 */
MUST_CHECK int poller_init(struct poller *poller, uv_loop_t *loop, void (*on_events)(void *what, uint32_t events));

/*
 * poller_watch waits for EVENTS of FD, which is in the set already if ADDED:
 * once for each time that one of them begins to hold, and at once where it holds now.
 * WHAT must live until FD is closed, which takes it out of the set, and until
 * poller_wait returns.  Returns 0 or -errno.
 */
MUST_CHECK int poller_watch(struct poller *poller, int fd, bool added, uint32_t events, void *what);

/*
 * poller_wait waits until something has happened, TIMEOUT_MS at most (-1: for
 * ever), and hands out one round of it, of which libuv's part comes last.
 */
void poller_wait(struct poller *poller, int timeout_ms);

/* poller_close closes the set. */
void poller_close(struct poller *poller);

#endif
