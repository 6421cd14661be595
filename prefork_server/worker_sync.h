/* The sync worker: accepts one connection, serves it to its end, and only then looks for the next. */
#ifndef PREFORK_SERVER_WORKER_SYNC_H
#define PREFORK_SERVER_WORKER_SYNC_H

#include "prefork_server/worker.h"

/*
 * gunicorn's SyncWorker: beats before each request and no more, so that
 * --timeout is the longest that a request may take.
 */
extern const struct worker_class worker_sync;

#endif
