/* One event loop and everything it serves: buffers, deadlines, connections, and its graceful end. */
#ifndef ASYNC_SERVER_SERVER_H
#define ASYNC_SERVER_SERVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "async_server/acceptor.h"
#include "async_server/config.h"
#include "async_server/deadline_queue.h"
#include "async_server/exchange.h"
#include "async_server/poller.h"
#include "async_server/pool.h"
#include "common/access_log.h"
#include "common/clock.h"
#include "common/compiler.h"
#include "common/http_response.h"
#include "common/metrics.h"
#include "common/settings.h"

#define CONTAINER_OF(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* Bytes that one read takes. */
#define SERVER_IN_SIZE 65536

/* The most that one event of a request adds to the answer: a head, a chunk of everything that one read took. */
#define SERVER_STEP_MAX (SERVER_IN_SIZE + 2 * HTTP_RESPONSE_HEAD_MAX + WORKLOAD_TEXT_MAX)
#define SERVER_OUT_SIZE (2 * SERVER_STEP_MAX)

/* Listening sockets of one loop: more than one only where somebody else opened them (LISTEN_FDS). */
#define SERVER_LISTENERS_MAX 16

/* What one loop needs; one thread works with it but for the fields that say otherwise. */
struct server {
	uv_loop_t loop;
	struct config config; /* the loop's own copy, so that it can change between two rounds */
	struct settings *settings;
	struct metrics *metrics;
	struct access_log *access_log; /* NULL: off */
	struct http_limits limits;
	struct deadline_queue deadlines;
	struct exchange_store exchanges;
	struct acceptor acceptors[SERVER_LISTENERS_MAX];
	size_t acceptors_count;
	struct pool pool;
	uv_poll_t timer;          /* on timer_fd, the timerfd that wakes the loop for the next deadline */
	uv_poll_t notice;         /* on notice_fd: server_stop or server_configure was called */
	struct deadline shutdown; /* --shutdown-timeout, once stopping */
	uint64_t timer_ns;        /* what timer_fd is set to; DEADLINE_NONE: nothing */
	uint64_t now_ns;          /* see server_now_ns */
	struct conn *conns;       /* the open ones */
	struct conn *closed;      /* in this round */
	struct poller poller;     /* of the connections */
	size_t connections;       /* their number */
	size_t jobs;              /* sleeps on pool threads */
	uint64_t share;           /* decides which requests --blocking-share makes block: see handler.c */
	uint64_t named_ns;        /* of this round: taken by handlers that server_note_slow has heard of by name */
	int timer_fd;
	int notice_fd;
	bool timer_fired; /* and has not been set again */
	bool stopping;    /* begin_stop has seen to it: finishing what is in flight */
	bool ended;       /* the loop's own handles are closed */
	bool libuv_waits; /* for its turn: it has a handle that it does not watch yet */

	/* Between this loop and other threads. */
	_Atomic uint64_t stop_due_ns;    /* when --shutdown-timeout is over; 0: server_stop was not called */
	_Atomic uint64_t round_begun_ns; /* of the round of events under way; 0: the loop waits */
	_Atomic uint64_t round_ns;       /* how long the latest round took */
	_Atomic uint64_t round_max_ns;
	_Atomic uint64_t busy_ns;  /* all rounds together */
	_Atomic uint64_t late_ns;  /* how late the latest deadlines were handed out */
	pthread_mutex_t next_lock; /* of the two below */
	struct config next;        /* for the loop to take over */
	bool has_next;

	/* One buffer for reading and one for writing: only one connection is at work at any time. */
	size_t out_len;
	char in[SERVER_IN_SIZE];
	char out[SERVER_OUT_SIZE];
};

/*
 * server_init prepares a loop, in the thread that will run it.  SERVER is all zero (but for its buffers).  CONFIG is
 * copied; the other pointers stay the caller's and outlive the server, and so does NOTICE_FD, an
 * eventfd through which other threads reach the loop.  (uv_async_send would
 * need the loop's descriptors in the table of the thread that calls it: see side_thread.h.)
 * Returns 0 or -errno.
 */
MUST_CHECK int server_init(struct server *server, const struct config *config, struct settings *settings,
    struct metrics *metrics, struct access_log *access_log, int notice_fd);

/*
 * server_listen has the server accept connections from LISTEN_FD, which it
 * closes at the end; at most SERVER_LISTENERS_MAX times.  With OWNED, the file of a Unix
 * socket goes too.  Returns 0 or -errno.
 */
MUST_CHECK int server_listen(struct server *server, int listen_fd, bool owned);

/* server_run serves until a graceful stop is over. */
void server_run(struct server *server);

/*
 * server_run_round is one round of that: it waits for events, TIMEOUT_MS at most
 * (-1: for ever), and sees to them.  Returns false when the stop is over.
 */
bool server_run_round(struct server *server, int timeout_ms);

/* server_stop asks for a graceful stop, from any thread: answers say Connection: close, and --shutdown-timeout begins. */
void server_stop(struct server *server);

/*
 * server_configure has the loop go by the times and limits of CONFIG from its
 * next round on, and open its access log again; from any thread.  What was fixed at
 * start (addresses, files, threads) is not looked at.
 */
void server_configure(struct server *server, const struct config *config);

/* server_deinit frees what server_init and server_run made. */
void server_deinit(struct server *server);

/* server_begin_round notes when the events of this round came: each callback of the loop calls it first. */
static inline void
server_begin_round(struct server *server)
{
	if (atomic_load_explicit(&server->round_begun_ns, memory_order_relaxed) != 0)
		return;
	server->now_ns = clock_now_ns();
	atomic_store_explicit(&server->round_begun_ns, server->now_ns, memory_order_relaxed);
}

/*
 * server_now_ns is the time at which the events of the loop's present round
 * came, free of cost: for time limits only.  Who holds the loop for
 * long sets it afterwards.
 */
static inline uint64_t
server_now_ns(const struct server *server)
{
	return server->now_ns;
}

/* server_stop_asked tells whether server_stop was called; the loop may not have come to it yet. */
static inline bool
server_stop_asked(const struct server *server)
{
	return atomic_load_explicit(&server->stop_due_ns, memory_order_relaxed) != 0;
}

/* server_stop_is_over tells whether --shutdown-timeout is over at NOW_NS; the loop may not have come to it yet. */
static inline bool
server_stop_is_over(const struct server *server, uint64_t now_ns)
{
	uint64_t due_ns = atomic_load_explicit(&server->stop_due_ns, memory_order_relaxed);

	return due_ns != 0 && now_ns >= due_ns;
}

/* server_has_room tells the acceptors that a connection has been closed. */
void server_has_room(struct server *server);

/* server_note_slow counts and logs that WHAT (`handler hello, GET /`) held the loop for TOOK_NS. */
void server_note_slow(struct server *server, const char *what, uint64_t took_ns);

/* server_lag_ns tells how long the loop's latest round took or, while that is longer, the one under way has taken; from any thread. */
uint64_t server_lag_ns(const struct server *server);

#endif
