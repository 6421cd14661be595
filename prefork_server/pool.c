/* What the threads of a gthread worker share: opened, started, ended. */
#include "prefork_server/pool.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "prefork_server/pool_quit.h"
#include "prefork_server/pool_thread.h"

/* A thread's: what it uses of it is a few KiB, and the rest is not there. */
#define STACK_BYTES (256 * 1024)

static size_t
threads_size(const struct pool *pool)
{
	return (size_t)pool->worker->config->threads * sizeof(*pool->threads);
}

static int
open_fds(struct pool *pool)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = POOL_KEY_END};

	pool->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	pool->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pool->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (pool->epoll_fd < 0 || pool->end_fd < 0 || pool->wake_fd < 0 ||
	    epoll_ctl(pool->epoll_fd, EPOLL_CTL_ADD, pool->end_fd, &event) != 0)
		return -errno;
	return 0;
}

static void
close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

int
pool_open(struct pool *pool, struct worker *worker)
{
	void *threads;
	int error;

	*pool = (struct pool){.worker = worker, .epoll_fd = -1, .end_fd = -1, .wake_fd = -1};
	error = open_fds(pool);
	if (error == 0)
		error = gate_init(&pool->gate, pool->epoll_fd, worker->listeners, POOL_KEY_LISTENERS);
	if (error == 0)
		error = conn_table_open(&pool->table, (uint32_t)worker->config->worker_connections);
	if (error == 0) {
		/* Their buffers cost nothing before they are used. */
		threads = mmap(NULL, threads_size(pool), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		error = threads == MAP_FAILED ? -errno : 0;
		if (error == 0)
			pool->threads = threads;
	}
	if (error != 0)
		pool_close(pool);
	return error;
}

void
pool_close(struct pool *pool)
{
	if (pool->threads != NULL)
		munmap(pool->threads, threads_size(pool));
	if (pool->table.conns != NULL)
		conn_table_close(&pool->table);
	if (pool->gate.listeners != NULL)
		gate_deinit(&pool->gate);
	close_fd(pool->wake_fd);
	close_fd(pool->end_fd);
	close_fd(pool->epoll_fd);
}

/* start_thread starts the next thread. Returns 0 or -errno. */
static int
start_thread(struct pool *pool, const pthread_attr_t *attributes)
{
	struct pool_thread *thread = &pool->threads[pool->count];
	int error = pool_thread_init(thread, pool, pool->count);

	if (error != 0)
		return error;
	error = -pthread_create(&thread->id, attributes, pool_thread_main, thread);
	if (error != 0)
		pool_thread_deinit(thread);
	else
		pool->count++;
	return error;
}

int
pool_start(struct pool *pool)
{
	unsigned wanted = (unsigned)pool->worker->config->threads;
	pthread_attr_t attributes;
	int error = -pthread_attr_init(&attributes);

	if (error != 0)
		return error;
	error = -pthread_attr_setstacksize(&attributes, STACK_BYTES);
	if (error == 0)
		error = pool_quit_prepare();
	while (error == 0 && pool->count < wanted)
		error = start_thread(pool, &attributes);
	pthread_attr_destroy(&attributes);
	if (pool->count == 0)
		return error;
	if (error != 0)
		log_error("Cannot start a thread: %s; going on with %u of %u (raise `ulimit -u`?)", strerror(-error),
		    pool->count, wanted);
	error = gate_open(&pool->gate);
	if (error != 0)
		pool_end(pool);
	return error;
}

static void
count_up(int fd)
{
	const uint64_t one = 1;

	(void)!write(fd, &one, sizeof(one));
}

void
pool_end(struct pool *pool)
{
	count_up(pool->end_fd);
	for (unsigned i = 0; i < pool->count; i++) {
		pthread_join(pool->threads[i].id, NULL);
		pool_thread_deinit(&pool->threads[i]);
	}
	pool->count = 0;
}

void
pool_wake(const struct pool *pool)
{
	count_up(pool->wake_fd);
}

static bool
is_full(const void *table)
{
	const struct conn_table *of = table;

	return conn_table_used(of) >= of->size;
}

void
pool_check_gate(struct pool *pool)
{
	gate_check(&pool->gate, is_full, &pool->table);
}

void
pool_hang_up(const struct conn *conn)
{
	if (conn->added)
		(void)shutdown(conn->fd, SHUT_RDWR);
}

void
pool_give(struct pool *pool, struct conn *conn)
{
	if (conn_table_give(&pool->table, conn))
		pool_check_gate(pool);
}
