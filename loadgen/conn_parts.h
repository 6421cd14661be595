/* What the parts of a connection (conn.c, conn_open.c, conn_send.c, conn_receive.c) call of each other, and its worker of it. */
#ifndef LOADGEN_CONN_PARTS_H
#define LOADGEN_CONN_PARTS_H

#include <stdint.h>

#include "common/compiler.h"
#include "loadgen/conn.h"
#include "loadgen/worker.h"

/* conn_flight returns the request number I of those under way; with I == len the place of the next one. */
static inline struct flight *
conn_flight(const struct conn *conn, uint32_t i)
{
	uint32_t room = (uint32_t)conn->worker->cell->config->pipeline;
	uint32_t at = conn->first + i;

	return &conn->flights[at < room ? at : at - room];
}

/* conn_request returns what FLIGHT sends. */
static inline const struct request *
conn_request(const struct conn *conn, const struct flight *flight)
{
	return &conn->worker->cell->requests->items[flight->index];
}

/* conn.c */

void conn_on_ready(evutil_socket_t fd, short what, void *conn);

/*
 * conn_start_sending sends what it can at once.  A failure waits for the event
 * loop: handled here it would end the request and start the next, which may fail the same way, ever deeper.
 */
void conn_start_sending(struct conn *conn, uint64_t now_ns);

/*
 * conn_call_again has conn_on_ready called in the next round of the event loop, behind timers and signals.  event_active
 * would be this round: a server that sends faster than we read would make it last for ever, and nothing else were heard.
 */
void conn_call_again(struct conn *conn);

/* conn_go_on_after continues when answers were read: with what is still under way, if the connection is gone, and with more. */
void conn_go_on_after(struct conn *conn);

/* conn_open.c */

/*
 * conn_open connects, as often as it may, and tries to send at once: on
 * loopback the handshake is over when connect returns, although it says
 * EINPROGRESS.  Without that, a burst of answers becomes a burst of connects,
 * and no request leaves before the last of them (task 7 at c = 40: 2 ms a round).
 */
void conn_open(struct conn *conn);

/* conn_reopen sends the requests under way again, on a new connection; their time goes on. */
void conn_reopen(struct conn *conn);

/* conn_connect_failed: it came to nothing, with the errno value ERROR, as a FAILURE_CONNECT or FAILURE_TLS. */
void conn_connect_failed(struct conn *conn, int error, enum failure failure);

/* conn_connect_expired: what the oldest request waited for in vain is still a connection. */
void conn_connect_expired(struct conn *conn);

/* conn_secure goes on with all that comes before a request over TLS. Returns 0 when it is over or waits, or the errno value. */
MUST_CHECK int conn_secure(struct conn *conn);

/* conn_note_connected: the server took the connection, and the first bytes leave at NOW_NS. */
void conn_note_connected(struct conn *conn, uint64_t now_ns, enum conn_state next);

/* conn_note_ready: requests can leave at NOW_NS. */
void conn_note_ready(struct conn *conn, uint64_t now_ns);

/* conn_send.c */

/*
 * conn_send sends what it can of the requests, after the handshakes.  NOW_NS is the present time.  Returns 0, also when it
 * waits for the socket, or for the other connections to have their turn, or the errno value.
 */
MUST_CHECK int conn_send(struct conn *conn, uint64_t now_ns);

/* conn_receive.c */

/* conn_receive reads until all that was asked for has come or the socket is empty: with edges there is no second call. */
void conn_receive(struct conn *conn);

/*
 * conn_broken handles the end of a connection: ERROR is an errno value, or 0 when the server
 * closed.  A server may close an idle connection at any time (RFC 9112, 9.5): requests that met that are sent again.
 */
void conn_broken(struct conn *conn, int error);

/* conn_explain notes, and at -v 4 prints, WHY a request failed. */
void conn_explain(struct conn *conn, enum failure failure, const char *why);

/* conn_finish ends the oldest request under way at its timing's end_ns. */
void conn_finish(struct conn *conn, enum failure failure);

#endif
