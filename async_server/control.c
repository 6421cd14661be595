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
}

static void
toggle(struct settings *settings)
{
	log_info("Mode is now %s (SIGUSR1)", settings_mode_name(settings_toggle_blocking(settings)));
}

static void *
run(void *argument)
{
	struct control *control = argument;
	sigset_t set = signals();
	bool stopping = false;

	for (;;) {
		int number = sigwaitinfo(&set, NULL);

		switch (number) {
		case SIGUSR1:
			toggle(control->settings);
			break;
		case SIGINT:
		case SIGTERM:
			if (stopping) {
				log_warning("Ending at once: a second signal (SIG%s)", sigabbrev_np(number));
				_exit(1);
			}
			stopping = true;
			log_info("Stopping (SIG%s); a second signal ends at once", sigabbrev_np(number));
			control->stop(control->context);
			break;
		default:
			if (atomic_load(&control->ended))
				return NULL;
		}
	}
}

int
control_start(struct control *control, struct settings *settings, void (*stop)(void *context), void *context)
{
	control->settings = settings;
	control->stop = stop;
	control->context = context;
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
