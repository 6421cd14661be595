/* A thread that waits for signals, so that they are obeyed at once, even while the loop is blocked. */
#include "async_server/control.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "async_server/side_thread.h"
#include "common/log.h"

/* Ends the thread, when `ended` says that it was meant so. */
#define SIGNAL_END SIGRTMIN

static sigset_t
signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGNAL_END);
	return set;
}

void
control_block_signals(void)
{
	sigset_t set = signals();

	pthread_sigmask(SIG_BLOCK, &set, NULL);
	/* Sockets are written with MSG_NOSIGNAL; this is for logs that go into a pipe. */
	signal(SIGPIPE, SIG_IGN);
	/* And for logs that have the largest size that a file may have (RLIMIT_FSIZE): the write then fails, as on a full disk. */
	signal(SIGXFSZ, SIG_IGN);
	/* There are no children but the orphans that PID 1 of a container gets: the kernel is to reap them. */
	signal(SIGCHLD, SIG_IGN);
}

static void
toggle(struct settings *settings)
{
	log_info("Mode is now %s (SIGUSR1)", settings_mode_name(settings_toggle_blocking(settings)));
}

/* stop begins a graceful end; a second signal has no patience. */
static void
stop(struct control *control, int number)
{
	if (control->stopping) {
		log_warning("Ending at once: a second signal (SIG%s)", sigabbrev_np(number));
		_exit(1);
	}
	control->stopping = true;
	log_info("Stopping (SIG%s); a second signal ends at once", sigabbrev_np(number));
	control->actions.stop(control->actions.context);
}

/* hang_up: a terminal that goes sends HUP, and so does its shell; two of them are no hurry. */
static void
hang_up(struct control *control)
{
	if (control->actions.reload != NULL)
		control->actions.reload(control->actions.context);
	else if (!control->stopping)
		stop(control, SIGHUP);
}

static void *
run(void *argument)
{
	struct control *control = argument;
	sigset_t set = signals();

	for (;;) {
		int number = sigwaitinfo(&set, NULL);

		switch (number) {
		case SIGUSR1:
			toggle(control->settings);
			break;
		case SIGHUP:
			hang_up(control);
			break;
		case SIGINT:
		case SIGTERM:
			stop(control, number);
			break;
		default:
			if (atomic_load(&control->ended))
				return NULL;
		}
	}
}

int
control_start(struct control *control, struct settings *settings, struct control_actions actions)
{
	control->settings = settings;
	control->actions = actions;
	control->stopping = false;
	atomic_init(&control->ended, false);
	return side_thread_start(&control->thread, run, control);
}

void
control_end(struct control *control)
{
	atomic_store(&control->ended, true);
	pthread_kill(control->thread, SIGNAL_END);
	pthread_join(control->thread, NULL);
}
