/* Signals of a worker: which only leave a note, which end it, and when they may. */
#ifndef PREFORK_SERVER_SIGNALS_H
#define PREFORK_SERVER_SIGNALS_H

#include <stdbool.h>

/*
 * TERM and USR1 leave a note that the worker reads between requests.  INT,
 * QUIT and ABRT end the process "at once": not in the middle of a function
 * that is not async-signal-safe, but at the next moment when the worker waits,
 * or while it waits.  Both kinds cost the path of a request no system call:
 * a wait is bracketed by a flag that the handler reads, not by sigprocmask.
 */

/*
 * signals_init installs the handlers and lets the signals in, as the last step of a
 * worker's start: until then fork left them blocked, so that none is lost.
 * QUIT is called with INT, QUIT or ABRT, perhaps from the handler, but only
 * where any function may be called; it does not return.
 */
void signals_init(void (*quit)(int signal));

/* signals_term tells whether TERM has come. */
bool signals_term(void);

/* signals_take_reopen tells whether USR1 has come since the last call. */
bool signals_take_reopen(void);

/* signals_check ends the process if INT, QUIT or ABRT has come: for loops that may go on without a wait. */
void signals_check(void);

/*
 * Between these two the thread only waits in a system call, and INT, QUIT and
 * ABRT end the process.  None can slip in between the check and the wait: one that came before is seen
 * by signals_wait_begin, one that comes later finds the flag set.
 */
void signals_wait_begin(void);
void signals_wait_end(void);

/*
 * signals_idle waits up to TIMEOUT_MS until EPOLL_FD has an event, or TERM or
 * USR1 comes or has come; like pselect(2), it loses none.
 */
void signals_idle(int epoll_fd, int timeout_ms);

#endif
