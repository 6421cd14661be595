/* Is the server ready? One connection, or one request, asked again until it answers. */
#ifndef EXPERIMENTS_READY_H
#define EXPERIMENTS_READY_H

#include <netinet/in.h>
#include <stdint.h>

#include "common/compiler.h"
#include "experiments/definition.h"

#define READY_ERROR_MAX 256

enum ready_state {
	READY_WAITING, /* nobody listens yet: asks again at next_ns */
	READY_CONNECTING,
	READY_READING, /* the request is sent; the server closes after its answer */
	READY_YES,
	READY_FAILED,
};

/*
 * A probe never has more than one connection, and is ready only when the
 * server has closed it: so a server with one worker is not still busy with a probe
 * when the load begins.
 */
struct ready {
	enum ready_state state;
	int fd; /* -1: none */
	struct sockaddr_in address;
	const struct server *server; /* whose ready_path and ready_status are used */
	uint64_t next_ns;
	char head[64]; /* of the answer */
	size_t head_len;
};

/*
 * ready_init starts a probe of SERVER at HOST (an IPv4 address) and PORT. Returns 0, or -EINVAL
 * for a host that is none.
 */
MUST_CHECK int ready_init(struct ready *ready, const struct server *server, const char *host, int port);

/*
 * ready_step goes on as far as it can without waiting, and returns the new
 * state.  Call it when ready->fd has events (ready_events), or next_ns has come.  READY_FAILED comes with a
 * sentence in ERROR: the server answered, but not what it should.
 */
enum ready_state ready_step(struct ready *ready, char *error);

/* ready_events returns what to poll ready->fd for. */
short ready_events(const struct ready *ready);

void ready_deinit(struct ready *ready);

#endif
