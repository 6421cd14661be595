/* One connection's state machine on its thread's event base: connect, send, receive, and again. */
#ifndef LOADGEN_CONN_H
#define LOADGEN_CONN_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "loadgen/response.h"
#include "loadgen/stats.h"

struct worker;
struct trace;

enum conn_state {
	CONN_CLOSED,     /* no socket */
	CONN_CONNECTING, /* the handshake is under way; nothing was sent */
	CONN_SENDING,    /* part of the request waits for room in the socket; the answer may already come */
	CONN_WAITING,    /* the request has left, or the server does not take the rest: the answer decides */
};

struct conn {
	struct event event;        /* edge-triggered, for reading and writing: set once for a socket, never changed */
	TAILQ_ENTRY(conn) pending; /* in worker->pending while a request is under way */
	struct worker *worker;
	const struct addrinfo *address; /* that the socket goes to */
	int fd;                         /* -1: CONN_CLOSED */
	enum conn_state state;
	int error;   /* errno value of a send that the event loop still has to handle, or 0 */
	bool reused; /* a response came whole on this socket before */
	size_t sent; /* bytes of the request */
	struct timing timing;
	struct response response;
	struct trace *trace; /* what -v prints; NULL below -v 2 */
};

/* conn_init makes CONN ready, without a socket. SERVER and TRACE may be NULL. */
void conn_init(struct conn *conn, struct worker *worker, char *server, struct trace *trace);

/* conn_begin starts a request, on the open connection or on a new one. */
void conn_begin(struct conn *conn);

/* conn_expire ends the request under way as timed out at NOW_NS. */
void conn_expire(struct conn *conn, uint64_t now_ns);

/* conn_close closes the socket, if there is one. */
void conn_close(struct conn *conn);

#endif
