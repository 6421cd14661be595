/* What the service manager is told: systemd's sd_notify(3). */
#ifndef PREFORK_SERVER_NOTIFY_H
#define PREFORK_SERVER_NOTIFY_H

#include <sys/types.h>

/*
 * Both send a datagram to the socket that $NOTIFY_SOCKET names (a path, or @
 * and an abstract name), and do nothing where there is none.  They wait 1 s at
 * most; where nobody can be told, the log says so and the server goes on.
 */

/* notify_ready: the sockets listen, so a service of Type=notify has started. (gunicorn: Arbiter.start) */
void notify_ready(void);

/*
 * notify_stopping: this arbiter, the service's main process, is about to end.  SUCCESSOR is the one that it
 * has started at USR2 and that goes on, the service's main process from now on;
 * 0: there is none, and the service ends.  gunicorn says neither, and systemd
 * takes the end of the old arbiter for that of the service.
 */
void notify_stopping(pid_t successor);

#endif
