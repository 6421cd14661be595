/* One connection's state machine on its thread's event base: connect, send, receive, and again. */
#ifndef LOADGEN_CONN_H
#define LOADGEN_CONN_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/compiler.h"
#include "loadgen/request.h"
#include "loadgen/response.h"
#include "loadgen/stats.h"

#define CACHE_LINE 64 /* bytes */

struct worker;
struct trace;
struct tls;
struct tunnel;

enum conn_state {
	CONN_CLOSED,     /* no socket */
	CONN_CONNECTING, /* the handshake of TCP is under way; nothing was sent */
	CONN_TUNNELING,  /* a proxy is asked for a way to the server */
	CONN_SECURING,   /* the handshake of TLS is under way */
	CONN_READY,      /* requests leave, answers come */
};

/*
 * With a thousand connections none of this is in the processor's nearest cache when an answer comes, and each line that has
 * to be fetched costs as much as parsing.  So what a request touches lies together: a line of the flight, and of the
 * connection the event, the line behind it, and the one with what response.h puts first.
 */

/* A request under way. */
struct flight {
	struct timing timing;
	uint32_t index; /* of the request in the cell's list */
	bool queued;    /* open loop: all connections were busy when it was due */
	bool retried;   /* open loop: a connect for it failed, so that it started anew */
};

struct conn {
	_Alignas(CACHE_LINE) struct event event; /* edge-triggered, both directions: set once for a socket */
	struct worker *worker;
	struct tls *tls;     /* NULL: plain */
	struct trace *trace; /* what -v prints; NULL below -v 2 */
	int fd;              /* -1: CONN_CLOSED */
	enum conn_state state;
	int error;   /* errno value of a send that the event loop still has to handle, or 0 */
	bool reused; /* a response came whole on this socket before */
	bool ended;  /* the server has closed its side: what it said stands in the socket */
	/* Requests under way, a ring: the answer to `first` comes next. */
	uint16_t first, len;
	uint16_t sent_flights;  /* of them have left */
	int lost;               /* errno value of a send that failed, which recv does not tell again, or 0 */
	uint64_t sent;          /* bytes of the one behind those */
	struct flight *flights; /* config->pipeline of them */
	struct response response;
	const struct addrinfo *address; /* that the socket goes to */
	struct tunnel *tunnel;          /* while CONN_TUNNELING */
	TAILQ_ENTRY(conn) idle;         /* open loop: in worker->idle while no request is under way */
};

/* conn_init makes CONN ready, without a socket. SERVER and TRACE may be NULL. */
void conn_init(struct conn *conn, struct worker *worker, struct flight *flights, char *server, struct trace *trace);

/* conn_go_on takes as many requests as it has room for, and sends them, on the open connection or on a new one. */
void conn_go_on(struct conn *conn);

/* conn_since returns when the oldest request under way began, UINT64_MAX when there is none. */
uint64_t conn_since(const struct conn *conn);

/* conn_expire ends the requests under way that began LIMIT_NS or more before NOW_NS as timed out. */
void conn_expire(struct conn *conn, uint64_t now_ns, uint64_t limit_ns);

/* conn_close closes the socket, if there is one. */
void conn_close(struct conn *conn);

#endif
