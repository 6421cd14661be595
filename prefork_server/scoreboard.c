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
