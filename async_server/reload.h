/* SIGHUP: the configuration file is read again, and what can change without a restart changes. */
#ifndef ASYNC_SERVER_RELOAD_H
#define ASYNC_SERVER_RELOAD_H

#include <stdbool.h>

#include "async_server/config.h"
#include "async_server/loops.h"
#include "common/settings.h"

/* All pointers outlive it. */
struct reload {
	struct config config; /* what the server goes by now */
	int argc;
	char **argv;
	struct settings *settings;
	struct loops *loops;
};

/* reload_is_wanted tells whether there is anything to read or open again: a file of options, or a log that is a file. */
bool reload_is_wanted(const struct config *config);

/*
 * reload_run opens the logs again and reads the configuration file and the
 * command line again.  A file with a mistake in it changes nothing.  Of what differs
 * from before, time limits, rates, --max-connections and --log-level hold from
 * now on (a limit that runs already goes on as it began); sleep, cpu, mode and blocking-share
 * become the live settings, whatever was put there meanwhile; each of the
 * others is named in the log as in need of a restart.  In one thread at a time.
 */
void reload_run(struct reload *reload);

#endif
