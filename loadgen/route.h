/* How a target is reached: through a proxy, from which addresses, by which name. */
#ifndef LOADGEN_ROUTE_H
#define LOADGEN_ROUTE_H

#include <stddef.h>

#include "common/compiler.h"
#include "loadgen/config.h"
#include "loadgen/target.h"

/*
 * route_choose sets in TARGET, which is parsed and not resolved yet, what CONFIG says
 * about the way to it: the proxy, the tunnel for https through it, and the name that SNI
 * tells the server: that of a -H Host field, as in ab, or else the URL's.
 * Returns 0, -ENOMEM, or -EINVAL with a sentence in ERROR that names the option and says what to do.
 */
MUST_CHECK int route_choose(struct target *target, const struct config *config, char *error, size_t error_size);

/*
 * route_resolve looks up where to connect: the target or its proxy.
 * Returns 0, or -1 with a sentence in ERROR.
 */
MUST_CHECK int route_resolve(struct target *target, const struct config *config, char *error, size_t error_size);

#endif
