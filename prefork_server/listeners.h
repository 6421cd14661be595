/* The sockets that the server listens on: opened by the arbiter, shared by its workers. */
#ifndef PREFORK_SERVER_LISTENERS_H
#define PREFORK_SERVER_LISTENERS_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/compiler.h"
#include "common/listener.h"
#include "prefork_server/config.h"

/* Room for the names of all of them. */
#define LISTENERS_NAMES_MAX (CONFIG_BINDS_MAX * (LISTENER_NAME_MAX + 1))

struct listeners {
	size_t count; /* at least 1 while open */
	int fds[CONFIG_BINDS_MAX];
	char addresses[CONFIG_BINDS_MAX]
		      [CONFIG_ADDRESS_MAX]; /* what --bind calls them; "": unknown, they were inherited */
	bool managed;                       /* they are the service manager's, which goes on listening */
	bool files_removed;                 /* those of Unix sockets */
};

/*
 * listeners_open opens every address of --bind.  Returns 0, or the exit status
 * with a sentence in ERROR, and then none is open.
 */
MUST_CHECK int listeners_open(struct listeners *listeners, const struct config *config, char *error, size_t error_size);

/*
 * listeners_change makes NEXT what CONFIG asks for: it keeps the sockets of NOW
 * whose address is named still, opens the others, and puts those of NOW that
 * are named no more into LEAVING.  Returns 0; or the exit status, as above, and then all is as it was.
 */
MUST_CHECK int listeners_change(const struct listeners *now, const struct config *config, struct listeners *next,
    struct listeners *leaving, char *error, size_t error_size);

/* listeners_set_backlog makes CONFIG's hold for sockets that listen already. */
void listeners_set_backlog(const struct listeners *listeners, const struct config *config);

/*
 * listeners_close ends listening, also for the workers that have the sockets open
 * still: whoever comes from now on is refused, and the addresses are free.  It
 * removes the files of Unix sockets.  For the arbiter alone.
 */
void listeners_close(struct listeners *listeners);

/* listeners_leave closes them for the calling process alone: whoever else has them open goes on. */
void listeners_leave(struct listeners *listeners);

/* listeners_remove_files removes the files of Unix sockets, once. */
void listeners_remove_files(struct listeners *listeners);

/* listeners_names writes where they listen, separated by commas, as gunicorn logs it. Returns BUF. */
const char *listeners_names(const struct listeners *listeners, char *buf, size_t size);

/*
 * listeners_poll waits for WAIT_MS until somebody waits to be accepted, and fills POLLERS, one for
 * each socket.  Returns at how many, 0 when time is up or a signal came, or -errno.
 */
MUST_CHECK int listeners_poll(const struct listeners *listeners, struct pollfd pollers[CONFIG_BINDS_MAX], int wait_ms);

/* listeners_are_waited_at tells whether somebody waits to be accepted at any of them. */
bool listeners_are_waited_at(const struct listeners *listeners);

#endif
