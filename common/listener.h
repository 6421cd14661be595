/* Addresses and listening sockets, opened the same way for both servers. */
#ifndef COMMON_LISTENER_H
#define COMMON_LISTENER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/compiler.h"

/* Room for any address as listener_name writes it: a Unix path is the longest. */
#define LISTENER_NAME_MAX 160

/*
 * listener_open binds ADDRESS and listens with BACKLOG (1 to 65535 pending
 * connections).  ADDRESS is "host:port", "[::1]:8088", ":8088" or "8088" (then
 * the host is 127.0.0.1: nothing is open to the network unless told so),
 * "0.0.0.0:8088", or "unix:/path"; port 0 lets the kernel choose.  The socket
 * is non-blocking and close-on-exec, with SO_REUSEADDR, and SO_REUSEPORT when
 * REUSE_PORT is set (Linux 3.9: the kernel spreads connections over sockets).
 * TCP_NODELAY is set and inherited by accepted connections.  A stale Unix
 * socket that nobody listens on is replaced; anything else at its path is left
 * alone.  Returns the file
 * descriptor, which the caller closes, or -errno: -EADDRINUSE, -EACCES,
 * -EADDRNOTAVAIL; -ENOTSOCK for a path that is taken by something else; -ENAMETOOLONG;
 * -EINVAL for an address that does not parse or resolve.
 */
MUST_CHECK int listener_open(const char *address, int backlog, bool reuse_port);

/* listener_family returns the address family of FD: AF_INET, AF_INET6, AF_UNIX; or AF_UNSPEC. */
int listener_family(int fd);

/* listener_is_unix tells whether ADDRESS names a Unix socket ("unix:/path"). */
bool listener_is_unix(const char *address);

/*
 * listener_close closes FD and removes the file of a Unix socket.  Only the
 * process that opened it calls this; others just close FD, and so does who
 * got it from listen_fds_take(): that file is the service manager's.
 */
void listener_close(int fd);

/* listener_remove_file removes the file of a Unix socket, so that nobody comes any more, and leaves FD open. Once, as it may be another's file then. */
void listener_remove_file(int fd);

/* listener_name writes where FD listens: "http://127.0.0.1:8088", "http://[::1]:8088" or "unix:/path". Returns BUF. */
const char *listener_name(int fd, char buf[LISTENER_NAME_MAX]);

/*
 * listener_error turns a result of listener_open into a sentence for a person:
 * "127.0.0.1:8088 is in use: stop the other server or choose another --bind".
 * OPTION is the option that named the address.  Returns BUF.
 */
const char *listener_error(int error, const char *address, const char *option, char *buf, size_t size);

/* listener_exit_status: 2 where the address is the caller's mistake, 1 where the world refused it. */
int listener_exit_status(int error);

/*
 * listener_accept accepts one connection from FD: non-blocking if NONBLOCKING,
 * close-on-exec.  Returns the descriptor or -errno.  Errors that belong to one
 * dead connection (ECONNABORTED, EPROTO and the network errors of accept(2))
 * and EINTR are passed over (the former some dozens in a row); -EAGAIN means
 * that none is pending.
 */
MUST_CHECK int listener_accept(int fd, bool nonblocking);

/* listener_is_exhausted tells whether ERROR (-errno of listener_accept) means that a resource ran out: wait, then retry. */
bool listener_is_exhausted(int error);

/* listener_peer_name writes the numeric address of the peer of FD ("127.0.0.1", "::1", "" for a Unix socket). Returns BUF. */
const char *listener_peer_name(int fd, char *buf, size_t size);

#endif
