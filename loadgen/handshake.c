/* What comes before the first request over TLS: TCP, a proxy's tunnel, the handshake of TLS. */
#include "loadgen/handshake.h"

#include <errno.h>
#include <stdio.h>

#include "loadgen/dial.h"
#include "loadgen/tls.h"
#include "loadgen/tunnel.h"
#include "loadgen/worker.h"

/* await_tcp goes on with the handshake of TCP, and begins to ask for a tunnel where there must be one. */
static int
await_tcp(struct conn *conn)
{
	const char *request = conn->worker->cell->target->tunnel;
	int result = dial_check(conn->fd);

	if (result != 0)
		return result == -EINPROGRESS ? -EAGAIN : result;
	if (request != NULL) {
		conn->tunnel = tunnel_open(conn->fd, request);
		if (conn->tunnel == NULL)
			return -ENOMEM;
		conn->state = CONN_TUNNELING;
	}
	return 0;
}

/* await_tunnel goes on to ask the proxy for a tunnel. */
static int
await_tunnel(struct conn *conn)
{
	int result = tunnel_go_on(conn->tunnel);

	if (result == 0) {
		tunnel_close(conn->tunnel);
		conn->tunnel = NULL;
	} else if (result == -EPROTO) {
		snprintf(conn->worker->why, sizeof(conn->worker->why), "%s", tunnel_why());
	}
	return result;
}

int
handshake_connect(struct conn *conn)
{
	int result = 0;

	if (conn->state == CONN_CONNECTING)
		result = await_tcp(conn);
	if (result == 0 && conn->state == CONN_TUNNELING)
		result = await_tunnel(conn);
	return result;
}

int
handshake_secure(struct conn *conn)
{
	struct worker *worker = conn->worker;
	int result;

	if (conn->tls == NULL) {
		conn->tls = tls_open(worker->shared->tls, conn->fd, worker->cell->target->server_name);
		if (conn->tls == NULL)
			return -ENOMEM;
	}
	result = tls_handshake(conn->tls);
	if (result == 0 && worker->stats.tls_facts.protocol[0] == '\0')
		tls_describe(conn->tls, &worker->stats.tls_facts);
	else if (result == -EPROTO)
		snprintf(worker->why, sizeof(worker->why), "%s", tls_why());
	return result;
}
