/* A header that has not come whole, put aside so that its thread can serve others meanwhile. */
#ifndef PREFORK_SERVER_EXCHANGE_REST_H
#define PREFORK_SERVER_EXCHANGE_REST_H

#include "common/compiler.h"
#include "prefork_server/exchange.h"

struct exchange_rest;

/*
 * exchange_put_aside takes the begun request off EXCHANGE, which is at
 * EXCHANGE_MORE, and leaves it a new one.  Returns what exchange_take_up wants, or NULL where there is no memory: then
 * nothing has changed.
 */
MUST_CHECK struct exchange_rest *exchange_put_aside(struct exchange *exchange);

/* exchange_take_up puts the request back, right after exchange_attach, and frees REST. */
void exchange_take_up(struct exchange *exchange, struct exchange_rest *rest);

/* exchange_forget frees REST and the request in it. */
void exchange_forget(struct exchange_rest *rest);

#endif
