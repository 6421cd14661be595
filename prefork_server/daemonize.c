/* --daemon: the server goes on in the background, and whoever started it hears whether it could. */
#include "prefork_server/daemonize.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* await is the first process, until the daemon says how its start ended. */
static _Noreturn void
await(int listen_fd, pid_t child)
{
	unsigned char status;
	ssize_t got;

	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	do
		got = read(listen_fd, &status, 1);
	while (got < 0 && errno == EINTR);
	if (got != 1) {
		fprintf(stderr, "prefork_server: the daemon ended before it could serve\n");
		status = 1;
	}
	_exit(status);
}

int
daemonize_begin(int *tell_fd)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		int error = -errno;

		close(ends[0]);
		close(ends[1]);
		return error;
	}
	if (pid > 0) {
		close(ends[1]);
		await(ends[0], pid);
	}
	close(ends[0]);
	umask(S_IWGRP | S_IWOTH); /* as gunicorn does; --umask comes later */
	(void)setsid();           /* a child leads no group, so it cannot fail */
	/* The leader of a session could get a terminal by opening one: its child cannot. */
	pid = fork();
	if (pid < 0)
		fprintf(stderr, "prefork_server: --daemon: no second process\n");
	if (pid != 0)
		_exit(0);
	*tell_fd = ends[1];
	return 0;
}

void
daemonize_tell(int tell_fd, int status)
{
	unsigned char byte = (unsigned char)status;
	int null = status == 0 ? open("/dev/null", O_RDWR | O_CLOEXEC) : -1;

	for (int fd = STDIN_FILENO; null >= 0 && fd <= STDERR_FILENO; fd++)
		(void)dup2(null, fd);
	if (null > STDERR_FILENO)
		close(null);
	/* Who waited for it may be gone. */
	(void)!write(tell_fd, &byte, 1);
	close(tell_fd);
}
