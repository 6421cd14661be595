/* SIGINT and SIGTERM as something to wait for: the first one ends the run in order, the second one ends the program. */
#include "loadgen/interrupt.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* A signal belongs to the process, and so does this. */
static int signal_fd = -1;
static sigset_t watched;
static int seen; /* the number of the first one, 0: none came */

/* watch adds SIGNAL to those that are watched, unless it is ignored. Returns 0 or -errno. */
static int
watch(int signal)
{
	struct sigaction action;

	if (sigaction(signal, NULL, &action) != 0)
		return -errno;
	if (action.sa_handler != SIG_IGN)
		sigaddset(&watched, signal);
	return 0;
}

int
interrupt_open(void)
{
	int result;

	sigemptyset(&watched);
	result = watch(SIGINT);
	if (result == 0)
		result = watch(SIGTERM);
	if (result != 0)
		return result;
	if (sigprocmask(SIG_BLOCK, &watched, NULL) != 0)
		return -errno;
	signal_fd = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
	return signal_fd != -1 ? 0 : -errno;
}

int
interrupt_fd(void)
{
	return signal_fd;
}

void
interrupt_accept(void)
{
	interrupt_close();
}

void
interrupt_close(void)
{
	struct signalfd_siginfo info;

	if (signal_fd == -1)
		return;
	while (read(signal_fd, &info, sizeof(info)) == sizeof(info))
		if (seen == 0)
			seen = (int)info.ssi_signo;
	close(signal_fd);
	signal_fd = -1;
	sigprocmask(SIG_UNBLOCK, &watched, NULL);
}

bool
interrupt_seen(void)
{
	return seen != 0;
}

int
interrupt_signal(void)
{
	return seen;
}
