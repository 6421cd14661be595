/* Whose turn it is to accept: of many idle workers, as many as there are CPUs to run them. */
#ifndef PREFORK_SERVER_DUTY_H
#define PREFORK_SERVER_DUTY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"

/*
 * A connection wakes one of the workers that wait in accept(2).  While another
 * worker is at something short, that is one too many: the first comes back
 * sooner, and who was woken finds nothing.  With 64 idle workers this costs two
 * changes of process a connection, about as much as the connection itself.  So
 * only those wait in accept who have one of a few turns; the others wait for a
 * turn.  A worker gives its turn away before it waits for anything else (a
 * sleep, a computation, a slow client), so that nobody is kept waiting for it,
 * and after DUTY_ROUND connections, so that all get their share.  (Leader and
 * followers: Schmidt and others, POSA 2.)
 *
 * Turns are datagrams in a socket that all workers inherit: to wait for one has
 * a time limit, can be ended by a signal, and the kernel wakes one, first come first
 * served.  A turn carries the epoch it was made in.  When a worker ends, perhaps
 * with its turn, the arbiter begins a new epoch with as many turns as there should
 * be, and those of an older one are dropped.  A worker that sees nobody accept
 * although somebody waits (a stopped process has the turn) takes one that is
 * not there.  So the arbiter never has to know who has a turn, and what goes
 * wrong here can cost order, and no connection.
 */
#define DUTY_ROUND 64

/* Most turns: what a datagram socket takes under the usual net.unix.max_dgram_qlen. */
#define DUTY_TURNS_MAX 8

/* Shared, and written by all workers: hints, which a worker that is killed leaves a little wrong. */
struct duty_page {
	_Atomic uint64_t accepted; /* moves when somebody accepts: not exact */
	_Atomic uint64_t waiting;  /* workers that wait for a turn, and those that died in that wait */
};

struct duty {
	int give_fd, take_fd; /* the two ends of the socket */
	unsigned turns;
	const _Atomic uint64_t *workers; /* where there are no more than turns, everybody may accept */
	_Atomic uint64_t *epoch;         /* the arbiter's to write */
	struct duty_page *page;
};

/*
 * duty_open makes TURNS turns, from 1 to DUTY_TURNS_MAX.  WORKERS and EPOCH are
 * the arbiter's memory, which workers only read.  Returns 0 or -errno.
 */
MUST_CHECK int duty_open(struct duty *duty, unsigned turns, const _Atomic uint64_t *workers, _Atomic uint64_t *epoch);
void duty_close(struct duty *duty);

/* duty_default_turns: one for each CPU that this process may run on, DUTY_TURNS_MAX at most. */
unsigned duty_default_turns(void);

/* duty_renew is for the arbiter, when a worker has ended: it may have had a turn. */
void duty_renew(struct duty *duty);

/* duty_begin makes the calling worker wait for BEAT_MS at a time. Returns 0 or -errno. */
MUST_CHECK int duty_begin(struct duty *duty, int beat_ms);

/*
 * duty_take waits until the calling worker may accept.  Returns 0; -EAGAIN when
 * BEAT_MS are over; -ENOTSOCK where take_fd was broken (signals_break_on_term); or -errno.
 */
MUST_CHECK int duty_take(struct duty *duty);

/*
 * duty_claim is for a worker that found somebody waiting to be accepted after
 * duty_take returned -EAGAIN: where nobody was accepted all that while, it has a turn now.
 */
void duty_claim(struct duty *duty);

/* duty_accepted counts a connection that the calling worker has accepted. */
void duty_accepted(struct duty *duty);

/* duty_is_mine tells whether the calling process has a turn. */
bool duty_is_mine(void);

/* duty_leave gives the calling process's turn, if it has one, to the next: before every wait but the one for a connection. */
void duty_leave(void);

#endif
