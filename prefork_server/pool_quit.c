/* The last moment of a gthread worker that ends without waiting: what was served is logged, what hangs is named. */
#include "prefork_server/pool_quit.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

#include "common/access_log.h"
#include "common/clock.h"
#include "prefork_server/exchange_abort.h"
#include "prefork_server/signals.h"

#define CALL_SIGNAL SIGRTMIN /* nobody else sends it */
#define LOOK_NS NS_PER_MS

static _Thread_local struct pool_thread *mine;

_Noreturn void
pool_quit_here(struct pool_thread *thread)
{
	access_log_flush(thread->worker.access_log);
	atomic_store(&thread->unwritten, false);
	/* Until the process ends. */
	for (;;)
		pause();
}

/* on_call: only where this thread waits or computes may anything be called, and only there it would not soon be done. */
static void
on_call(int number)
{
	int error = errno;

	(void)number;
	if (mine != NULL && signals_is_waiting() && atomic_load(&mine->pool->quitting)) {
		exchange_abort(&mine->exchange);
		pool_quit_here(mine);
	}
	errno = error;
}

int
pool_quit_prepare(void)
{
	struct sigaction action = {.sa_handler = on_call, .sa_flags = SA_RESTART};

	sigfillset(&action.sa_mask);
	return sigaction(CALL_SIGNAL, &action, NULL) == 0 ? 0 : -errno;
}

void
pool_quit_mine(struct pool_thread *thread)
{
	mine = thread;
}

/* is_done tells whether THREAD has nothing left to write. */
static bool
is_done(const struct pool_thread *thread)
{
	return atomic_load(&thread->busy_ns) == 0 && !atomic_load(&thread->unwritten);
}

/* look tells whether all threads are done, and calls the others if they are to be CALLED. */
static bool
look(struct pool *pool, bool called)
{
	bool done = true;

	for (unsigned i = 0; i < pool->count; i++) {
		if (is_done(&pool->threads[i]))
			continue;
		done = false;
		if (called)
			(void)pthread_kill(pool->threads[i].id, CALL_SIGNAL);
	}
	return done;
}

void
pool_quit(struct pool *pool, int signal)
{
	uint64_t due_ns = clock_now_ns() + POOL_QUIT_MS * NS_PER_MS;

	atomic_store(&pool->quitting, true);
	while (!look(pool, signal == SIGABRT) && clock_now_ns() < due_ns)
		clock_sleep_until_ns(clock_now_ns() + LOOK_NS);
}
