/* SIGINT as something to wait for: the first one ends the run in order, the second one ends the program. */
#ifndef LOADGEN_INTERRUPT_H
#define LOADGEN_INTERRUPT_H

#include <stdbool.h>

#include "common/compiler.h"

/*
 * interrupt_open blocks SIGINT for this thread and those it starts later, and
 * makes interrupt_fd readable when it comes; where SIGINT is ignored (nohup,
 * a shell's background job) it stays so.  Returns 0 or -errno.
 */
MUST_CHECK int interrupt_open(void);
int interrupt_fd(void); /* -1: nothing to wait for */

/* interrupt_accept takes the signal note of, and gives the next SIGINT its default effect. */
void interrupt_accept(void);

/*
 * interrupt_close ends the watch: the next SIGINT has its default effect,
 * and one that came already counts as accepted.
 */
void interrupt_close(void);

/* interrupt_seen: a SIGINT was accepted. */
bool interrupt_seen(void);

#endif
