/* A connection that has become a WebSocket: each message that comes is sent back, as a handler of aiohttp would do it. */
#ifndef ASYNC_SERVER_WS_H
#define ASYNC_SERVER_WS_H

#include <stdbool.h>
#include <stddef.h>

#include "async_server/conn.h"
#include "common/compiler.h"

/*
 * As aiohttp's WebSocketResponse: a ping is answered with a pong, a close frame with
 * one of 1000, a violation with one that says which; --ws-heartbeat pings.  Nothing is read while
 * output is left, so that one connection holds at most what one read took, one message and its echo.
 * The connection calls; none of these functions waits.
 */

/* ws_is_asked_for tells whether REQUEST, at HTTP_HEAD, is a GET or HEAD of /ws. */
bool ws_is_asked_for(const struct http_request *request);

/*
 * ws_plan makes the plan for such a request, at HTTP_HEAD: 101, or 400 and why not.
 * A refusal that stands in the plan already, of its Expect or its body, stays.
 */
void ws_plan(struct exchange *exchange);

/* ws_begin gives CONN, whose plan is 101, a WebSocket. Returns false when there is no memory. */
MUST_CHECK bool ws_begin(struct conn *conn);

/*
 * ws_take reads the frames in DATA, which it changes, and answers them in the
 * output buffer, until output is left, or it has done enough for one round.  Returns how much it took.  Afterwards CONN is still
 * CONN_UPGRADED; or CONN_ANSWERED, and the last frame is in the output buffer.
 */
size_t ws_take(struct conn *conn, char *data, size_t len);

/* ws_settle decides what a WebSocket without output waits for. */
void ws_settle(struct conn *conn);

/* ws_ping pings a WebSocket whose heartbeat is due. Returns false when its time is over. */
bool ws_ping(struct conn *conn);

/* ws_stop is the server's graceful end: what has come is answered, then a close frame of 1001 leaves. */
void ws_stop(struct conn *conn);

/* ws_end frees what belongs to the WebSocket, counts and logs it. The connection calls it before it closes. */
void ws_end(struct conn *conn);

#endif
