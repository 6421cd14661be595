/* One thread of load: its event base, its connections, and what it counts. Shares nothing that it writes. */
#ifndef LOADGEN_WORKER_H
#define LOADGEN_WORKER_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/compiler.h"
#include "loadgen/cell.h"
#include "loadgen/conn.h"

#define WORKER_READ_MAX 65536   /* bytes of one receive */
#define CONNECT_FAILURES_MAX 10 /* in a row; then the cell ends, as in ab */
#define CACHE_LINE 64

/* What the threads of a cell share: written once. */
struct shared {
	_Alignas(CACHE_LINE) _Atomic int64_t document_len; /* of the first good response of all; -1: none yet */
	_Alignas(CACHE_LINE) pthread_mutex_t gate;         /* held until all threads are there */
	bool called_off; /* under `gate`: a thread could not be started, so the others must end */
	int finished_fd; /* eventfd: each worker adds 1 when it is done, and WORKER_FAILED when it could not go on */
};

#define WORKER_FAILED (1ULL << 32)

struct worker {
	_Alignas(CACHE_LINE) _Atomic uint64_t complete; /* all that another thread reads meanwhile */
	_Alignas(CACHE_LINE) const struct cell *cell;
	struct shared *shared;
	struct event_base *base;
	TAILQ_HEAD(conn_list, conn) pending; /* requests under way, oldest first */
	struct event timeout;                /* when the oldest of them may have waited too long */
	struct event time_limit;             /* -t */
	struct event stop;                   /* stop_fd, written by worker_stop */
	int stop_fd;
	struct conn *conns;
	struct trace *traces;
	uint32_t conns_len;
	uint32_t active;                /* connections with a request under way */
	uint64_t left;                  /* requests not started yet */
	int64_t document_len;           /* this thread's copy of shared->document_len */
	const struct addrinfo *address; /* that connections go to; moves on while none was ever reached */
	bool reached;                   /* a connection came about */
	unsigned connect_failures;      /* in a row */
	enum cell_end end;
	int error; /* errno value behind `end` */
	struct stats stats;
	struct sample *samples; /* room for all requests with -g, else NULL */
	struct response_memo memo;
	pthread_t thread;
	char buf[WORKER_READ_MAX];
};

/*
 * worker_init prepares CONNECTIONS connections that perform REQUESTS requests
 * of CELL.  Returns 0 or -errno.  worker_deinit frees everything (also after a failed init).
 */
MUST_CHECK int worker_init(
    struct worker *worker, const struct cell *cell, struct shared *shared, uint32_t connections, uint64_t requests);
void worker_deinit(struct worker *worker);

/* worker_run is the thread: passes shared->gate, runs to its end, and says so on finished_fd. ARG: struct worker. */
void *worker_run(void *arg);

/* worker_stop ends the worker from another thread, as CELL_INTERRUPTED. */
void worker_stop(struct worker *worker);

/* worker_next gives CONN its next request, or lets it go when there is none left. For conn.c, as the one below. */
void worker_next(struct worker *worker, struct conn *conn);

/* worker_abort ends the worker for the reason END with the errno value ERROR. */
void worker_abort(struct worker *worker, enum cell_end end, int error);

#endif
