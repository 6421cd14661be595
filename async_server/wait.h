/* What a handler does before it answers: computing and sleeping, in the loop, on a timer of it, or on a thread of the pool. */
#ifndef ASYNC_SERVER_WAIT_H
#define ASYNC_SERVER_WAIT_H

#include <stdbool.h>

#include "async_server/conn.h"

/*
 * wait_begin begins what was planned for a connection that is CONN_READY.
 * Afterwards it is CONN_WAITING, and its deadline or a pool thread goes on with it; or,
 * where the loop itself did it all, or the pool was full, it is answered: see handler_answer.
 * The output buffer must have room for an answer.
 */
void wait_begin(struct conn *conn);

/*
 * wait_is_over tells whether the deadline of a connection that is CONN_WAITING
 * ends its wait: call conn_wake then.  Where it is --handler-timeout that is over and a thread
 * of the pool still has the job, that is ended first, and calls conn_wake.
 */
bool wait_is_over(struct conn *conn);

/* wait_count_end counts that the wait of a connection that is CONN_WAITING is over; wait_end does that itself. */
void wait_count_end(struct conn *conn);

/* wait_end answers: what was planned, or 503 where --handler-timeout was shorter. */
void wait_end(struct conn *conn);

#endif
