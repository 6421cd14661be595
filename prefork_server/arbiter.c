/* The arbiter: opens what is shared, keeps the workers going, obeys signals, and reads nothing that a client sent. */
#include "prefork_server/arbiter.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/listener.h"
#include "common/log.h"
#include "common/version.h"
#include "prefork_server/drain.h"
#include "prefork_server/notify.h"
#include "prefork_server/pidfile.h"
#include "prefork_server/startup.h"

#define KILL_PATIENCE_NS (5 * NS_PER_SEC) /* for the kernel to end what was sent KILL */

/* How a signal lets the main loop go on. */
enum verdict {
	GO_ON,
	STOP_GRACEFULLY, /* workers finish their requests */
	STOP_QUICKLY,    /* they do not */
};

static enum verdict
on_term(struct arbiter *arbiter)
{
	(void)arbiter;
	return STOP_GRACEFULLY;
}

static enum verdict
on_quit(struct arbiter *arbiter)
{
	(void)arbiter;
	return STOP_QUICKLY;
}

void
arbiter_reopen_logs(struct arbiter *arbiter)
{
	int error = log_reopen();

	if (error != 0)
		log_error("Cannot open %s again: %s", arbiter->config->error_log, strerror(-error));
	error = access_log_reopen(arbiter->access_log);
	if (error != 0)
		log_error("Cannot open %s again: %s", arbiter->config->access_log, strerror(-error));
	startup_give_logs(arbiter);
}

static void
forward_usr1(struct arbiter *arbiter)
{
	crew_kill(&arbiter->crew, SIGUSR1);
	if (arbiter->admin.pid != 0)
		kill(arbiter->admin.pid, SIGUSR1);
}

static enum verdict
on_hup(struct arbiter *arbiter)
{
	log_info("Hang up: %s", arbiter->name);
	reload_run(arbiter);
	if (arbiter->admin.pid != 0)
		kill(arbiter->admin.pid, SIGUSR1);
	return GO_ON;
}

/* on_winch is for a terminal's change of size too, where there is one: then it means nothing. */
static enum verdict
on_winch(struct arbiter *arbiter)
{
	if (!arbiter->config->daemon) {
		log_debug("SIGWINCH ignored. Not daemonized");
		return GO_ON;
	}
	log_info("graceful stop of workers");
	arbiter->crew.target = 0;
	return GO_ON;
}

static enum verdict
on_usr1(struct arbiter *arbiter)
{
	arbiter_reopen_logs(arbiter);
	forward_usr1(arbiter);
	return GO_ON;
}

static enum verdict
on_ttin(struct arbiter *arbiter)
{
	if (arbiter->crew.target < CONFIG_WORKERS_MAX)
		arbiter->crew.target++;
	else
		log_warning("There are %d workers already, the most there can be", CONFIG_WORKERS_MAX);
	return GO_ON;
}

static enum verdict
on_ttou(struct arbiter *arbiter)
{
	if (arbiter->crew.target > 1)
		arbiter->crew.target--;
	return GO_ON;
}

/* promote looks whether the arbiter that has started this one is gone. (gunicorn: maybe_promote_master) */
static void
promote(struct arbiter *arbiter)
{
	const char *path = arbiter->config->pid_file;
	char error[512];

	if (!upgrade_promoted(&arbiter->upgrade))
		return;
	log_info("Master has been promoted.");
	arbiter->name = ARBITER_NAME;
	if (arbiter->pid_file[0] == '\0')
		return;
	if (pidfile_move(arbiter->pid_file, path, error, sizeof(error)) == 0)
		snprintf(arbiter->pid_file, sizeof(arbiter->pid_file), "%s", path);
	else
		log_error("The pid file stays %s: %s", arbiter->pid_file, error);
}

static enum verdict
on_usr2(struct arbiter *arbiter)
{
	struct upgrade *upgrade = &arbiter->upgrade;
	int error;

	promote(arbiter);
	if (upgrade->child != 0) {
		log_warning("USR2 signal ignored. Child exists.");
	} else if (upgrade->parent != 0) {
		log_warning("USR2 signal ignored. Parent exists.");
	} else if ((error = upgrade_start(upgrade, &arbiter->listeners, arbiter->admin.listen_fd)) != 0) {
		log_error("Cannot start another arbiter: %s", strerror(-error));
	} else {
		/* Two would answer in turn, each of its own workers. */
		admin_child_rest(&arbiter->admin);
	}
	return GO_ON;
}

