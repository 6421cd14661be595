/* Whether a worker of several threads accepts: its listening sockets in and out of its epoll set. */
#ifndef PREFORK_SERVER_GATE_H
#define PREFORK_SERVER_GATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"
#include "prefork_server/listeners.h"

/*
 * The sockets stand in the set level-triggered, so that a thread accepts one
 * connection and no other thread misses the next, and with EPOLLEXCLUSIVE, so
 * that a connection wakes one of many workers: one with a free thread, as only
 * those wait.  The kernel wakes the worker first that was added first.  So who has accepted moves
 * to the end of that queue, and the load spreads.  All of this is under a lock,
 * which no request takes on a connection that is open.
 */

/* What keeps it closed; open while there is nothing. */
enum gate_bar {
	GATE_FULL = 1,   /* every slot for a connection is taken */
	GATE_PAUSED = 2, /* accept ran out of a resource */
	GATE_ENDED = 4,  /* the worker ends, or the sockets have */
};

struct gate {
	int epoll_fd;
	const struct listeners *listeners;
	uint64_t first_key; /* of the events of the first socket; the next has the next one */
	pthread_mutex_t lock;
	unsigned bars; /* enum gate_bar, together */
	bool open;     /* the sockets are in the set */
};

/*
 * gate_init makes a gate for LISTENERS in EPOLL_FD, which is not open yet; gate_open opens it.
 * Both return 0 or -errno.  gate_deinit is for when nobody uses it any more.
 */
MUST_CHECK int gate_init(struct gate *gate, int epoll_fd, const struct listeners *listeners, uint64_t first_key);
MUST_CHECK int gate_open(struct gate *gate);
void gate_deinit(struct gate *gate);

/* gate_shut closes it for that reason, gate_lift ends the reason.  Both return whether this changed anything. */
bool gate_shut(struct gate *gate, enum gate_bar bar);
bool gate_lift(struct gate *gate, enum gate_bar bar);

/* gate_check bars or lifts GATE_FULL by what IS_FULL says of CONTEXT under the lock: the last one to ask is right. */
void gate_check(struct gate *gate, bool (*is_full)(const void *context), const void *context);

/* gate_go_last lets other workers be woken before this one. */
void gate_go_last(struct gate *gate);

#endif
