/* A tunnel through an HTTP proxy: CONNECT, and the proxy's answer (RFC 9110, 9.3.6). */
#ifndef LOADGEN_TUNNEL_H
#define LOADGEN_TUNNEL_H

#include "common/compiler.h"
#include "loadgen/target.h"

struct tunnel; /* of one connection, while it comes about */

/*
 * tunnel_request writes what asks the proxy for a tunnel to TARGET;
 * CREDENTIALS, user:password for the proxy, may be NULL.  Returns NULL when out of memory; the caller frees it.
 */
char *tunnel_request(const struct target *target, const char *credentials);

/*
 * tunnel_open prepares to ask with REQUEST, which must outlive it, on
 * the connected, non-blocking socket FD.  Returns NULL when out of memory.  tunnel_close frees; FD stays open.  NULL
 * does nothing.
 */
struct tunnel *tunnel_open(int fd, const char *request);
void tunnel_close(struct tunnel *tunnel);

/*
 * tunnel_go_on asks, and reads the answer.  Returns 0 when the tunnel stands:
 * the next byte is the server's; -EAGAIN when it waits for the socket (either direction), -EPROTO when the proxy
 * refuses or what it says makes no sense (see tunnel_why), or the socket's -errno; a close is -ECONNRESET.
 */
MUST_CHECK int tunnel_go_on(struct tunnel *tunnel);

/* tunnel_why says what this thread's last -EPROTO was; the text is valid until its next one. */
const char *tunnel_why(void);

#endif
