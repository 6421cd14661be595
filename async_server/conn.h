/* One connection: reads, writes, time limits, and which of them it waits for. */
#ifndef ASYNC_SERVER_CONN_H
#define ASYNC_SERVER_CONN_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "async_server/deadline_queue.h"
#include "async_server/exchange.h"

struct server;

enum conn_state {
	CONN_IDLE,     /* between requests: no byte of the next one has come */
	CONN_HEADER,   /* a request has begun to come */
	CONN_BODY,     /* its header is complete; its body comes */
	CONN_READY,    /* it is complete and is to sleep, once the answers before it have left */
	CONN_WAITING,  /* asleep: on a timer of the loop, or on a thread of the pool */
	CONN_ANSWERED, /* answered for the last time: ends when everything has left */
	CONN_LINGERING, /* all has left, and the peer was told: draining until it closes, so that no RST eats the answer */
	CONN_CLOSED,    /* waits for libuv, or for its pool thread, to let go of the memory */
};

/* Bytes that could not be dealt with at once; NULL when there are none, which is nearly always. */
struct conn_bytes {
	char *bytes;
	uint32_t at; /* done up to here */
	uint32_t len;
};

/* What an idle connection costs. Everything that belongs to a request is in its exchange. */
struct conn {
	uv_poll_t poll;
	struct server *server;
	struct conn *next; /* in server->conns */
	struct conn **link;
	struct deadline deadline;  /* of the present state */
	struct exchange *exchange; /* from a request's first byte to the end of its answer */
	struct conn_bytes input;   /* read with a request before, and not looked at yet */
	struct conn_bytes output;  /* answers that the kernel did not take yet; nothing is read until they have left */
	char *peer;                /* its address, for the access log; NULL without one */
	int fd;
	uint8_t state;    /* enum conn_state */
	uint8_t events;   /* what `poll` watches */
	uint8_t holds;    /* who still uses this memory: libuv, a pool thread */
	bool served;      /* has had a request answered */
	bool more;        /* bytes have come behind the present request */
	bool new_request; /* entered CONN_HEADER, and the time limit is not set yet */
	bool linger;      /* the peer may still be sending when the last answer has left */
	bool in_pool;     /* its sleep is on a thread of the pool */
};

/* conn_open takes over the accepted socket FD and serves it until either side closes. */
void conn_open(struct server *server, int fd);

/* conn_flush writes the server's output buffer to CONN, and keeps for later what the kernel does not take. */
void conn_flush(struct conn *conn);

/* conn_wake goes on with a connection whose sleep is over. */
void conn_wake(struct conn *conn);

/* conn_stop is the server's graceful end: closes CONN unless there is, or may be, a request on the way. */
void conn_stop(struct conn *conn);

/* conn_close closes CONN at once and gives up its request. Its memory goes when nobody uses it any more. */
void conn_close(struct conn *conn);

/* conn_let_go says that one of those who hold the memory needs it no more. */
void conn_let_go(struct conn *conn);

#endif
