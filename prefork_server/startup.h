/* Start and end of the server: what is opened before the first worker, in which order, and closed after the last. */
#ifndef PREFORK_SERVER_STARTUP_H
#define PREFORK_SERVER_STARTUP_H

#include "common/compiler.h"
#include "prefork_server/arbiter.h"
#include "prefork_server/config.h"

/*
 * startup_open opens logs, listening sockets, shared memory and the pid file
 * as CONFIG says, and takes the signals.  CONFIG must outlive ARBITER, which owns what is in UPGRADE from now on.
 * Returns 0, or the exit status after one line on standard error; then nothing is left open.
 */
MUST_CHECK int startup_open(struct arbiter *arbiter, const struct config *config, const struct upgrade *upgrade);

/*
 * The parts of it that a reload does again.  startup_equip prepares what
 * workers are born with, by arbiter->config; it returns 0 or -errno.
 * startup_access_log opens CONFIG's access log; it returns as access_log_new does.
 * startup_settings makes the page of what a handler does; NULL: see errno.
 * startup_pid_file_again writes the pid file, which may have another name.
 */
MUST_CHECK int startup_equip(struct arbiter *arbiter);
MUST_CHECK int startup_access_log(struct access_log **log, const struct config *config);
struct settings *startup_settings(const struct config *config);
void startup_pid_file_again(struct arbiter *arbiter);

/* startup_give_logs lets workers open the logs again, whoever they run as. */
void startup_give_logs(const struct arbiter *arbiter);

/* startup_give_sockets gives them the files of Unix sockets. */
void startup_give_sockets(const struct arbiter *arbiter);

void startup_close(struct arbiter *arbiter);

#endif
