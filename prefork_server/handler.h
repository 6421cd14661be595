/* What a handler does: it computes, and then it sleeps, in the thread that called it. */
#ifndef PREFORK_SERVER_HANDLER_H
#define PREFORK_SERVER_HANDLER_H

#include <stdbool.h>

#include "common/compiler.h"
#include "common/settings.h"
#include "prefork_server/worker.h"

/*
 * handler_work computes and sleeps as WAIT says; signals act meanwhile, as in
 * any wait (signals.h).  Returns true when all of it is done: what fits
 * into --handler-timeout is never cut short.  False, and counted, once that is over: the
 * rest is left undone (a computation looks about every millisecond).
 */
MUST_CHECK bool handler_work(struct worker *worker, const struct settings_values *wait);

#endif
