/* A URL -> host, port, path, and the addresses to connect to, resolved once before the run. */
#ifndef LOADGEN_TARGET_H
#define LOADGEN_TARGET_H

#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"

struct target {
	char *url;     /* as it is shown: scheme and path filled in, without a fragment */
	char *host;    /* without brackets; "localhost" for a Unix socket */
	char *field;   /* the Host field: brackets around IPv6, the port unless it is the scheme's */
	char *path;    /* path and query, starts with "/" */
	uint16_t port; /* 0 for a Unix socket */
	bool tls;      /* https */
	char *socket;  /* path of a Unix socket; NULL: TCP */
	char *proxy;   /* host of the proxy, without brackets; NULL: none */
	uint16_t proxy_port;
	char *tunnel;               /* what asks the proxy for a tunnel (tunnel.h); NULL: none is needed */
	char *server_name;          /* for SNI; NULL: not https */
	struct addrinfo *addresses; /* after target_resolve: of the server, or of the proxy */
};

/*
 * target_parse reads TEXT, a URL whose scheme (http), port (80; https: 443) and path ("/") may be left out:
 * "http://127.0.0.1:8088/", "localhost:8088", "https://[::1]:8443/x?y=1".  A
 * server on a Unix socket is "unix:/path/of.sock:/x?y=1"; its path holds no colon.  A fragment
 * is dropped: it is never sent.  Returns 0, -ENOMEM, or -EINVAL for what is
 * not such a URL, with a sentence in ERROR that says what to do.
 */
MUST_CHECK int target_parse(struct target *target, const char *text, char *error, size_t error_size);

/*
 * target_set_proxy makes TARGET one that is reached through the proxy
 * TEXT, "host[:port]" (80).  To be called before target_resolve.
 * Returns 0, -ENOMEM, or -EINVAL with a sentence in ERROR that says what to do.
 */
MUST_CHECK int target_set_proxy(struct target *target, const char *text, char *error, size_t error_size);

/*
 * target_resolve looks the host up, or the proxy; FAMILY, AF_INET or
 * AF_INET6, leaves the addresses of the other out, AF_UNSPEC none.  Returns 0, or -1 with the resolver's sentence in
 * ERROR.
 */
MUST_CHECK int target_resolve(struct target *target, int family, char *error, size_t error_size);

void target_deinit(struct target *target);

#endif
