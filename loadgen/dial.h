/* Opens the sockets of connections. */
#ifndef LOADGEN_DIAL_H
#define LOADGEN_DIAL_H

#include <netdb.h>
#include <stdbool.h>

#include "common/compiler.h"

struct config;

/*
 * dial_open begins to connect to ADDRESS, without waiting; NO_DELAY turns Nagle's algorithm off.  Returns
 * the socket or -errno.
 */
MUST_CHECK int dial_open(const struct config *config, const struct addrinfo *address, bool no_delay);

/* dial_check tells how a connect went: 0 when FD is connected, -EINPROGRESS, or the -errno that it failed with. */
MUST_CHECK int dial_check(int fd);

#endif
