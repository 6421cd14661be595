/* How slow a peer may be: a patience that waiting uses up, and that what it sends or takes gives back. */
#ifndef PREFORK_SERVER_PACE_H
#define PREFORK_SERVER_PACE_H

#include <stdint.h>

/*
 * Of one body, or of one answer.  A peer that keeps to the rate on average may
 * pause for the whole of the patience; one that is slower uses it up, so that
 * nobody holds a worker for ever by a byte now and then (async_server's
 * --min-rate, Apache's mod_reqtimeout and Kestrel's MinDataRate do the same).
 * Only time in which this peer was waited for counts: not what the worker
 * did meanwhile, nor what it waited for in the other direction.
 */
struct pace {
	uint64_t left_ns;  /* how much longer it is waited for */
	uint64_t most_ns;  /* what that grows to at most */
	uint64_t min_rate; /* bytes a second; 0: any */
};

/* pace_begin begins with the whole of PATIENCE_NS, of a peer that is to keep to MIN_RATE bytes a second (0: any). */
void pace_begin(struct pace *pace, uint64_t patience_ns, int64_t min_rate);

/*
 * pace_spend takes off the WAITED_NS that a wait took, and gives back the time
 * that the BYTES which came of it take at the rate; all of it where any rate will do.
 */
void pace_spend(struct pace *pace, uint64_t waited_ns, uint64_t bytes);

#endif
