/* Unit tests of prefork_server/conn_table: whose a connection is, alone and between threads. */
#include "prefork_server/conn_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>

#define SIZE 4

static struct conn_table table;

static int
set_up(void **state)
{
	(void)state;
	return conn_table_open(&table, SIZE);
}

static int
tear_down(void **state)
{
	(void)state;
	conn_table_close(&table);
	return 0;
}

static void
test_there_are_as_many_as_were_asked_for(void **state)
{
	struct conn *conns[SIZE];

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < SIZE; i++) {
			conns[i] = conn_table_take(&table);
			assert_non_null(conns[i]);
			assert_int_equal(conns[i]->fd, -1);
			for (size_t k = 0; k < i; k++)
				assert_ptr_not_equal(conns[i], conns[k]);
		}
		assert_null(conn_table_take(&table));
		assert_int_equal(conn_table_used(&table), SIZE);
		assert_int_equal(conn_table_reached(&table), SIZE);
		assert_true(conn_table_give(&table, conns[0]));
		for (size_t i = 1; i < SIZE; i++)
			assert_false(conn_table_give(&table, conns[i]));
		assert_int_equal(conn_table_used(&table), 0);
	}
}

static void
test_slots_that_were_never_needed_are_not_reached(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++)
		conn_table_give(&table, conn_table_take(&table));
	assert_int_equal(conn_table_reached(&table), 1);
}

static void
test_an_event_gives_a_parked_connection_to_one(void **state)
{
	struct conn *conn = conn_table_take(&table);
	uint64_t key = conn_key(&table, conn);

	(void)state;
	assert_true(key < CONN_KEYS_END);
	assert_true(conn_park(conn, 5));
	assert_ptr_equal(conn_table_wake(&table, key), conn);
	assert_true(conn_park(conn, 6));
	assert_ptr_equal(conn_table_wake(&table, key), conn);
	conn_table_give(&table, conn);
}

static void
test_an_event_for_a_busy_one_makes_its_owner_look_again(void **state)
{
	struct conn *conn = conn_table_take(&table);
	uint64_t key = conn_key(&table, conn);

	(void)state;
	assert_null(conn_table_wake(&table, key));
	assert_null(conn_table_wake(&table, key));
	assert_false(conn_park(conn, 5));
	assert_true(conn_park(conn, 5));
	conn_table_give(&table, conn_table_wake(&table, key));
	/* So does one that a thread ended in between. */
	conn = conn_table_take(&table);
	assert_null(conn_table_wake(&table, conn_key(&table, conn)));
	conn_table_give(&table, conn);
}

static void
test_an_event_of_a_closed_connection_is_nobodys(void **state)
{
	struct conn *conn = conn_table_take(&table);
	uint64_t key = conn_key(&table, conn);

	(void)state;
	conn_table_give(&table, conn);
	assert_null(conn_table_wake(&table, key));
	assert_ptr_equal(conn_table_take(&table), conn);
	assert_null(conn_table_wake(&table, key));
	assert_true(conn_park(conn, 5));
	assert_null(conn_table_wake(&table, key));
	assert_int_not_equal(conn_key(&table, conn), key);
	assert_ptr_equal(conn_table_wake(&table, conn_key(&table, conn)), conn);
	conn_table_give(&table, conn);
}

static void
test_a_wait_that_is_over_can_be_ended(void **state)
{
	struct conn *conn = conn_table_take(&table);
	uint64_t key = conn_key(&table, conn);

	(void)state;
	assert_null(conn_table_seize(&table, 0, UINT64_MAX));
	assert_true(conn_park(conn, 100));
	assert_null(conn_table_seize(&table, 0, 99));
	assert_ptr_equal(conn_table_seize(&table, 0, 100), conn);
	assert_null(conn_table_seize(&table, 0, 100));
	/* An event now leaves a note, which does not matter: the connection gets another key. */
	assert_null(conn_table_wake(&table, key));
	conn_park_anew(conn, 200);
	assert_null(conn_table_wake(&table, key));
	assert_null(conn_table_seize(&table, 0, 199));
	assert_ptr_equal(conn_table_wake(&table, conn_key(&table, conn)), conn);
	conn_table_give(&table, conn);
	assert_null(conn_table_seize(&table, 0, UINT64_MAX));
}

