/* Accepting connections: as many as there is room for, and none lost when there is not. */
#ifndef ASYNC_SERVER_ACCEPTOR_H
#define ASYNC_SERVER_ACCEPTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "async_server/deadline_queue.h"
#include "common/compiler.h"

struct server;

struct acceptor {
	uv_poll_t poll;
	struct server *server;
	struct deadline retry; /* after a resource ran out */
	int fd;                /* the listening socket; -1: closed */
	bool owned;            /* nobody else has it: the file of a Unix socket goes with it */
	bool is_unix;          /* a Unix socket: its connections are to be read until there is nothing */
	bool paused;           /* not watching: a resource, or --max-connections, ran out */
	bool told;             /* and the log has said so; until nobody waits in the backlog again */
	bool ending;           /* serves those who wait already, then closes */
	size_t left;           /* of them, at most; when ending */
};

/*
 * acceptor_init takes over FD, a listening socket, and accepts its connections
 * for SERVER while there is room for them (--max-connections).  OWNED: the file of a Unix socket is
 * removed when FD is closed.  Returns 0 or -errno (FD is then still the caller's).
 */
MUST_CHECK int acceptor_init(struct acceptor *acceptor, struct server *server, int fd, bool owned);

/* acceptor_room tells it that a connection has been closed: if it had paused, it goes on. */
void acceptor_room(struct acceptor *acceptor);

/*
 * acceptor_finish accepts everybody who waits in the backlog now, and then
 * closes the socket; call it again in each round of the loop, for those there
 * was no room for.  It does not read from them: the caller, or the
 * loop's next round, does.  Those who come later are not waited for:
 * there may be no end of them.
 */
void acceptor_finish(struct acceptor *acceptor);

/* acceptor_close closes the socket at once; nothing happens when it is closed. */
void acceptor_close(struct acceptor *acceptor);

#endif