static const struct {
	int number;
	const char *name;
	enum verdict (*handle)(struct arbiter *);
} signals[] = {
    {SIGHUP, "hup", on_hup},
    {SIGINT, "int", on_quit},
    {SIGQUIT, "quit", on_quit},
    {SIGTERM, "term", on_term},
    {SIGTTIN, "ttin", on_ttin},
    {SIGTTOU, "ttou", on_ttou},
    {SIGUSR1, "usr1", on_usr1},
    {SIGUSR2, "usr2", on_usr2},
    {SIGWINCH, "winch", on_winch},
};

/*
 * fill_signals: those that the arbiter waits for.  They stay blocked for its
 * whole life and are taken one at a time by sigtimedwait(2): no handler, no
 * pipe, nothing lost between a check and a wait, and it holds for PID 1 too.
 */
static void
fill_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGCHLD);
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		sigaddset(set, signals[i].number);
}

void
arbiter_take_signals(void)
{
	sigset_t set;

	/* Whoever started us may have had children reaped by the kernel: then nobody could tell how a worker ended. */
	signal(SIGCHLD, SIG_DFL);
	fill_signals(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

/* remove_second_pid_file: the arbiter PID was perhaps killed, and could not do it. */
static void
remove_second_pid_file(const struct arbiter *arbiter, pid_t pid)
{
	char name[PATH_MAX];

	if (arbiter->pid_file[0] != '\0' &&
	    (size_t)snprintf(name, sizeof(name), "%s" ARBITER_SECOND_SUFFIX, arbiter->pid_file) < sizeof(name))
		pidfile_remove_of(name, pid);
}

/* reap takes every child that has ended. Returns the exit status that ends the arbiter too, or 0. */
static int
reap(struct arbiter *arbiter)
{
	int halt = 0;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		int result = crew_reaped(&arbiter->crew, pid, status);

		admin_child_reaped(&arbiter->admin, pid, status);
		if (upgrade_reaped(&arbiter->upgrade, pid, status)) {
			remove_second_pid_file(arbiter, pid);
			admin_child_resume(&arbiter->admin);
		}
		if (result != 0)
			halt = result;
	}
	return halt;
}

/* wait_signal waits until DUE_NS for a signal of ours. Returns its number, 0 when time is up. */
static int
wait_signal(uint64_t due_ns)
{
	int ms = clock_ms_until(due_ns);
	struct timespec timeout = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * (long)NS_PER_MS};
	sigset_t set;
	int number;

	fill_signals(&set);
	number = sigtimedwait(&set, NULL, &timeout);
	return number > 0 ? number : 0;
}

static uint64_t
earlier(uint64_t a_ns, uint64_t b_ns)
{
	return a_ns < b_ns ? a_ns : b_ns;
}

/* obey carries out signal NUMBER; SIGCHLD and 0 only woke us. */
static enum verdict
obey(struct arbiter *arbiter, int number)
{
	for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
		if (signals[i].number != number)
			continue;
		log_info("Handling signal: %s", signals[i].name);
		return signals[i].handle(arbiter);
	}
	return GO_ON;
}

/* obey_stopping is obey during a stop: INT and QUIT hurry it, the logs are still rotated, and the rest comes too late. */
static enum verdict
obey_stopping(struct arbiter *arbiter, int number)
{
	return number == SIGINT || number == SIGQUIT || number == SIGUSR1 ? obey(arbiter, number) : GO_ON;
}

/* wait_end waits until DUE_NS for all workers to end. Returns whether INT or QUIT came first, to hurry it. */
static bool
wait_end(struct arbiter *arbiter, uint64_t due_ns)
{
	while (crew_count(&arbiter->crew) > 0 && clock_now_ns() < due_ns) {
		int number = wait_signal(due_ns);

		(void)reap(arbiter);
		if (obey_stopping(arbiter, number) == STOP_QUICKLY)
			return true;
	}
	return false;
}

/*
 * be_last is for when ERROR keeps us from holding anybody back: TERM makes the workers serve as
 * many as wait now, and one that comes after that may be reset.
 */
