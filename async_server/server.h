/* One event loop and everything it serves: buffers, deadlines, connections, and its graceful end. */
#ifndef ASYNC_SERVER_SERVER_H
#define ASYNC_SERVER_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "async_server/acceptor.h"
#include "async_server/config.h"
#include "async_server/deadline_queue.h"
#include "async_server/exchange.h"
#include "async_server/pool.h"
#include "common/access_log.h"
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

/* What one loop needs; one thread works with it but for the fields that say otherwise. */
struct server {
	uv_loop_t loop;
	const struct config *config;
	struct settings *settings;
	struct metrics *metrics;
	struct access_log *access_log; /* NULL: off */
	struct http_limits limits;
	struct deadline_queue deadlines;
	struct exchange_store exchanges;
	struct acceptor acceptor;
	struct pool pool;
	uv_poll_t timer;          /* on timer_fd, the timerfd that wakes the loop for the next deadline */
	uv_check_t check;         /* after the events of each round */
	uv_async_t stop;          /* server_stop, from other threads */
	struct deadline shutdown; /* --shutdown-timeout, once stopping */
	uint64_t timer_ns;        /* what timer_fd is set to; DEADLINE_NONE: nothing */
	struct conn *conns;       /* the open ones */
	size_t connections;       /* their number */
	size_t jobs;              /* sleeps on pool threads */
	int timer_fd;
	bool timer_fired;             /* and has not been set again */
	bool stopping;                /* on_stop has seen to it: finishing what is in flight */
	bool ended;                   /* the loop's own handles are closed */
	_Atomic uint64_t stop_due_ns; /* when --shutdown-timeout is over; 0: server_stop was not called */
	_Atomic uint64_t lag_ns;      /* how late the latest deadlines were handed out; read by the admin thread */
	_Atomic uint64_t lag_max_ns;
	/* One buffer for reading and one for writing: only one connection is at work at any time. */
	size_t out_len;
	char in[SERVER_IN_SIZE];
	char out[SERVER_OUT_SIZE];
};

/* server_init prepares the loop. All pointers stay the caller's and outlive it. Returns 0 or -errno. */
MUST_CHECK int server_init(struct server *server, const struct config *config, struct settings *settings,
    struct metrics *metrics, struct access_log *access_log);

/* server_listen has the server accept connections from LISTEN_FD, which it takes over. Returns 0 or -errno. */
MUST_CHECK int server_listen(struct server *server, int listen_fd);

/* server_run serves until a graceful stop is over. */
void server_run(struct server *server);

/* server_stop asks for a graceful stop, from any thread: answers say Connection: close, and --shutdown-timeout begins. */
void server_stop(struct server *server);

/* server_deinit frees what server_init and server_run made. */
void server_deinit(struct server *server);

/*
 * server_now_ns is the time at which the events of the loop's present round
 * came, a millisecond coarse and free of cost: for time limits only.  Who
 * blocks the loop calls uv_update_time afterwards.
 */
static inline uint64_t
server_now_ns(const struct server *server)
{
	return uv_now(&server->loop) * 1000000;
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

/* server_note_slow counts and logs that WHAT (`handler hello, GET /`) held the loop for TOOK_NS. */
void server_note_slow(struct server *server, const char *what, uint64_t took_ns);

/* server_write_metrics writes the loop's own metrics (common/admin's callback; CONTEXT is the server). */
size_t server_write_metrics(const void *context, char *buf, size_t used, size_t size);

#endif
