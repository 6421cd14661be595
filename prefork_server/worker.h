/* A worker process: what every class of worker has, whatever way it serves. */
#ifndef PREFORK_SERVER_WORKER_H
#define PREFORK_SERVER_WORKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/access_log.h"
#include "common/compiler.h"
#include "common/metrics.h"
#include "common/settings.h"
#include "prefork_server/config.h"
#include "prefork_server/duty.h"
#include "prefork_server/heartbeat.h"
#include "prefork_server/lane.h"
#include "prefork_server/listeners.h"
#include "prefork_server/scoreboard.h"

/* What a worker works with; made by the arbiter before fork, so that nothing of it can fail after. */
struct worker {
	const struct config *config;
	struct settings *settings;
	struct access_log *access_log; /* this process's own writer; NULL: off */
	struct http_limits limits;     /* the configuration's, with the fields that the access log needs */
	const struct listeners *listeners;
	struct duty *duty; /* whose turn it is to accept: for sync; NULL where nobody serves */
	const struct scoreboard_notice *notice;
	struct heartbeat *heartbeat; /* of its slot */
	struct lane *lanes;          /* of its slot: one a thread, and one for a main thread that serves nobody */
	struct lane *lane;       /* of the thread whose copy of this it is; the first one's, until there are others */
	struct metrics *metrics; /* the same: that lane's */
	pid_t arbiter;           /* whose child it was born as */
	_Atomic int *retiring;   /* of its slot: worker_count_request */
	uint64_t requests_max;   /* --max-requests and this worker's own jitter; 0: any number */
};

/* One way to serve.  A new class is a new file with one of these, and a name below. */
struct worker_class {
	const char *name;
	/*
	 * Makes the listening sockets as the class wants them; in the arbiter,
	 * before any worker.  Returns 0 or -errno.
	 */
	int (*prepare)(const struct listeners *listeners, const struct config *config);
	/*
	 * Logs what is allowed but cannot be meant (gunicorn: check_config); in
	 * the arbiter, at the start and at a reload.  NULL: nothing.
	 */
	void (*check)(const struct config *config);
	/*
	 * Serves, and beats at least every worker_beat_ms, until
	 * worker_is_alive is false.  Returns 0, or -errno where it could not
	 * begin: then nobody else could, and the arbiter gives up, unless it is for a want that
	 * may pass (ENFILE, ENOMEM, ENOBUFS, ENOSPC).
	 */
	int (*run)(struct worker *worker);
	/*
	 * Is called when the worker got SIGNAL, INT, QUIT or ABRT, and is about to end: at
	 * ABRT the log is to name what it was busy with.  In a wait or between two (signals.h); it
	 * may call anything, but neither look at signals nor wait for longer than a moment.
	 */
	void (*quit)(int signal);
};

/* The names of worker_classes[], in its order. */
#define WORKER_CLASS_CHOICES "sync|gthread"
extern const struct worker_class *const worker_classes[];

/* worker_class_find returns the place of the class NAME in worker_classes, or -1. */
int worker_class_find(const char *name);

/* Exit status of a worker that could not begin: it ends the arbiter too, with the same status, as in gunicorn. */
#define WORKER_BOOT_ERROR 3

/* The same for one whose handler, in gunicorn's words the application, could not be prepared. */
#define WORKER_APP_LOAD_ERROR 4

/* worker_main is the life of the calling process, freshly forked with all signals blocked. */
_Noreturn void worker_main(struct worker *worker, const struct worker_class *class);

/* worker_is_alive is asked between requests: false once TERM has come. It costs no system call until then. */
bool worker_is_alive(struct worker *worker);

/*
 * worker_count_request counts a request whose header is complete, by any
 * thread, before its answer begins.  With the last one that --max-requests allows the worker retires: it tells
 * the arbiter, which starts its successor at once, and sends itself TERM, so
 * that it ends as it would at any other TERM.  Returns whether the connection may be kept: false from that request on.
 */
bool worker_count_request(struct worker *worker);

/*
 * worker_has_parent is asked whenever a worker wakes with nothing to do: false, with
 * a line in the log, when the arbiter is gone.  (PR_SET_PDEATHSIG tells a busy worker.)
 */
bool worker_has_parent(struct worker *worker);

/* worker_beat_ms: how long a worker may wait for work before it beats again (gunicorn: timeout / 2), 1 s at most. */
int worker_beat_ms(const struct config *config);

/*
 * worker_last_share: when the whole server stops, how many of the connections
 * that wait to be accepted at LISTEN_FD this worker should still serve, so that
 * together they serve all; 0 while other workers stay.  Accepting no longer blocks then.
 */
unsigned worker_last_share(const struct worker *worker, int listen_fd);

#endif
