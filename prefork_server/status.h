/* What the server does now, put together from the scoreboard and the kernel: for the admin process. */
#ifndef PREFORK_SERVER_STATUS_H
#define PREFORK_SERVER_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "prefork_server/lane.h"
#include "prefork_server/listeners.h"
#include "prefork_server/scoreboard.h"

/* What is looked at. Everything outlives it. */
struct status {
	const struct scoreboard *board;
	const struct listeners *listeners;
	pid_t arbiter; /* whose children the workers are */
};

/* A worker. What comes from the arbiter and the kernel is so; what comes from the worker's lanes, it claims. */
struct status_worker {
	/* From the arbiter. */
	pid_t pid; /* 0: it is being born */
	unsigned generation;
	bool ending; /* it was told to end, or is retiring */
	uint64_t age_ns;

	/* From the kernel; all 0 where it is not `there`: dead, and the arbiter has not noticed yet. */
	bool there;
	uint64_t cpu_ns, rss_kib;

	/* From its lanes. */
	unsigned threads; /* that serve */
	unsigned busy;    /* of these, those that have a connection to deal with */
	uint64_t requests, connections;
	struct lane_view lane; /* of the thread with the oldest request, else of a busy one, else of any */
};

/* status_worker looks at the worker in SLOT at NOW_NS. Returns false where there is none. */
bool status_worker(const struct status *status, size_t slot, uint64_t now_ns, struct status_worker *worker);

/* status_worker_state names what it does: a state of its lane, or "starting", or "gone". */
const char *status_worker_state(const struct status_worker *worker);

/* status_lane_state names STATE, or "unknown". */
const char *status_lane_state(enum lane_state state);

/* All workers together. */
struct status_crew {
	uint64_t workers_idle, workers_busy, threads_idle, threads_busy;
	uint64_t rss_kib;
	uint64_t request_ns; /* age of the oldest request under way; 0: none is */
};

void status_crew(const struct status *status, uint64_t now_ns, struct status_crew *crew);

/* A socket that the server listens on. */
struct status_listener {
	char name[LISTENER_NAME_MAX];
	bool has_queue;            /* the kernel tells of TCP alone */
	unsigned waiting, at_most; /* connections that wait to be accepted, and how many can */
};

void status_listener(const struct status *status, size_t index, struct status_listener *listener);

/* status_reason names why a worker was replaced. */
const char *status_reason(enum scoreboard_reason reason);

#endif
