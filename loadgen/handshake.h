/* What comes before the first request over TLS: TCP, a proxy's tunnel, the handshake of TLS. */
#ifndef LOADGEN_HANDSHAKE_H
#define LOADGEN_HANDSHAKE_H

#include "common/compiler.h"
#include "loadgen/conn.h"

/*
 * handshake_connect goes on until bytes reach the server: CONN_CONNECTING,
 * CONN_TUNNELING where there is a proxy.  handshake_secure then goes on with TLS, and
 * notes what was agreed on for the first time.  Both return 0 when they are
 * done, -EAGAIN when they wait for the socket (either direction), or what ended it as -errno;
 * -EPROTO has its reason in the worker's `why`.
 */
MUST_CHECK int handshake_connect(struct conn *conn);
MUST_CHECK int handshake_secure(struct conn *conn);

#endif
