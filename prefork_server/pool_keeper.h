/* What the main thread of a gthread worker does, while the others serve: ends waits that are over, watches the threads. */
#ifndef PREFORK_SERVER_POOL_KEEPER_H
#define PREFORK_SERVER_POOL_KEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"
#include "prefork_server/exchange.h"
#include "prefork_server/pool.h"

struct pool_keeper {
	struct pool *pool;
	struct worker worker; /* as the main thread sees it: with the lane behind those of the threads */
	uint64_t beat_ns;     /* when the worker last showed that it lives */
	struct exchange exchange;
};

/* pool_keeper_init returns 0 or -ENOMEM. pool_keeper_deinit frees what it has. */
MUST_CHECK int pool_keeper_init(struct pool_keeper *keeper, struct pool *pool);
void pool_keeper_deinit(struct pool_keeper *keeper);

/*
 * pool_keeper_expire ends the connections whose wait was over at NOW_NS
 * (UINT64_MAX: every one that waits): quiet ones are closed, a header that did not come
 * is answered 408.  Where bytes have come that no thread has had the time for, the wait goes on.
 */
void pool_keeper_expire(struct pool_keeper *keeper, uint64_t now_ns);

/*
 * pool_keeper_watch beats, unless all threads are busy with what they were busy with
 * at the last beat: then the worker is silent, and after --timeout the arbiter ends
 * it.  A request that takes longer than --timeout is named in the log, once.
 */
void pool_keeper_watch(struct pool_keeper *keeper, uint64_t now_ns);

#endif
