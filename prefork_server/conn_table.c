/* The connections of a worker of several threads: whose each one is, decided without a lock. */
#include "prefork_server/conn_table.h"

#include <assert.h>
#include <errno.h>
#include <sys/mman.h>

enum conn_state {
	FREE,
	BUSY,
	BUSY_PENDING,
	PARKED,
};

#define STATE_MASK UINT64_C(0xffffffff)
#define GENERATION_ONE (UINT64_C(1) << 32)

/* A generation has this many bits, so that no key reaches CONN_KEYS_END. */
#define GENERATION_MASK (UINT64_C(0x7fffffff) << 32)

static uint64_t
with_state(uint64_t word, enum conn_state state)
{
	return (word & ~STATE_MASK) | (uint64_t)state;
}

static uint64_t
next_generation(uint64_t word)
{
	return (word + GENERATION_ONE) & GENERATION_MASK;
}

int
conn_table_open(struct conn_table *table, uint32_t size)
{
	void *map = mmap(NULL, size * sizeof(struct conn), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (map == MAP_FAILED)
		return -errno;
	*table = (struct conn_table){.conns = map, .size = size};
	return 0;
}

void
conn_table_close(struct conn_table *table)
{
	munmap(table->conns, table->size * sizeof(struct conn));
	table->conns = NULL;
}

/* pop takes a slot off the list of those that were given back; NULL: there is none. */
static struct conn *
pop(struct conn_table *table)
{
	uint64_t old = atomic_load_explicit(&table->free, memory_order_acquire);

	for (;;) {
		uint32_t place = (uint32_t)old;
		uint64_t new;

		if (place == 0)
			return NULL;
		/* The slot may be taken and given back meanwhile: then the count differs, and what was read here is not used. */
		new = ((old >> 32) + 1) << 32 |
		      atomic_load_explicit(&table->conns[place - 1].next_free, memory_order_relaxed);
		if (atomic_compare_exchange_weak_explicit(
			&table->free, &old, new, memory_order_acquire, memory_order_acquire))
			return &table->conns[place - 1];
	}
}

static void
push(struct conn_table *table, struct conn *conn)
{
	uint32_t place = (uint32_t)(conn - table->conns) + 1;
	uint64_t old = atomic_load_explicit(&table->free, memory_order_relaxed);
	uint64_t new;

	do {
		atomic_store_explicit(&conn->next_free, (uint32_t)old, memory_order_relaxed);
		new = ((old >> 32) + 1) << 32 | place;
	} while (!atomic_compare_exchange_weak_explicit(
	    &table->free, &old, new, memory_order_release, memory_order_relaxed));
}

/* reach takes a slot that was never taken; NULL: there is none. */
static struct conn *
reach(struct conn_table *table)
{
	uint32_t reached = atomic_load_explicit(&table->reached, memory_order_relaxed);

	do {
		if (reached == table->size)
			return NULL;
	} while (!atomic_compare_exchange_weak_explicit(
	    &table->reached, &reached, reached + 1, memory_order_acq_rel, memory_order_relaxed));
	return &table->conns[reached];
}

struct conn *
conn_table_take(struct conn_table *table)
{
	struct conn *conn = pop(table);
	uint64_t word;

	if (conn == NULL)
		conn = reach(table);
	if (conn == NULL)
		return NULL;
	atomic_fetch_add(&table->used, 1);
	conn->fd = -1;
	conn->added = false;
	conn->wait = CONN_FIRST;
	conn->since_ns = 0;
	conn->rest = NULL;
	word = atomic_load_explicit(&conn->word, memory_order_relaxed);
	atomic_store_explicit(&conn->word, with_state(next_generation(word), BUSY), memory_order_release);
	return conn;
}

bool
conn_table_give(struct conn_table *table, struct conn *conn)
{
	uint64_t word = atomic_load_explicit(&conn->word, memory_order_relaxed);

	assert((word & STATE_MASK) == BUSY || (word & STATE_MASK) == BUSY_PENDING);
	atomic_store_explicit(&conn->word, with_state(word, FREE), memory_order_release);
	push(table, conn);
	/* Last: who sees that there is room finds it. */
	return atomic_fetch_sub(&table->used, 1) >= table->size;
}

uint32_t
conn_table_used(const struct conn_table *table)
{
	return atomic_load(&table->used);
}

uint64_t
conn_key(const struct conn_table *table, const struct conn *conn)
{
	uint64_t word = atomic_load_explicit(&conn->word, memory_order_relaxed);

	return (word & ~STATE_MASK) | (uint64_t)(conn - table->conns);
}

uint32_t
conn_table_reached(const struct conn_table *table)
{
	return atomic_load_explicit(&table->reached, memory_order_acquire);
}

struct conn *
conn_table_wake(struct conn_table *table, uint64_t key)
{
	struct conn *conn = &table->conns[key & STATE_MASK];
	uint64_t word = atomic_load_explicit(&conn->word, memory_order_relaxed);

	assert((key & STATE_MASK) < table->size);
	for (;;) {
		enum conn_state state = (enum conn_state)(word & STATE_MASK);

		if (((word ^ key) & ~STATE_MASK) != 0 || state == FREE)
			return NULL;
		/* BUSY_PENDING is written again, too: an owner who has just taken that note must not miss this one. */
		if (atomic_compare_exchange_weak_explicit(&conn->word, &word,
			with_state(word, state == PARKED ? BUSY : BUSY_PENDING), memory_order_acq_rel,
			memory_order_relaxed))
			return state == PARKED ? conn : NULL;
	}
}

bool
conn_park(struct conn *conn, uint64_t due_ns)
{
	uint64_t word = atomic_load_explicit(&conn->word, memory_order_relaxed);
	uint64_t busy = with_state(word, BUSY);

	atomic_store_explicit(&conn->due_ns, due_ns, memory_order_relaxed);
	if (atomic_compare_exchange_strong_explicit(
		&conn->word, &busy, with_state(word, PARKED), memory_order_release, memory_order_relaxed))
		return true;
	/* The note is taken before anything is read: an event that comes from now on leaves another. */
	atomic_exchange_explicit(&conn->word, with_state(word, BUSY), memory_order_acq_rel);
	return false;
}

struct conn *
conn_table_seize(struct conn_table *table, uint32_t place, uint64_t now_ns)
{
	struct conn *conn = &table->conns[place];
	uint64_t word = atomic_load_explicit(&conn->word, memory_order_acquire);

	if ((word & STATE_MASK) != PARKED || atomic_load_explicit(&conn->due_ns, memory_order_relaxed) > now_ns)
		return NULL;
	return atomic_compare_exchange_strong_explicit(
		   &conn->word, &word, with_state(word, BUSY), memory_order_acquire, memory_order_relaxed)
		   ? conn
		   : NULL;
}

void
conn_park_anew(struct conn *conn, uint64_t due_ns)
{
	uint64_t word = atomic_load_explicit(&conn->word, memory_order_relaxed);

	atomic_store_explicit(&conn->due_ns, due_ns, memory_order_relaxed);
	atomic_store_explicit(&conn->word, with_state(next_generation(word), PARKED), memory_order_release);
}
