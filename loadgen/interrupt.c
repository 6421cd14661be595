/* SIGINT as something to wait for: the first one ends the run in order, the second one ends the program. */
#include "loadgen/interrupt.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* A signal belongs to the process, and so does this. */
static int signal_fd = -1;
static bool seen;

int
interrupt_open(void)
{
	struct sigaction action;
	sigset_t set;

	if (sigaction(SIGINT, NULL, &action) != 0)
		return -errno;
	if (action.sa_handler == SIG_IGN)
		return 0;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return -errno;
	signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
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
	seen = true;
}

void
interrupt_close(void)
{
	struct signalfd_siginfo info;
	sigset_t set;

	if (signal_fd == -1)
		return;
	while (read(signal_fd, &info, sizeof(info)) == sizeof(info))
		seen = true;
	close(signal_fd);
	signal_fd = -1;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

bool
interrupt_seen(void)
{
	return seen;
}
