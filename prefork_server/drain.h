/* The door is closed, the queue is served: how a listening socket ends without a reset for anybody. */
#ifndef PREFORK_SERVER_DRAIN_H
#define PREFORK_SERVER_DRAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"
#include "prefork_server/listeners.h"

/*
 * The kernel completes handshakes by itself: a client may have sent its request
 * long before a worker accepts the connection, and closing the socket resets
 * it.  So new connections are held back first, those that wait already are
 * served by the workers as ever, and the socket closes when none waits.
 *
 * TCP: a socket filter drops every SYN.  The client's kernel sends it again
 * after 1 s and then meets the next server on the port, or a refusal.  The rest of a handshake that
 * was under way passes.  Accepted connections inherit the filter, which is
 * nothing to them: a SYN means nothing on an established connection.
 * Unix: the socket's file is removed; whoever comes is refused at once.
 */

/* How often the queue is looked at, and how long it must have been empty: handshakes that are under way end meanwhile. */
#define DRAIN_LOOK_NS (10 * 1000000ULL)
#define DRAIN_EMPTY_NS (100 * 1000000ULL)

struct drain {
	struct listeners *listeners;
	uint64_t look_ns;  /* when to look next (CLOCK_MONOTONIC) */
	uint64_t empty_ns; /* nobody has waited at any look since; 0: somebody did at the last */
};

/*
 * drain_begin holds new connections to all of LISTENERS back.  Returns 0, or -errno
 * where the kernel refuses the filter: then TCP connections still come in.
 */
MUST_CHECK int drain_begin(struct drain *drain, struct listeners *listeners);

/* drain_is_over looks, where it is time to, and tells whether the sockets can close. */
bool drain_is_over(struct drain *drain);

#endif
