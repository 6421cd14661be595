/* What moves a connection on: bytes that came, room to write, a sleep that ended, time that is over. */
#ifndef ASYNC_SERVER_CONN_RUN_H
#define ASYNC_SERVER_CONN_RUN_H

#include "async_server/conn.h"

/* conn_read reads what has come, once, and goes on as far as that goes. It may close CONN. */
void conn_read(struct conn *conn);

/* conn_on_events is the poller's callback for a connection's socket. */
void conn_on_events(void *what, uint32_t events);

/* conn_on_deadline goes on with a sleep that is over, or ends a connection whose time is: with an answer, where one can be given. */
void conn_on_deadline(struct deadline *deadline);

/* conn_wake goes on with a connection whose sleep is over. */
void conn_wake(struct conn *conn);

/* conn_stop is the server's graceful end: closes CONN unless there is, or may be, a request on the way. */
void conn_stop(struct conn *conn);

#endif
