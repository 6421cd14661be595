/* SIGINT and SIGTERM as something to wait for: the first one ends the run in order, the second one ends the program. */
#ifndef LOADGEN_INTERRUPT_H
#define LOADGEN_INTERRUPT_H

#include <stdbool.h>

#include "common/compiler.h"

/*
 * interrupt_open blocks SIGINT and SIGTERM for this thread and those it starts later, and makes interrupt_fd readable when one
 * comes; where one is ignored (SIGINT in a job that a script's shell starts with &) it stays so.  Returns 0 or -errno.
 */
MUST_CHECK int interrupt_open(void);
int interrupt_fd(void); /* -1: nothing to wait for */

/* interrupt_accept takes note of the signal, and gives the next one its default effect. */
void interrupt_accept(void);

/*
 * interrupt_close ends the watch: the next signal has its default effect,
 * and one that came already counts as accepted.
 */
void interrupt_close(void);

/* interrupt_seen: a signal was accepted; interrupt_signal: which one came first, 0: none. */
bool interrupt_seen(void);
int interrupt_signal(void);

#endif
