/* Signals of a worker: which only leave a note, which end it, and when they may. */
#include "prefork_server/signals.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/epoll.h>

#include "common/compiler.h"

/* They are the arbiter's; a terminal, or a careless kill of the group, sends them to its workers as well. */
static const int not_ours[] = {SIGHUP, SIGTTIN, SIGTTOU};

static void (*on_end)(int signal);
static volatile sig_atomic_t termed;
static volatile sig_atomic_t reopen;
static volatile sig_atomic_t ending; /* the first INT, QUIT or ABRT that came; 0: none */
static volatile sig_atomic_t waiting;

static void
on_note(int signal)
{
	if (signal == SIGTERM)
		termed = 1;
	else
		reopen = 1;
}

static void
on_quit(int signal)
{
	if (ending == 0)
		ending = signal;
	if (waiting)
		on_end(signal);
}

static void
handle(int signal, void (*handler)(int))
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};

	/* No handler interrupts another: on_end may then take its time. */
	sigfillset(&action.sa_mask);
	sigaction(signal, &action, NULL);
}

void
signals_init(void (*quit)(int signal))
{
	sigset_t none;

	on_end = quit;
	termed = reopen = ending = waiting = 0;
	handle(SIGTERM, on_note);
	handle(SIGUSR1, on_note);
	handle(SIGINT, on_quit);
	handle(SIGQUIT, on_quit);
	handle(SIGABRT, on_quit);
	for (size_t i = 0; i < ARRAY_LEN(not_ours); i++)
		handle(not_ours[i], SIG_IGN);
	handle(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

bool
signals_term(void)
{
	return termed != 0;
}

bool
signals_take_reopen(void)
{
	if (reopen == 0)
		return false;
	reopen = 0;
	return true;
}

void
signals_check(void)
{
	if (ending != 0)
		on_end(ending);
}

void
signals_wait_begin(void)
{
	waiting = 1;
	atomic_signal_fence(memory_order_seq_cst);
	signals_check();
}

void
signals_wait_end(void)
{
	atomic_signal_fence(memory_order_seq_cst);
	waiting = 0;
}

void
signals_idle(int epoll_fd, int timeout_ms)
{
	struct epoll_event event;
	sigset_t notes, before;

	sigemptyset(&notes);
	sigaddset(&notes, SIGTERM);
	sigaddset(&notes, SIGUSR1);
	sigprocmask(SIG_BLOCK, &notes, &before);
	signals_wait_begin();
	if (termed == 0 && reopen == 0)
		(void)epoll_pwait(epoll_fd, &event, 1, timeout_ms, &before);
	signals_wait_end();
	sigprocmask(SIG_SETMASK, &before, NULL);
}
