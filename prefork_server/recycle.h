/* Workers that end while nothing is wrong with them: --max-requests and --max-rss. */
#ifndef PREFORK_SERVER_RECYCLE_H
#define PREFORK_SERVER_RECYCLE_H

#include <stdint.h>

#include "prefork_server/crew.h"

/* A worker that outgrows --max-rss sooner after its birth shows that the limit is too low. */
#define RECYCLE_EARLY_NS 10000000000ULL

/* How long the arbiter then waits before it recycles by size again: it doubles, up to this. */
#define RECYCLE_WAIT_MAX_NS 60000000000ULL

/*
 * recycle_retiring makes room for the successors of workers that retire by
 * themselves (worker_count_request).  The arbiter believes them no more than it does a worker that
 * ends: all that a worker can win is a successor.
 */
void recycle_retiring(struct crew *crew);

/* recycle_is_retiring tells whether MEMBER has said that it retires, and may: then its end is no death. */
bool recycle_is_retiring(const struct crew *crew, const struct crew_member *member);

/* recycle_large sends TERM to every worker larger than --max-rss, whose successor crew_manage then starts. */
void recycle_large(struct crew *crew);

#endif
