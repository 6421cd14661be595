/* Local addresses that connections are spread over: each has ports of its own. */
#ifndef LOADGEN_SOURCE_H
#define LOADGEN_SOURCE_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/compiler.h"

#define SOURCE_MAX 65536 /* addresses of a range */

union source_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct source {
	union source_address first; /* port 0 */
	uint32_t count;             /* addresses from there on; 0: none, the kernel chooses */
};

/*
 * source_parse reads TEXT: an address ("127.0.0.2", "::1") or a range of them
 * ("127.0.0.2-127.0.0.9").  Returns 0, or -EINVAL with a sentence in ERROR that says what to do.
 */
MUST_CHECK int source_parse(struct source *source, const char *text, char *error, size_t error_size);

/*
 * source_check binds a socket to each address, once.  Returns 0, or -errno
 * with a sentence in ERROR that names the first address that this machine does not have, and how it comes to it.
 */
MUST_CHECK int source_check(const struct source *source, char *error, size_t error_size);

/* source_at writes the address whose turn it is the TURNth time to ADDRESS and returns its length. */
socklen_t source_at(const struct source *source, uint64_t turn, union source_address *address);

/*
 * source_bind binds FD to that address, without a port: the kernel
 * chooses one when the socket connects (IP_BIND_ADDRESS_NO_PORT, Linux 4.2), which may then serve
 * several destinations at once.  Returns 0 or -errno; -EADDRNOTAVAIL: not an address of this machine.
 */
MUST_CHECK int source_bind(const struct source *source, uint64_t turn, int fd);

#endif
