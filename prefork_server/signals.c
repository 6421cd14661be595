/* Signals of a worker: which only leave a note, which do something, and when they may. */
#include "prefork_server/signals.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* They are the arbiter's; a terminal, or a careless kill of the group, sends them to its workers as well. */
static const int not_ours[] = {SIGHUP, SIGTTIN, SIGTTOU, SIGUSR2, SIGWINCH};

static void (*on_end)(int signal);
static void (*on_reopen)(void);
static volatile sig_atomic_t termed;
static volatile sig_atomic_t reopening;             /* USR1 has come, and REOPEN was not called yet */
static volatile sig_atomic_t ending;                /* the first INT, QUIT or ABRT that came; 0: none */
static _Thread_local volatile sig_atomic_t waiting; /* a pool thread that waits lets no signal of the main thread act */
static volatile sig_atomic_t guarded_fds[SIGNALS_BREAK_MAX]; /* TERM breaks them */
static volatile sig_atomic_t guarded_count;
static volatile sig_atomic_t broken_fd = -1; /* what they are broken with */

void
signals_check(void)
{
	if (ending != 0)
		on_end(ending);
	if (reopening != 0) {
		reopening = 0;
		on_reopen();
	}
}

/* break_guarded returns 0 or -errno. */
static int
break_guarded(void)
{
	for (int i = 0; i < guarded_count; i++)
		if (dup3(broken_fd, guarded_fds[i], O_CLOEXEC) < 0)
			return -errno;
	return 0;
}

static void
on_term(int signal)
{
	int error = errno;

	(void)signal;
	termed = 1;
	(void)break_guarded();
	errno = error;
}

static void
on_signal(int signal)
{
	int error = errno;

	if (signal == SIGUSR1)
		reopening = 1;
	else if (ending == 0)
		ending = signal;
	if (waiting)
		signals_check();
	errno = error;
}

static void
handle(int signal, void (*handler)(int))
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};

	/* No handler interrupts another: what one calls may take its time. */
	sigfillset(&action.sa_mask);
	sigaction(signal, &action, NULL);
}

void
signals_init(void (*quit)(int signal), void (*reopen)(void))
{
	sigset_t none;

	on_end = quit;
	on_reopen = reopen;
	termed = reopening = ending = waiting = guarded_count = 0;
	handle(SIGTERM, on_term);
	handle(SIGUSR1, on_signal);
	handle(SIGINT, on_signal);
	handle(SIGQUIT, on_signal);
	handle(SIGABRT, on_signal);
	for (size_t i = 0; i < ARRAY_LEN(not_ours); i++)
		handle(not_ours[i], SIG_IGN);
	handle(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

int
signals_open(void)
{
	static const int ours[] = {SIGTERM, SIGUSR1, SIGINT, SIGQUIT, SIGABRT};
	sigset_t set;
	int fd;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		sigaddset(&set, ours[i]);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signals_check(); /* for those that came before */
	return fd;
}

void
signals_take(int fd)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		/* No notes for signals_check: the other threads call it too. */
		if (info.ssi_signo == SIGTERM)
			termed = 1;
		else if (info.ssi_signo == SIGUSR1)
			on_reopen();
		else
			on_end((int)info.ssi_signo);
	}
}

bool
signals_term(void)
{
	return termed != 0;
}

int
signals_break_on_term(int fd)
{
	if (broken_fd < 0)
		broken_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (broken_fd < 0)
		return -errno;
	assert(guarded_count < SIGNALS_BREAK_MAX);
	guarded_fds[guarded_count] = fd;
	atomic_signal_fence(memory_order_seq_cst);
	guarded_count++;
	/* TERM may have come before there was something to break. */
	return termed != 0 ? break_guarded() : 0;
}

void
signals_wait_begin(void)
{
	for (;;) {
		waiting = 1;
		atomic_signal_fence(memory_order_seq_cst);
		if (ending == 0 && reopening == 0)
			return;
		/* A signal that comes while these notes are obeyed leaves another: its handler must not act in there. */
		waiting = 0;
		atomic_signal_fence(memory_order_seq_cst);
		signals_check();
	}
}

void
signals_wait_end(void)
{
	atomic_signal_fence(memory_order_seq_cst);
	waiting = 0;
}

bool
signals_is_waiting(void)
{
	return waiting != 0;
}
