/* The memory that the arbiter, its workers and the admin process share. */
#include "prefork_server/scoreboard.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#include "common/clock.h"

#define ROWS_SIZE (SCOREBOARD_SLOTS * sizeof(struct scoreboard_row))

/*
 * map_shared: most of it is never touched, and shall not be reserved either.
 * The pages of a memory file count when they are touched, whatever
 * vm.overcommit_memory says; a limit to the size of files (ulimit -f) rules it out.
 */
static void *
map_shared(size_t size)
{
	int fd = memfd_create("scoreboard", MFD_CLOEXEC);
	bool has_file = fd >= 0 && ftruncate(fd, (off_t)size) == 0;
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | (has_file ? 0 : MAP_ANONYMOUS | MAP_NORESERVE), has_file ? fd : -1, 0);

	if (fd >= 0)
		close(fd);
	return map == MAP_FAILED ? NULL : map;
}

int
scoreboard_open(struct scoreboard *board)
{
	int error;

	*board = (struct scoreboard){
	    .notice = map_shared(sizeof(*board->notice)),
	    .rows = map_shared(ROWS_SIZE),
	};
	if (board->notice != NULL && board->rows != NULL) {
		board->notice->started_ns = clock_now_ns();
		atomic_store(&board->notice->class_name, "");
		return 0;
	}
	error = errno != 0 ? -errno : -ENOMEM;
	scoreboard_close(board);
	return error;
}

void
scoreboard_close(struct scoreboard *board)
{
	if (board->notice != NULL)
		munmap(board->notice, sizeof(*board->notice));
	if (board->rows != NULL)
		munmap(board->rows, ROWS_SIZE);
	*board = (struct scoreboard){0};
}

void
scoreboard_protect(struct scoreboard *board)
{
	/* Nothing depends on it: should it fail, the arbiter still reads nothing back from there. */
	(void)mprotect(board->notice, sizeof(*board->notice), PROT_READ);
}

/* reach notes that what is below NEXT may have been used. */
static void
reach(_Atomic size_t *used, size_t next)
{
	if (atomic_load(used) < next)
		atomic_store(used, next);
}

void
scoreboard_take(struct scoreboard *board, size_t slot, size_t threads)
{
	struct scoreboard_seat *seat = &board->notice->seats[slot];

	reach(&board->notice->slots, slot + 1);
	reach(&board->notice->threads, threads);
	atomic_store(&seat->pid, 0);
	atomic_store(&seat->ending, false);
	atomic_store(&seat->born_ns, clock_now_ns());
	atomic_store(&seat->taken, true);
}

void
scoreboard_seat(struct scoreboard *board, size_t slot, pid_t pid, unsigned generation)
{
	struct scoreboard_seat *seat = &board->notice->seats[slot];

	atomic_store(&seat->generation, generation);
	atomic_store(&seat->pid, pid);
}

void
scoreboard_leave(struct scoreboard *board, size_t slot)
{
	atomic_store(&board->notice->seats[slot].taken, false);
}

void
scoreboard_end(struct scoreboard *board, size_t slot, enum scoreboard_reason reason)
{
	atomic_store(&board->notice->seats[slot].ending, true);
	if (reason < SCOREBOARD_REASONS)
		atomic_fetch_add(&board->notice->restarts[reason], 1);
}

void
scoreboard_begin(struct scoreboard *board, size_t slot)
{
	size_t threads = atomic_load(&board->notice->threads);

	for (size_t i = 0; i < threads; i++)
		lane_begin(&board->rows[slot].lanes[i]);
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

static void
settle_lane(const _Atomic bool *taken, struct metrics *metrics)
{
	settle(taken, &metrics->connections_closed, &metrics->connections_accepted);
	settle(taken, &metrics->requests_ended, &metrics->requests_begun);
	settle(taken, &metrics->sleeps_ended, &metrics->sleeps_begun);
	settle(taken, &metrics->computes_ended, &metrics->computes_begun);
}

void
scoreboard_settle_free(struct scoreboard *board)
{
	size_t slots = atomic_load(&board->notice->slots);
	size_t threads = atomic_load(&board->notice->threads);

	for (size_t slot = 0; slot < slots; slot++) {
		const _Atomic bool *taken = &board->notice->seats[slot].taken;

		for (size_t i = 0; i < threads && !atomic_load(taken); i++)
			settle_lane(taken, &board->rows[slot].lanes[i].metrics);
	}
}

void
scoreboard_sum(const struct scoreboard *board, struct metrics_totals *totals)
{
	size_t slots = atomic_load(&board->notice->slots);
	size_t threads = atomic_load(&board->notice->threads);

	for (size_t slot = 0; slot < slots; slot++)
		for (size_t i = 0; i < threads; i++)
			metrics_sum(totals, &board->rows[slot].lanes[i].metrics, 1);
}
