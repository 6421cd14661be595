/* What the parts of a thread of load (worker.c, worker_setup.c) call of each other. */
#ifndef LOADGEN_WORKER_PARTS_H
#define LOADGEN_WORKER_PARTS_H

#include <event2/util.h>

#include "loadgen/worker.h"

/* Events of the thread's own; ARG: struct worker. */
void worker_on_timeout(evutil_socket_t fd, short what, void *arg); /* the oldest request may have waited too long */
void worker_on_phase(evutil_socket_t fd, short what, void *arg);   /* the end of the warm-up, or of the time */
void worker_on_beat(evutil_socket_t fd, short what, void *arg);    /* it is time to note that the thread runs */
void worker_on_stop(evutil_socket_t fd, short what, void *arg);    /* another thread wants it to end */

#endif
