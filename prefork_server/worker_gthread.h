/* The gthread worker: several threads, each with a request of its own, and connections that stay open between requests. */
#ifndef PREFORK_SERVER_WORKER_GTHREAD_H
#define PREFORK_SERVER_WORKER_GTHREAD_H

#include "prefork_server/worker.h"

/*
 * gunicorn's ThreadWorker.  Its main thread beats as long as some thread makes
 * progress, so that --timeout ends a worker all of whose threads hang; one thread that
 * hangs is named in the log.  At TERM it accepts no more (all who wait already, where the whole server
 * stops: worker_last_share), connections get one more answer, with `Connection: close`, and
 * those that ask for none are closed after --keep-alive as ever.
 */
extern const struct worker_class worker_gthread;

#endif
