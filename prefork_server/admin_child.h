/* The process that answers the admin address: a child of the arbiter, so that the arbiter reads no request. */
#ifndef PREFORK_SERVER_ADMIN_CHILD_H
#define PREFORK_SERVER_ADMIN_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/settings.h"
#include "prefork_server/heartbeat.h"
#include "prefork_server/listeners.h"
#include "prefork_server/privileges.h"
#include "prefork_server/scoreboard.h"

struct admin_child {
	int listen_fd;                   /* -1: there is no admin address, and nothing below happens */
	const struct listeners *service; /* the server's own; the child looks at their queues */
	int hold_fd;           /* the child ends when this end of a pipe closes, by the arbiter's will or its death */
	pid_t pid;             /* 0: not running */
	bool resting;          /* another arbiter's child answers */
	uint64_t start_due_ns; /* no fork before */
	const struct privileges *privileges;
	struct settings *settings;
	struct scoreboard *board;
	struct heartbeat *heartbeat; /* in shared memory, once there was a child */
	struct heartbeat_watch watch;
	uint64_t looked_ns;
};

/* A child that was silent for longer is killed, and so replaced: it beats once a second. */
#define ADMIN_CHILD_SILENT_NS 5000000000ULL

/* admin_child_manage starts the child where it should run and does not: once a second at most. It kills one that does not answer. */
void admin_child_manage(struct admin_child *child);

/*
 * admin_child_reaped is told that child PID of the arbiter ended with STATUS of
 * waitpid(2), after crew_reaped.  Where it is a worker, the admin process hears of it by
 * SIGCHLD, and settles the slot.
 */
void admin_child_reaped(struct admin_child *child, pid_t pid, int status);

/* admin_child_forget closes the arbiter's descriptors in another child of its. */
void admin_child_forget(struct admin_child *child);

/* admin_child_rest ends the child and waits for it: another process shall answer. admin_child_resume lets the next manage start it. */
void admin_child_rest(struct admin_child *child);
void admin_child_resume(struct admin_child *child);

/*
 * admin_child_stop ends the child, waits for it, and closes the admin address;
 * SHARED: for this process alone, as somebody else goes on listening.
 */
void admin_child_stop(struct admin_child *child, bool shared);

#endif
