/* SIGHUP: the configuration is read again, and a full new set of workers begins with it. */
#ifndef PREFORK_SERVER_RELOAD_H
#define PREFORK_SERVER_RELOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/config_file.h"
#include "prefork_server/config.h"
#include "prefork_server/drain.h"
#include "prefork_server/listeners.h"

struct arbiter;

/* A configuration that was read later than at start. */
struct reload_config {
	struct config config;
	struct config_file file;
};

struct reload {
	const struct config *first;  /* the one that the server began with: what needs a restart stays as it is there */
	struct reload_config *owned; /* what arbiter->config points into; NULL: it is the first */
	struct listeners leaving;    /* addresses that --bind names no more: the old workers serve who waits there */
	struct drain drain;          /* of those */
	uint64_t due_ns;             /* and no longer than this */
	bool again;                  /* HUP came meanwhile */
};

/*
 * reload_run does what HUP asks for, as gunicorn does (Arbiter.reload): the
 * configuration file is read again, and the command line over it; logs are
 * opened, which may have other names by now; crew_reload replaces every worker.
 * Old workers end by the configuration that they began with.  What can be
 * wrong is found out before anything changes: a mistake in the file, an
 * address that is taken, a log that cannot be opened are told in the log, and everything
 * stays as it was, but for logs, which are opened again all the same.
 * What changed is named in the log, and so is what needs a restart.
 *
 * Where --bind has changed, new addresses open first.  Those that are left are drained (drain.h),
 * and until then reload_manage keeps the old workers.
 */
void reload_run(struct arbiter *arbiter);

/* reload_manage closes the addresses that were left, once nobody waits there. */
void reload_manage(struct arbiter *arbiter);

/* reload_due_ns returns when reload_manage next has something to do (CLOCK_MONOTONIC), UINT64_MAX: never. */
uint64_t reload_due_ns(const struct arbiter *arbiter);

/* reload_deinit frees what is owned; the configuration with it. */
void reload_deinit(struct arbiter *arbiter);

#endif