/*
 * Threads that take, park, wake, end and give back the few slots of one table at random.
 * `owners` counts who has a slot: never more than one; and whoever has it writes to its plain fields.
 */
#define THREADS 4
#define TURNS 300000

static _Atomic int owners[SIZE];
static _Atomic uint64_t keys[SIZE]; /* the last that was parked there */

static void
own(struct conn *conn)
{
	assert_int_equal(atomic_fetch_add(&owners[conn - table.conns], 1), 0);
	conn->since_ns++;
}

static void
disown(struct conn *conn)
{
	assert_int_equal(atomic_fetch_sub(&owners[conn - table.conns], 1), 1);
}

static void
park(struct conn *conn, uint64_t due_ns)
{
	for (;;) {
		atomic_store(&keys[conn - table.conns], conn_key(&table, conn));
		disown(conn);
		if (conn_park(conn, due_ns))
			return;
		own(conn);
	}
}

static void *
work(void *context)
{
	unsigned random = (unsigned)(uintptr_t)context;

	for (int i = 0; i < TURNS; i++) {
		unsigned place, what;
		struct conn *conn;

		random = random * 1103515245 + 12345;
		place = random >> 16 & (SIZE - 1);
		what = random >> 20 & 7;
		if (what == 0)
			conn = conn_table_take(&table);
		else
			conn = conn_table_wake(&table, atomic_load(&keys[place]));
		if (conn == NULL)
			continue;
		own(conn);
		if (what == 7) {
			disown(conn);
			conn_table_give(&table, conn);
		} else {
			park(conn, what);
		}
	}
	return NULL;
}

/* sweep does as the main thread of a worker: one of its kind. */
static void *
sweep(void *context)
{
	(void)context;
	for (int i = 0; i < TURNS; i++) {
		uint32_t place = (uint32_t)i & (SIZE - 1);
		struct conn *conn = place < conn_table_reached(&table) ? conn_table_seize(&table, place, 4) : NULL;

		if (conn == NULL)
			continue;
		own(conn);
		disown(conn);
		if (i & 4) {
			conn_table_give(&table, conn);
		} else {
			conn_park_anew(conn, 3);
			atomic_store(&keys[place], conn_key(&table, conn));
		}
	}
	return NULL;
}

static void
test_many_threads_never_own_one_together(void **state)
{
	pthread_t threads[THREADS + 1];

	(void)state;
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, (void *)(i * 7919 + 1)), 0);
	assert_int_equal(pthread_create(&threads[THREADS], NULL, sweep, NULL), 0);
	for (size_t i = 0; i <= THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	/* What is left is parked: no slot is lost, none is there twice. */
	for (uint32_t i = 0; i < conn_table_reached(&table); i++) {
		struct conn *conn = conn_table_seize(&table, i, UINT64_MAX);

		if (conn != NULL)
			conn_table_give(&table, conn);
	}
	assert_int_equal(conn_table_used(&table), 0);
	for (size_t i = 0; i < SIZE; i++)
		assert_non_null(conn_table_take(&table));
	assert_null(conn_table_take(&table));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_there_are_as_many_as_were_asked_for),
	    TEST(test_slots_that_were_never_needed_are_not_reached),
	    TEST(test_an_event_gives_a_parked_connection_to_one),
	    TEST(test_an_event_for_a_busy_one_makes_its_owner_look_again),
	    TEST(test_an_event_of_a_closed_connection_is_nobodys),
	    TEST(test_a_wait_that_is_over_can_be_ended),
	    TEST(test_many_threads_never_own_one_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
