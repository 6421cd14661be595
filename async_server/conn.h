/* One connection: opened, watched, written to and closed. */
#ifndef ASYNC_SERVER_CONN_H
#define ASYNC_SERVER_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "async_server/deadline_queue.h"
#include "async_server/exchange.h"

struct server;

enum conn_state {
	CONN_IDLE,     /* between requests: no byte of the next one has come */
	CONN_HEADER,   /* a request has begun to come */
	CONN_BODY,     /* its header is complete; its body comes */
	CONN_READY,    /* it is complete and is to sleep, once the answers before it have left */
	CONN_WAITING,  /* asleep: on a timer of the loop, or on a thread of the pool */
	CONN_UPGRADED, /* a WebSocket: no more requests come; see ws.h */
	CONN_ANSWERED, /* answered for the last time: ends when everything has left */
	CONN_LINGERING, /* all has left, and the peer was told: draining until it closes, so that no RST eats the answer */
	CONN_CLOSED,    /* waits for the round's end, or for its pool thread, to let go of the memory */
};

/* Which time limit is running. Each begins once: what comes in small pieces does not begin it again. */
enum conn_limit {
	CONN_LIMIT_NONE, /* none, or one of another request's */
	CONN_LIMIT_IDLE,
	CONN_LIMIT_HEADER,
	CONN_LIMIT_BODY,  /* grows with what comes: conn_prolong */
	CONN_LIMIT_DRAIN, /* grows with what leaves */
	CONN_LIMIT_CLOSE, /* of a WebSocket that we have closed: for the peer's close frame */
};

/* A connection is added to the poller when it has to wait for the first time: many a short one never has to. */
enum conn_watch {
	CONN_WATCH_NONE,
	CONN_WATCH_READ,
	CONN_WATCH_WRITE, /* and for reading */
};

/* Bytes that could not be dealt with at once; NULL when there are none, which is nearly always. */
struct conn_bytes {
	char *bytes;
	uint32_t at; /* done up to here */
	uint32_t len;
};

/* What an idle connection costs. Everything that belongs to a request is in its exchange. */
struct conn {
	struct server *server;
	struct conn *next; /* in server->conns, and then in server->closed */
	struct conn **link;
	struct deadline deadline;  /* of the present state */
	struct exchange *exchange; /* from a request's first byte to the end of its answer */
	struct ws *ws;             /* from CONN_UPGRADED to the last frame */
	struct conn_bytes input;   /* read with a request before, and not looked at yet */
	struct conn_bytes output;  /* answers that the kernel did not take yet; nothing is read until they have left */
	char *peer;                /* its address, for the access log; NULL without one */
	int fd;
	uint8_t state; /* enum conn_state */
	uint8_t limit; /* enum conn_limit: what `deadline` is, but in a sleep or while lingering */
	uint8_t watch; /* enum conn_watch: what the poller waits for */
	uint8_t holds; /* who still uses this memory: the server, a pool thread */
	bool readable; /* the kernel has, or may have, something that was not read yet */
	bool greedy;   /* to be read until there is nothing: a short read does not say so, see conn_run.c */
	bool served;   /* has had a request answered */
	bool more;     /* bytes have come behind the present request */
	bool linger;   /* the peer may still be sending when the last answer has left */
	bool in_pool;  /* its sleep is on a thread of the pool */
};

/* How long a graceful stop waits for the first byte of a connection that has just been made. */
#define CONN_STOP_GRACE_NS 1000000000ULL

/*
 * conn_open takes over the accepted socket FD, which is one of Unix or of TCP, to serve it until either side closes.
 * The caller goes on with conn_read or conn_watch_read.  NULL, and FD closed, when there is no memory.
 */
struct conn *conn_open(struct server *server, int fd, bool is_unix);

/*
 * conn_watch_read has conn_on_events called when there is something to read, or
 * soon where there is already; conn_watch_write when there is room to write.  No change costs nothing.
 * CONN is closed where that fails.
 */
void conn_watch_read(struct conn *conn);
void conn_watch_write(struct conn *conn);

/* conn_watch_soon has conn_on_events called in the next round, for a connection without output. */
void conn_watch_soon(struct conn *conn);

/* conn_watch_asleep makes sure that the poller has CONN, whose request waits: nothing is read, but `readable` tells. */
void conn_watch_asleep(struct conn *conn);

/* conn_set_deadline has conn_on_deadline called TIMEOUT_NS after the loop's present round, if nothing sets it again. */
void conn_set_deadline(struct conn *conn, uint64_t timeout_ns);

/* conn_begin_limit does so for a LIMIT that begins now. */
void conn_begin_limit(struct conn *conn, enum conn_limit limit, uint64_t timeout_ns);

/*
 * conn_prolong moves the deadline on for BYTES that the peer sent or took: to
 * TIMEOUT_NS from now, as before, if it is not slower than --min-rate.
 * A peer that is slower gains only the time that BYTES take at that rate, so
 * that nobody holds a connection for ever by a byte now and then
 * (Apache's mod_reqtimeout and Kestrel's MinDataRate do the same).
 */
void conn_prolong(struct conn *conn, uint64_t timeout_ns, size_t bytes);

/* conn_flush writes the server's output buffer to CONN, and keeps for later what the kernel does not take. */
void conn_flush(struct conn *conn);

/* conn_send writes what the kernel takes. Returns how much, 0 when it is full, -1 when CONN was dead and is now closed. */
ssize_t conn_send(struct conn *conn, const char *data, size_t len);

/* conn_keep_bytes copies DATA to BYTES, which have none. Returns false when there is no memory. */
MUST_CHECK bool conn_keep_bytes(struct conn_bytes *bytes, const char *data, size_t len);

/* conn_drop_bytes frees them, if any. */
void conn_drop_bytes(struct conn_bytes *bytes);

/* conn_give_exchange returns the exchange, if any, to the store, unless a pool thread is using it: then the thread's end does. */
void conn_give_exchange(struct conn *conn);

/* conn_close closes CONN at once and gives up its request. Its memory goes when nobody uses it any more. */
void conn_close(struct conn *conn);

/* conn_let_go says that one of those who hold the memory needs it no more. */
void conn_let_go(struct conn *conn);

#endif
