/* What the threads of a gthread worker share, and what each has of its own. */
#ifndef PREFORK_SERVER_POOL_H
#define PREFORK_SERVER_POOL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"
#include "prefork_server/conn_table.h"
#include "prefork_server/exchange.h"
#include "prefork_server/gate.h"
#include "prefork_server/worker.h"

/*
 * Leader and followers (Schmidt and others, POSA 2): all free threads wait in
 * one epoll set, and whoever gets an event serves it.  Nothing is handed over,
 * so a request wakes one thread and takes no lock.  A thread that serves is not
 * in that wait: a worker without a free thread accepts nothing.
 */
struct pool {
	struct worker *worker;
	int epoll_fd;
	int end_fd;  /* an eventfd in the set, never read: from its first count on every thread ends */
	int wake_fd; /* an eventfd for the main thread: something is to be done before its next look */
	struct conn_table table;
	struct gate gate;
	_Atomic bool last;          /* each answer is the last of its connection: the worker ends */
	_Atomic bool no_more;       /* nothing is accepted any more, not even by who is about to */
	_Atomic bool quitting;      /* nothing is begun any more: see pool_quit.h */
	_Atomic uint64_t paused_ns; /* when accept last had no means; 0: never, or long ago */
	unsigned count;             /* of threads */
	struct pool_thread *threads;
};

struct pool_thread {
	struct pool *pool;
	pthread_t id;
	struct worker worker; /* the worker as this thread sees it: with its own lane and access log */

	/* For the main thread, which watches. */
	_Alignas(64) _Atomic uint64_t busy_ns; /* when it began what it does; 0: nothing */
	_Atomic bool unwritten;                /* there may be lines for the access log */
	_Atomic int fd;                        /* of the connection */
	uint64_t named_ns;                     /* the main thread's: the busy_ns that the log has named */

	struct exchange exchange;
};

/* After accept ran out of a resource. */
#define POOL_PAUSE_MS 100

/* Keys of events that are no connection's. */
#define POOL_KEY_END CONN_KEYS_END
#define POOL_KEY_LISTENERS (CONN_KEYS_END + 1)

/*
 * pool_open makes everything for WORKER but threads and the way in; pool_start starts the threads, as many
 * of them as can be, and then lets connections in.  Both return 0 or -errno: pool_start where not even one
 * thread could be started.  pool_end ends the threads, which must have nothing to do any more; pool_close frees the rest.
 */
MUST_CHECK int pool_open(struct pool *pool, struct worker *worker);
MUST_CHECK int pool_start(struct pool *pool);
void pool_end(struct pool *pool);
void pool_close(struct pool *pool);

/* pool_wake lets the main thread look now. */
void pool_wake(const struct pool *pool);

/*
 * pool_hang_up ends both sides of CONN, which is about to be closed.  close(2)
 * alone may not: a thread that looks at an event of the connection in
 * epoll_wait(2) holds its file, and where it finds nothing to return it
 * sleeps on with it.  The kernel closes the file when that thread returns, which may
 * be much later, and the peer would wait for the end until then.
 */
void pool_hang_up(const struct conn *conn);

/* pool_give gives CONN, which is closed, back; the gate opens if it was the last slot. */
void pool_give(struct pool *pool, struct conn *conn);

/* pool_check_gate shuts the gate while every slot is taken. */
void pool_check_gate(struct pool *pool);

#endif
