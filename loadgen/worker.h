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
#include "loadgen/heartbeat.h"

#define WORKER_READ_MAX 65536   /* bytes of one receive */
#define CONNECT_FAILURES_MAX 10 /* in a row; then the cell ends, as in ab, unless -r is given */

/* What the threads of a cell share: written once. */
struct shared {
	_Atomic int64_t *document_lens; /* of the first good response to each request of the list; -1: none yet */
	struct tls_context *tls;        /* NULL: no TLS */
	uint64_t origin_ns;             /* under `gate`: when the load began; 0: not yet */
	atomic_bool reached;            /* a connection came about, in whichever thread */
	_Alignas(CACHE_LINE) pthread_mutex_t gate; /* held until all threads are there */
	bool called_off; /* under `gate`: a thread could not be started, so the others must end */
	int finished_fd; /* eventfd: each worker adds 1 when it is done, and WORKER_FAILED when it could not go on */
};

#define WORKER_FAILED (1ULL << 32)

TAILQ_HEAD(conn_list, conn);

struct worker {
	/* All that another thread reads meanwhile, besides stats.series. */
	_Alignas(CACHE_LINE) _Atomic uint64_t complete, errors;
	_Atomic uint32_t open; /* connections that stand */
	_Alignas(CACHE_LINE) const struct cell *cell;
	struct shared *shared;
	uint32_t index, count; /* of this thread, of all threads of the cell */
	struct event_base *base;
	struct event timeout; /* when the oldest request under way may have waited too long */
	uint64_t phase_end_ns;
	struct event phase; /* the end of the warm-up, then of the time limit */
	struct event stop;  /* stop_fd, written by worker_stop */
	struct event pace;  /* open loop: pace_fd, a timer at the next departure */
	int stop_fd, pace_fd;
	struct conn *conns;
	struct flight *flights;
	struct trace *traces;
	uint32_t conns_len;
	uint32_t active;        /* connections with requests under way */
	uint64_t under_way;     /* requests */
	uint64_t left;          /* requests not started yet */
	uint64_t quota;         /* requests that count */
	bool warming;           /* nothing counts yet */
	size_t next_request;    /* index in the cell's list */
	int64_t *document_lens; /* this thread's copy of shared->document_lens */
	/* Open loop */
	struct schedule schedule;
	struct conn_list idle;          /* the one used last first */
	uint64_t idle_since_ns;         /* since when there is one */
	double departed;                /* expected arrivals until the last departure */
	const struct addrinfo *address; /* that connections go to; moves on while none was ever reached */
	bool reached;                   /* a connection came about */
	bool answered;                  /* and a whole answer */
	unsigned connect_failures;      /* in a row */
	uint64_t success_ns;            /* the last time that a handshake or an answer was over */
	uint64_t bytes_told;            /* of stats.bytes_received, to the series */
	uint64_t cpu_begin_ns;
	enum cell_end end;
	int error;              /* errno value behind `end` */
	char why[CELL_WHY_MAX]; /* where `error` is EPROTO: what TLS or the proxy said */
	uint64_t dialed;        /* sockets opened: whose turn it is of the local addresses */
	struct stats stats;
	struct sample *samples; /* with -g, else NULL */
	size_t samples_len, samples_room;
	struct response_memo memo;
	struct heartbeat heartbeat;
	struct event beat; /* every HEARTBEAT_NS */
	pthread_t thread;
	char buf[WORKER_READ_MAX];
};

/*
 * worker_init prepares thread INDEX of COUNT with CONNECTIONS connections that perform REQUESTS requests
 * of CELL.  Returns 0 or -errno.  worker_deinit frees everything (also after a failed init).
 */
MUST_CHECK int worker_init(struct worker *worker, const struct cell *cell, struct shared *shared, uint32_t index,
    uint32_t count, uint32_t connections, uint64_t requests);
void worker_deinit(struct worker *worker);

/* worker_run is the thread: passes shared->gate, runs to its end, and says so on finished_fd. ARG: struct worker. */
void *worker_run(void *arg);

/* worker_stop ends the worker from another thread, as CELL_INTERRUPTED. */
void worker_stop(struct worker *worker);

/* For conn.c: */

/*
 * worker_take hands out the next request that is to start by NOW_NS, and fills FLIGHT's request and due time.
 * Returns false when there is none now.
 */
bool worker_take(struct worker *worker, struct flight *flight, uint64_t now_ns);

/* worker_freed: a connection has no request under way any more since NOW_NS; worker_release: and found no other. */
void worker_freed(struct worker *worker, uint64_t now_ns);
void worker_release(struct worker *worker, struct conn *conn, uint64_t now_ns);

/* worker_record counts the end of FLIGHT, with what is known of the response and FAILURE or FAILURE_NONE. */
void worker_record(
    struct worker *worker, struct flight *flight, const struct response_facts *facts, enum failure failure);

/* worker_keep_sample remembers, for -g, a request that ended, or one with its age; instants that never came are 0. */
void worker_keep_sample(struct worker *worker, const struct timing *timing);

/* worker_show lets other threads see the counts; not in the warm-up, of which nothing counts. */
void worker_show(struct worker *worker);

/* worker_opened and worker_closed: one more connection stands, or one less. */
void worker_opened(struct worker *worker);
void worker_closed(struct worker *worker);

/* worker_abort ends the worker for the reason END with the errno value ERROR. */
void worker_abort(struct worker *worker, enum cell_end end, int error);

#endif
