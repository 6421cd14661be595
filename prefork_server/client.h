/* One connection, served by blocking: every read and write has a deadline, and the end loses no answer. */
#ifndef PREFORK_SERVER_CLIENT_H
#define PREFORK_SERVER_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "common/compiler.h"

struct client {
	int fd;              /* non-blocking; client_close closes it */
	uint64_t expires_ns; /* no wait for this peer, nor a stream that it sends, goes beyond it; UINT64_MAX: none */
	uint64_t waited_ns;  /* how long peers have been waited for, all in all */
};

/*
 * client_read takes what has come, at least one byte and at most SIZE, into
 * BUF, and waits for it until DUE_NS (CLOCK_MONOTONIC).  Returns the number of bytes, 0 when the
 * peer has ended its side, -ETIMEDOUT, or -errno.  With CLIENT_NOW it does not wait at all, and returns -EAGAIN.
 */
#define CLIENT_NOW 0
MUST_CHECK ssize_t client_read(struct client *client, char *buf, size_t size, uint64_t due_ns);

/*
 * client_write sends all of PARTS, which it uses up, and waits for room until
 * DUE_NS.  Returns 0, -ETIMEDOUT when the peer does not read, or -errno: -EPIPE, -ECONNRESET.
 */
MUST_CHECK int client_write(struct client *client, struct iovec *parts, int count, uint64_t due_ns);

/*
 * client_write_last is for a process that is about to end: it sends what the
 * kernel takes of PARTS at once, ends our side, and drops what has come.  It
 * neither waits nor looks at signals.  Returns whether all of PARTS was taken.
 */
MUST_CHECK bool client_write_last(struct client *client, struct iovec *parts, int count);

/*
 * client_write_end is client_write for the last bytes of a connection, and ends our
 * side behind them: the end leaves in the same segment as they do, which saves both kernels two segments of ten.
 */
MUST_CHECK int client_write_end(struct client *client, struct iovec *parts, int count, uint64_t due_ns);

/* client_has_unread tells whether the peer sent bytes that nobody has read. */
bool client_has_unread(const struct client *client);

/*
 * client_close ends the connection.  Closing a TCP socket with unread bytes
 * resets it, and the reset can overtake the answer.  Unless LINGER_NS is 0 it therefore
 * ends its own side first, and drops what still comes until the peer has
 * ended its side too, for LINGER_NS and CLIENT_LINGER_MS at most (RFC 9112, 9.6).
 */
#define CLIENT_LINGER_MS 2000
void client_close(struct client *client, uint64_t linger_ns);

/*
 * These two are the parts of a lingering close, for who does not want to wait
 * in it: client_end ends our side, and client_drop drops what has come, until DUE_NS.  Both return whether
 * the peer may send more: then client_drop is to be called again when it has.
 */
bool client_end(struct client *client);
bool client_drop(struct client *client, uint64_t due_ns);

#endif
