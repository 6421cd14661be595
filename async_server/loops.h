/* The loops of the process: each a thread with its own listening sockets, buffers and counters; they share nothing while they serve. */
#ifndef ASYNC_SERVER_LOOPS_H
#define ASYNC_SERVER_LOOPS_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stddef.h>

#include "async_server/config.h"
#include "async_server/server.h"
#include "common/compiler.h"
#include "common/listener.h"
#include "common/metrics.h"
#include "common/settings.h"

/* One loop; the first runs in the thread that calls loops_run. */
struct loop {
	struct loops *loops;
	struct server *server;
	struct access_log *access_log;
	size_t index;
	pthread_t thread;
	int notice_fd; /* eventfd, under the same number in every thread's table */
	sem_t go;      /* the address is known: open your sockets */
	sem_t ready;   /* they are open, or `status` says that they are not */
	int status;    /* for exit; 0: it can serve */
	char why[512]; /* the message, when not 0 */
	bool open;     /* other threads may speak to the server; under loops->lock */
};

struct loops {
	struct loop *all;
	size_t count;
	const struct config *config;
	struct settings *settings;
	struct metrics *metrics;          /* one for each */
	int shared[SERVER_LISTENERS_MAX]; /* sockets that all loops accept from: inherited ones, or a Unix socket */
	size_t shared_count;
	bool inherited;               /* the sockets in `shared` are: their files are not ours to remove */
	const char *address;          /* what each loop opens, where they share none */
	char name[LISTENER_NAME_MAX]; /* where the first one listens */
	pthread_mutex_t lock;         /* of what follows, and of `open` in each loop */
	struct config next;           /* the latest of loops_configure */
	bool has_next;
	bool stop_asked;
};

/*
 * loops_init makes COUNT loops.  INHERITED are N listening sockets that
 * somebody else opened (common/listen_fds.h); N = 0: --bind is opened.
 * METRICS has a slot for each loop.  All pointers outlive the loops.  Threads that speak to the loops are to begin
 * after this: see server_init.  Returns 0 or -errno.
 */
MUST_CHECK int loops_init(struct loops *loops, const struct config *config, struct settings *settings,
    struct metrics *metrics, const int *inherited, size_t n);

/*
 * loops_open begins the threads, opens the listening sockets and prepares the
 * loops; --bind is opened once for each loop with SO_REUSEPORT, so that the
 * kernel spreads connections over them.  The other threads of the process are to begin
 * before this: see side_thread.h.  Returns 0, or the status to exit with and
 * a sentence in WHY.
 */
MUST_CHECK int loops_open(struct loops *loops, char *why, size_t why_size);

/* loops_run serves until a graceful stop is over in each loop. */
void loops_run(struct loops *loops);

/* loops_stop asks all loops for a graceful stop, from any thread, at any time after loops_init. */
void loops_stop(struct loops *loops);

/* loops_configure has the loops go by CONFIG, from any thread, at any time after loops_init: see server_configure. */
void loops_configure(struct loops *loops, const struct config *config);

/* loops_sum_metrics adds up what all loops have counted (common/admin's callback; CONTEXT is the loops). */
void loops_sum_metrics(const void *context, struct metrics_totals *totals);

/* loops_write_metrics appends what only a loop can tell (common/admin's callback; CONTEXT is the loops). */
size_t loops_write_metrics(const void *context, char *buf, size_t used, size_t size);

/* loops_deinit frees what loops_init made. */
void loops_deinit(struct loops *loops);

#endif
