/* A thread that waits for signals, so that they are obeyed at once, even while the loop is blocked. */
#ifndef ASYNC_SERVER_CONTROL_H
#define ASYNC_SERVER_CONTROL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "common/compiler.h"
#include "common/settings.h"

/* What signals ask for; called in the control thread. */
struct control_actions {
	void (*stop)(void *context);   /* asks for a graceful stop */
	void (*reload)(void *context); /* reads the configuration again; NULL: HUP is as TERM */
	void *context;
};

struct control {
	pthread_t thread;
	struct settings *settings;
	struct control_actions actions;
	bool stopping;
	atomic_bool ended;
};

/*
 * control_block_signals keeps the signals of this file from every thread
 * begun later, and ignores SIGPIPE, SIGXFSZ and SIGCHLD.  Call it first: a
 * signal that comes before control_start waits for it.
 */
void control_block_signals(void);

/*
 * control_start begins the thread:
 *
 *   USR1        settings_toggle_blocking, and a line in the log with the new mode
 *   INT, TERM   the first calls ACTIONS.stop; the second ends the process at once, with exit status 1
 *   HUP         ACTIONS.reload; where there is none, the first of these signals calls ACTIONS.stop
 *
 * Returns 0 or -errno.
 */
MUST_CHECK int control_start(struct control *control, struct settings *settings, struct control_actions actions);

/* control_end ends the thread; signals that come afterwards wait for ever. */
void control_end(struct control *control);

#endif
