/* The arbiter: opens what is shared, keeps the workers going, obeys signals, and reads nothing that a client sent. */
#ifndef PREFORK_SERVER_ARBITER_H
#define PREFORK_SERVER_ARBITER_H

#include <limits.h>

#include "common/access_log.h"
#include "common/compiler.h"
#include "common/settings.h"
#include "prefork_server/admin_child.h"
#include "prefork_server/config.h"
#include "prefork_server/crew.h"
#include "prefork_server/privileges.h"
#include "prefork_server/reload.h"
#include "prefork_server/scoreboard.h"
#include "prefork_server/upgrade.h"

/* What the log calls an arbiter, and one whose parent is another one that lives still. */
#define ARBITER_NAME "Master"
#define ARBITER_SECOND_NAME "Master.2"

/* What is appended to the name of the second one's pid file. */
#define ARBITER_SECOND_SUFFIX ".2"

struct arbiter {
	const struct config *config;
	struct listeners listeners;
	struct privileges privileges;
	struct upgrade upgrade;
	struct reload reload;
	const char *name;              /* what the log calls the arbiter */
	char pid_file[PATH_MAX];       /* written by us; "": none */
	struct access_log *access_log; /* the workers inherit it; the arbiter writes nothing to it */
	struct settings *settings;
	struct scoreboard board;
	struct duty duty;
	struct crew crew;
	struct admin_child admin;
};

/* arbiter_take_signals begins to keep the signals that arbiter_run obeys. */
void arbiter_take_signals(void);

/* arbiter_reopen_logs does what USR1 and HUP ask of this process, and says what failed. */
void arbiter_reopen_logs(struct arbiter *arbiter);

/* arbiter_run serves until a signal ends it. Returns the exit status: 0, or that of a worker that could not begin. */
MUST_CHECK int arbiter_run(struct arbiter *arbiter);

#endif
