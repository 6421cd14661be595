/* The connections of a worker of several threads: whose each one is, decided without a lock. */
#ifndef PREFORK_SERVER_CONN_TABLE_H
#define PREFORK_SERVER_CONN_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"

/*
 * A connection stands in the worker's epoll set, edge-triggered, from the
 * first time that it has to wait until it is closed, and between requests it is
 * parked: nobody's.  Its event makes it the property of the thread that got
 * the event, which serves it and parks it again.  An event that comes meanwhile, to
 * another thread, leaves a note, and the owner looks once more instead of parking it.
 *
 *          conn_table_take         conn_park
 *   FREE ------------------> BUSY <----------> PARKED
 *    ^                        | |  conn_table_wake, conn_table_seize
 *    +------------------------+ | conn_table_wake
 *          conn_table_give      v
 *                          BUSY_PENDING: as BUSY, but conn_park makes it BUSY
 *
 * A key names a connection and not only its slot: an event that a thread still holds
 * when the connection is closed and its slot taken again is nobody's.
 */
enum conn_wait {
	CONN_FIRST,  /* for a header; no request has come on this connection so far */
	CONN_IDLE,   /* for the next request */
	CONN_HEADER, /* for the rest of a header */
	CONN_END,    /* answered, our side ended: for the end of the peer's */
};

struct exchange_rest;

struct conn {
	_Alignas(64) _Atomic uint64_t word; /* generation in the high half, enum conn_state in the low one */
	_Atomic uint64_t due_ns;            /* while PARKED: when its wait is over (CLOCK_MONOTONIC) */
	_Atomic uint32_t next_free;         /* while FREE: place of the next free slot, and 1; 0: none */

	/* The rest is the owner's. */
	int fd;
	bool added; /* it stands in the epoll set */
	enum conn_wait wait;
	uint64_t since_ns;          /* when it began to wait for its present request */
	struct exchange_rest *rest; /* what has come of a header; NULL: nothing */
};

struct conn_table {
	struct conn *conns;
	uint32_t size;
	_Alignas(64) _Atomic uint64_t free; /* the first free slot's place and 1; a count in the high half */
	_Atomic uint32_t reached;           /* slots from here on were never taken */
	_Atomic uint32_t used;              /* slots that are not free */
};

/*
 * conn_table_open makes a table of SIZE slots (1 to CONFIG_CONNECTIONS_MAX); those that are never
 * taken cost no memory.  Returns 0 or -errno.  conn_table_close frees the memory, and closes nothing.
 */
MUST_CHECK int conn_table_open(struct conn_table *table, uint32_t size);
void conn_table_close(struct conn_table *table);

/*
 * conn_table_take returns a connection that is the caller's and has nothing of its own,
 * or NULL when all slots are taken.  conn_table_give gives it back; the caller
 * has closed what it had.  Returns whether all slots were taken until then.  Both may be called by any thread.
 */
struct conn *conn_table_take(struct conn_table *table);
bool conn_table_give(struct conn_table *table, struct conn *conn);

/* conn_table_used returns how many slots are taken. */
uint32_t conn_table_used(const struct conn_table *table);

/* conn_key returns what an event of CONN is known by; below CONN_KEYS_END, so that others can have the keys from there. */
#define CONN_KEYS_END ((uint64_t)UINT32_MAX << 32)
uint64_t conn_key(const struct conn_table *table, const struct conn *conn);

/* conn_table_wake is told of an event. Returns the connection, now the caller's, or NULL where it is somebody else's. */
struct conn *conn_table_wake(struct conn_table *table, uint64_t key);

/*
 * conn_park ends the caller's property of CONN, which waits until DUE_NS from
 * now on.  Returns false where an event came meanwhile: then it is still the
 * caller's, who looks again.
 */
MUST_CHECK bool conn_park(struct conn *conn, uint64_t due_ns);

/*
 * conn_table_seize returns the connection in slot PLACE, below conn_table_reached, now the caller's, if it is parked
 * and its wait was over at NOW_NS; else NULL.  It may have been served and parked
 * again in that moment: the caller looks at due_ns once more.
 */
struct conn *conn_table_seize(struct conn_table *table, uint32_t place, uint64_t now_ns);
uint32_t conn_table_reached(const struct conn_table *table);

/*
 * conn_park_anew parks CONN with a new key, so that no event with the old
 * one, consumed while the caller had it or not, means it any more.  Until the caller gives the
 * new key to the epoll set, nobody else can get the connection.
 */
void conn_park_anew(struct conn *conn, uint64_t due_ns);

#endif
