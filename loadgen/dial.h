/* Opens the sockets of connections. */
#ifndef LOADGEN_DIAL_H
#define LOADGEN_DIAL_H

#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"

struct config;

/*
 * dial_open begins to connect to ADDRESS, without waiting: with CONFIG's
 * socket buffers, and from the local address whose turn it is the TURNth time.  NO_DELAY turns Nagle's algorithm off.
 * Returns the socket or -errno; -EADDRNOTAVAIL: all local ports are taken.
 */
MUST_CHECK int dial_open(const struct config *config, const struct addrinfo *address, uint64_t turn, bool no_delay);

/* dial_check tells how a connect went: 0 when FD is connected, -EINPROGRESS, or the -errno that it failed with. */
MUST_CHECK int dial_check(int fd);

/*
 * dial_advice says what to do about ERROR, an errno value, when this machine lacks something: a piece of a
 * sentence that begins with "; ", or "".
 */
const char *dial_advice(int error);

#endif
