/* The keeper: a small process that outlives the lab for a moment, and ends what the lab could not end itself. */
#include "experiments/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define GROUPS_MAX 256 /* alive at the same time: a lab has two for each job, and at most 64 jobs */

struct note {
	pid_t group;
	int alive;
};

/* keep reads notes until the lab is gone, then kills the groups that are left. */
static _Noreturn void
keep(int pipe)
{
	pid_t groups[GROUPS_MAX];
	size_t count = 0;
	struct note note;
	ssize_t got;

	/* A note is smaller than PIPE_BUF, so each read gets whole ones. */
	while ((got = read(pipe, &note, sizeof(note))) == (ssize_t)sizeof(note) || (got < 0 && errno == EINTR)) {
		if (got < 0)
			continue;
		for (size_t i = 0; i < count; i++)
			if (groups[i] == note.group)
				groups[i--] = groups[--count];
		if (note.alive && count < GROUPS_MAX)
			groups[count++] = note.group;
	}
	for (size_t i = 0; i < count; i++)
		kill(-groups[i], SIGKILL);
	_exit(0);
}

int
keeper_start(struct keeper *keeper)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		int error = errno;

		close(ends[0]);
		close(ends[1]);
		return -error;
	}
	if (pid == 0) {
		/* Ctrl-C and a closed terminal are for the lab; nothing of the lab's is to stay open because of us. */
		setsid();
		signal(SIGINT, SIG_IGN);
		signal(SIGTERM, SIG_IGN);
		signal(SIGHUP, SIG_IGN);
		prctl(PR_SET_NAME, "lab-keeper");
		dup2(ends[0], 0);
		close_range(1, ~0U, 0);
		keep(0);
	}
	close(ends[0]);
	*keeper = (struct keeper){.pid = pid, .pipe = ends[1]};
	return 0;
}

void
keeper_note(const struct keeper *keeper, pid_t group, bool alive)
{
	struct note note = {.group = group, .alive = alive};

	while (keeper->pid != 0 && write(keeper->pipe, &note, sizeof(note)) < 0 && errno == EINTR)
		;
}

void
keeper_stop(struct keeper *keeper)
{
	if (keeper->pid == 0)
		return;
	close(keeper->pipe);
	while (waitpid(keeper->pid, NULL, 0) < 0 && errno == EINTR)
		;
	*keeper = (struct keeper){0};
}
