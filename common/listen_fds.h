/* Listening sockets that the service manager opened: systemd's socket activation. */
#ifndef COMMON_LISTEN_FDS_H
#define COMMON_LISTEN_FDS_H

#include <stddef.h>

#include "common/compiler.h"

/*
 * listen_fds_take takes over the sockets that the process was started with, as
 * sd_listen_fds(3) does: $LISTEN_FDS of them, from descriptor 3 on, if
 * $LISTEN_PID is this process.  Each must be a stream socket that listens, of
 * IPv4, IPv6 or Unix; it becomes non-blocking and close-on-exec, with
 * TCP_NODELAY where that means something.  The variables LISTEN_PID,
 * LISTEN_FDS and LISTEN_FDNAMES are unset, whatever comes of it, so that no
 * child believes they are for it.  At start, before there are threads.
 *
 * The sockets stay the manager's: close(2) them, and never with
 * listener_close(), which would remove the file of a Unix socket that the
 * manager still listens on.
 *
 * Returns how many there are, at most MAX (from 1), their descriptors in FDS;
 * 0 where there are none for this process; or -errno, with the descriptor that
 * is at fault in FDS[0], or -1 where the variables are:
 * -EINVAL: LISTEN_PID or LISTEN_FDS is no number, or LISTEN_FDS is below 1;
 * -E2BIG: more than MAX; -EBADF: the descriptor is not open; -ENOTSOCK: it is
 * no socket; -EPROTOTYPE: no stream socket; -EAFNOSUPPORT: of another family;
 * -EDESTADDRREQ: it does not listen; or what fcntl(2) or setsockopt(2) said.
 */
MUST_CHECK int listen_fds_take(int *fds, size_t max);

/*
 * listen_fds_check looks at one descriptor that came by other ways, as above, and
 * makes it close-on-exec and nothing else: who shares the socket shares its
 * other flags.  Returns 0, or -errno as above.
 */
MUST_CHECK int listen_fds_check(int fd);

/* listen_fds_error turns such an error, and FDS[0] or the descriptor, into a sentence for a person. Returns BUF. */
const char *listen_fds_error(int error, int fd, char *buf, size_t size);

#endif
