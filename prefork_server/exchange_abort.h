/* The last words about a request whose worker ends in the middle of it. */
#ifndef PREFORK_SERVER_EXCHANGE_ABORT_H
#define PREFORK_SERVER_EXCHANGE_ABORT_H

#include "prefork_server/exchange.h"

/*
 * exchange_abort is for a worker that gets ABRT, which the arbiter sends when
 * --timeout is over, and that ends behind it: the log names what EXCHANGE was
 * busy with, if anything.  Where its handler was at work, so that nothing of an answer had left,
 * the client gets 504, as far as it takes that at once: nothing here waits.
 * For the thread that serves, where signals.h lets quit act: in a wait of that thread, or between two.
 */
void exchange_abort(struct exchange *exchange);

#endif
