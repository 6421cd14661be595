/* What a handler does: it computes, and then it sleeps, in the thread that called it. */
#ifndef PREFORK_SERVER_HANDLER_H
#define PREFORK_SERVER_HANDLER_H

#include "common/settings.h"
#include "prefork_server/worker.h"

/* handler_work computes and sleeps as WAIT says; signals act meanwhile, as in any wait (signals.h). */
void handler_work(struct worker *worker, const struct settings_values *wait);

#endif
