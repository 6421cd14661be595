/* Signals of a worker: which only leave a note, which do something, and when they may. */
#ifndef PREFORK_SERVER_SIGNALS_H
#define PREFORK_SERVER_SIGNALS_H

#include <stdbool.h>

#include "common/compiler.h"

/*
 * INT, QUIT and ABRT end a worker at once, and USR1 makes it open its logs
 * again: not in the middle of a function that is not async-signal-safe, but
 * while the worker waits in a system call or computes, or at the next moment when it is about to.
 * TERM leaves a note that the worker reads between requests.  None of this
 * costs the path of a request a system call: a wait is bracketed by a flag that the
 * handlers read, not by sigprocmask.
 */

/*
 * signals_init installs the handlers and lets the signals in, as the last step
 * of a worker's start: until then fork left them blocked, so that none is
 * lost.  QUIT is called with INT, QUIT or ABRT and does not return; REOPEN is
 * called on USR1.  Both are called, perhaps from a handler, only where any function may be.
 */
void signals_init(void (*quit)(int signal), void (*reopen)(void));

/* signals_term tells whether TERM has come. */
bool signals_term(void);

/*
 * signals_break_on_term lets TERM end a blocking accept(2), recv(2) or poll(2) on FD, the
 * one that it interrupts as well as one that is about to begin: the handler puts /dev/null
 * in its place, so that it fails with ENOTSOCK.  A connection that the kernel
 * has handed out by then is returned as usual, and none is lost.  For
 * SIGNALS_BREAK_MAX descriptors at most.  Returns 0 or -errno.
 */
#define SIGNALS_BREAK_MAX 20
MUST_CHECK int signals_break_on_term(int fd);

/*
 * For a worker of several threads, whose main thread serves nobody.
 * signals_open holds the signals back from the calling thread and the threads it makes from
 * then on, and returns a descriptor that is readable when some have come, or -errno; signals_take does there
 * what they ask for.  So no other thread ever meets one.
 */
MUST_CHECK int signals_open(void);
void signals_take(int fd);

/* signals_check does what the signals since the last wait ask for: for loops that may go on without a wait. */
void signals_check(void);

/*
 * Between these two the thread only waits in a system call, or computes
 * without calling anything, and the handlers may act.  No signal can slip in between the check and the wait: one that came before is
 * seen by signals_wait_begin, which obeys it as signals_check does, and looks again;
 * one that comes later finds the flag set.
 */
void signals_wait_begin(void);
void signals_wait_end(void);

/* signals_is_waiting tells, in a handler, whether the thread that it interrupts is between those two. */
bool signals_is_waiting(void);

#endif
