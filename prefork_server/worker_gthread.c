/* The gthread worker: several threads, each with a request of its own, and connections that stay open between requests. */
#include "prefork_server/worker_gthread.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "prefork_server/pool.h"
#include "prefork_server/pool_keeper.h"
#include "prefork_server/pool_quit.h"
#include "prefork_server/signals.h"

/* How often the main thread looks at the waiting connections, if there are any, and at how far the end is. */
#define LOOK_NS (250 * NS_PER_MS)
#define END_LOOK_NS (20 * NS_PER_MS)

/* What the main thread keeps in mind. */
struct keeping {
	struct pool *pool;
	struct pool_keeper *keeper;
	int signals_fd;
	uint64_t beat_ns, look_ns, resume_ns; /* when to do what next; resume_ns 0: nothing to resume */
	uint64_t ended_ns;                    /* when it began to end; 0: it has not */
	bool closed;                          /* nothing is accepted any more */
};

static void
check(const struct config *config)
{
	if (config->worker_connections <= config->threads && config->keep_alive_ns > 0)
		log_warning("No keepalived connections can be handled. "
			    "Check the number of worker connections and threads.");
}

static int
prepare(const struct listeners *listeners, const struct config *config)
{
	(void)config;
	/* A thread that finds no connection where another was quicker has other things to do than to wait for one. */
	for (size_t i = 0; i < listeners->count; i++) {
		int flags = fcntl(listeners->fds[i], F_GETFL);

		if (flags < 0 || fcntl(listeners->fds[i], F_SETFL, flags | O_NONBLOCK) != 0)
			return -errno;
	}
	return 0;
}

static uint64_t
earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* wait_until_due waits for a signal, a wake, or the next thing to do. */
static void
wait_until_due(struct keeping *keeping)
{
	struct pollfd pollers[] = {
	    {.fd = keeping->signals_fd, .events = POLLIN}, {.fd = keeping->pool->wake_fd, .events = POLLIN}};
	uint64_t due_ns = keeping->beat_ns;
	uint64_t count;

	if (conn_table_used(&keeping->pool->table) > 0)
		due_ns = earlier(due_ns, keeping->look_ns);
	if (keeping->resume_ns > 0)
		due_ns = earlier(due_ns, keeping->resume_ns);
	if (keeping->ended_ns > 0)
		due_ns = earlier(due_ns, clock_now_ns() + END_LOOK_NS);
	(void)poll(pollers, 2, clock_ms_until(due_ns));
	signals_take(keeping->signals_fd);
	if (read(keeping->pool->wake_fd, &count, sizeof(count)) > 0)
		keeping->resume_ns = clock_now_ns() + POOL_PAUSE_MS * NS_PER_MS;
}

/* keep does what is due. */
static void
keep(struct keeping *keeping)
{
	struct pool *pool = keeping->pool;
	const struct config *config = pool->worker->config;
	uint64_t beat_ms = (uint64_t)worker_beat_ms(config);
	uint64_t now_ns = clock_now_ns();

	if (keeping->resume_ns > 0 && now_ns >= keeping->resume_ns) {
		keeping->resume_ns = 0;
		(void)gate_lift(&pool->gate, GATE_PAUSED);
	}
	if (now_ns >= keeping->look_ns) {
		/* Who has nothing to say by half of the time that the arbiter gives us is closed before it ends us. */
		bool hurry = keeping->ended_ns > 0 && now_ns - keeping->ended_ns > config->graceful_timeout_ns / 2;

		pool_keeper_expire(keeping->keeper, hurry ? UINT64_MAX : now_ns);
		keeping->look_ns = now_ns + LOOK_NS;
	}
	if (now_ns >= keeping->beat_ns) {
		pool_keeper_watch(keeping->keeper, now_ns);
		pool_check_gate(pool); /* which may have had no memory to open */
		keeping->beat_ns = now_ns + beat_ms * NS_PER_MS;
	}
}

/* over goes on with the end, and tells whether there is nothing left to serve. */
static bool
over(struct keeping *keeping)
{
	struct pool *pool = keeping->pool;
	const struct worker *worker = pool->worker;

	if (keeping->ended_ns == 0) {
		keeping->ended_ns = clock_now_ns();
		atomic_store(&pool->last, true);
	}
	/* Where nobody comes after this server, those who wait are served first: by this worker as by the others. */
	if (!keeping->closed &&
	    (!atomic_load(&worker->notice->serve_last) || !listeners_are_waited_at(worker->listeners))) {
		(void)gate_shut(&pool->gate, GATE_ENDED);
		atomic_store(&pool->no_more, true);
		keeping->closed = true;
	}
	/* Whoever is about to accept takes a slot before it looks at no_more: so this sees it, or it sees that. */
	return keeping->closed && conn_table_used(&pool->table) == 0;
}

static void
serve(struct pool *pool, struct pool_keeper *keeper, int signals_fd)
{
	struct keeping keeping = {.pool = pool, .keeper = keeper, .signals_fd = signals_fd};

	for (;;) {
		bool beat = clock_now_ns() >= keeping.beat_ns;

		keep(&keeping);
		if (keeping.ended_ns == 0 && worker_is_alive(pool->worker) &&
		    (!beat || worker_has_parent(pool->worker)))
			;
		else if (over(&keeping))
			return;
		wait_until_due(&keeping);
	}
}

static struct pool *running; /* of this process, for quit; NULL: no thread runs */

static void
quit(int signal)
{
	if (running != NULL)
		pool_quit(running, signal);
}

static int
run(struct worker *worker)
{
	static struct pool pool;
	static struct pool_keeper keeper;
	int signals_fd;
	int error;

	/* What is allocated is seldom and small: an arena for each thread would be most of a worker's memory. */
	(void)mallopt(M_ARENA_MAX, 1);
	/* Before there are threads, which inherit it. */
	signals_fd = signals_open();
	if (signals_fd < 0)
		return signals_fd;
	error = pool_open(&pool, worker);
	if (error != 0)
		goto close_signals;
	error = pool_keeper_init(&keeper, &pool);
	if (error != 0)
		goto close_pool;
	error = pool_start(&pool);
	if (error == 0) {
		running = &pool;
		serve(&pool, &keeper, signals_fd);
		running = NULL;
		pool_end(&pool);
	}
	pool_keeper_deinit(&keeper);
close_pool:
	pool_close(&pool);
close_signals:
	close(signals_fd);
	return error;
}

const struct worker_class worker_gthread = {
    .name = "gthread", .prepare = prepare, .check = check, .run = run, .quit = quit};