static void
be_last(struct arbiter *arbiter, int error)
{
	log_warning(
	    "Cannot hold new connections back: %s; one that comes during the stop may be reset", strerror(-error));
	/* The flag is one for all who share the socket: its queue is emptied from now on, and not waited for. */
	for (size_t i = 0; i < arbiter->listeners.count; i++) {
		int fd = arbiter->listeners.fds[i];

		(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	}
	atomic_store(&arbiter->board.notice->serve_last, true);
}

/* can_serve tells whether there is a worker, or will be where they CAN_BOOT. */
static bool
can_serve(const struct crew *crew, bool can_boot)
{
	return crew_count(crew) > 0 || (can_boot && crew->target > 0);
}

/*
 * drain lets the workers serve, as ever and until DUE_NS at most, all who wait
 * to be accepted.  Where workers CAN_BOOT, those that end meanwhile are replaced.  Returns how to go on.
 */
static enum verdict
drain(struct arbiter *arbiter, struct drain *door, bool can_boot, uint64_t due_ns)
{
	struct crew *crew = &arbiter->crew;

	while (!(drain_is_over(door) && arbiter->reload.leaving.count == 0) && clock_now_ns() < due_ns &&
	       can_serve(crew, can_boot)) {
		int number;

		reload_manage(arbiter);
		if (can_boot)
			crew_manage(crew);
		number = wait_signal(earlier(earlier(door->look_ns, due_ns), reload_due_ns(arbiter)));
		can_boot = reap(arbiter) == 0 && can_boot;
		if (obey_stopping(arbiter, number) == STOP_QUICKLY)
			return STOP_QUICKLY;
		crew_murder(crew);
	}
	return STOP_GRACEFULLY;
}

/*
 * stop ends all workers.  A graceful stop becomes a quick one by INT or QUIT,
 * and a quick one a kill; the end of graceful-timeout is a kill as well.
 */
static void
stop(struct arbiter *arbiter, enum verdict how, bool can_boot)
{
	uint64_t due_ns = clock_now_ns() + arbiter->config->graceful_timeout_ns;
	struct drain door;
	bool ours;
	int error = 0;

	arbiter->reload.again = false;
	promote(arbiter);
	if (arbiter->upgrade.parent == 0)
		notify_stopping(arbiter->upgrade.child);
	/* Others go on listening where they are not: what waits is left to them. */
	ours = !arbiter->listeners.managed && !upgrade_is_under_way(&arbiter->upgrade);
	atomic_store(&arbiter->board.notice->stopping, true);
	if (how == STOP_GRACEFULLY && ours) {
		error = drain_begin(&door, &arbiter->listeners);
		if (error == 0)
			how = drain(arbiter, &door, can_boot, due_ns);
		else
			be_last(arbiter, error);
	}
	crew_stop(&arbiter->crew, how == STOP_GRACEFULLY ? SIGTERM : SIGQUIT);
	/* After the signal, so that no worker takes the end of its socket for a fault. */
	listeners_close(&arbiter->reload.leaving);
	if (error == 0 && ours)
		listeners_close(&arbiter->listeners);
	else
		listeners_leave(&arbiter->listeners);
	if (wait_end(arbiter, due_ns) && how == STOP_GRACEFULLY) {
		crew_stop(&arbiter->crew, SIGQUIT);
		(void)wait_end(arbiter, due_ns);
	}
	crew_stop(&arbiter->crew, SIGKILL);
	(void)wait_end(arbiter, clock_now_ns() + KILL_PATIENCE_NS);
}

static void
log_start(const struct arbiter *arbiter)
{
	char names[LISTENERS_NAMES_MAX], name[LISTENER_NAME_MAX];

	log_info("Starting prefork_server %s", LOOPFORK_VERSION);
	log_info("Listening at: %s (%d)", listeners_names(&arbiter->listeners, names, sizeof(names)), (int)getpid());
	log_info("Using worker: %s", arbiter->crew.class->name);
	if (arbiter->admin.listen_fd >= 0)
		log_info("Admin at: %s", listener_name(arbiter->admin.listen_fd, name));
	if (arbiter->crew.class->check != NULL)
		arbiter->crew.class->check(arbiter->config);
	notify_ready();
}

int
arbiter_run(struct arbiter *arbiter)
{
	struct crew *crew = &arbiter->crew;
	enum verdict verdict = GO_ON;
	int halt = 0;
	int number;

	log_start(arbiter);
	crew->looked_ns = clock_now_ns();
	while (verdict == GO_ON && halt == 0) {
		promote(arbiter);
		reload_manage(arbiter);
		crew_manage(crew);
		admin_child_manage(&arbiter->admin);
		number = wait_signal(earlier(crew_due_ns(crew), reload_due_ns(arbiter)));
		/* First, as SIGCHLD may come last: USR2 would be refused for an arbiter that has just ended. */
		halt = reap(arbiter);
		verdict = obey(arbiter, number);
		crew_murder(crew);
	}
	stop(arbiter, verdict == GO_ON ? STOP_GRACEFULLY : verdict, halt == 0);
	log_info("Shutting down: %s", arbiter->name);
	if (halt != 0)
		log_info("Reason: %s", halt == WORKER_BOOT_ERROR ? "Worker failed to boot." : "App failed to load.");
	return halt;
}
