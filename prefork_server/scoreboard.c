/* The memory that the arbiter, its workers and the admin process share. */
#include "prefork_server/scoreboard.h"

#include <errno.h>
#include <sys/mman.h>

static void *
map_shared(size_t size)
{
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return map == MAP_FAILED ? NULL : map;
}

int
scoreboard_open(struct scoreboard *board)
{
	int error;

	*board = (struct scoreboard){
	    .notice = map_shared(sizeof(*board->notice)),
	    .heartbeats = map_shared(SCOREBOARD_SLOTS * sizeof(*board->heartbeats)),
	    .metrics = metrics_new(SCOREBOARD_SLOTS),
	};
	if (board->notice != NULL && board->heartbeats != NULL && board->metrics != NULL)
		return 0;
	error = errno != 0 ? -errno : -ENOMEM;
	scoreboard_close(board);
	return error;
}

void
scoreboard_close(struct scoreboard *board)
{
	if (board->notice != NULL)
		munmap(board->notice, sizeof(*board->notice));
	if (board->heartbeats != NULL)
		munmap(board->heartbeats, SCOREBOARD_SLOTS * sizeof(*board->heartbeats));
	if (board->metrics != NULL)
		metrics_free(board->metrics, SCOREBOARD_SLOTS);
	*board = (struct scoreboard){0};
}

void
scoreboard_protect(struct scoreboard *board)
{
	/* Nothing depends on it: should it fail, the arbiter still reads nothing back from there. */
	(void)mprotect(board->notice, sizeof(*board->notice), PROT_READ);
}

/* settle lets ENDED catch up with BEGUN in a slot that is not TAKEN. */
static void
settle(const _Atomic bool *taken, _Atomic uint64_t *ended, const _Atomic uint64_t *begun)
{
	uint64_t old = atomic_load(ended);
	uint64_t goal = atomic_load(begun);

	/*
	 * Still free: both numbers are a dead worker's.  If the next one comes
	 * now, it settles the slot first, so that ENDED is OLD no more.
	 */
	if (old != goal && !atomic_load(taken))
		(void)atomic_compare_exchange_strong(ended, &old, goal);
}

void
scoreboard_settle_free(struct scoreboard *board)
{
	for (size_t i = 0; i < SCOREBOARD_SLOTS; i++) {
		const _Atomic bool *taken = &board->notice->taken[i];
		struct metrics *metrics = &board->metrics[i];

		settle(taken, &metrics->connections_closed, &metrics->connections_accepted);
		settle(taken, &metrics->requests_ended, &metrics->requests_begun);
		settle(taken, &metrics->sleeps_ended, &metrics->sleeps_begun);
		settle(taken, &metrics->computes_ended, &metrics->computes_begun);
	}
}
