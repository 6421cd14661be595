/* The process that answers the admin address: a child of the arbiter, so that the arbiter reads no request. */
#include "prefork_server/admin_child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/admin.h"
#include "common/clock.h"
#include "common/listener.h"
#include "common/log.h"
#include "common/metrics.h"
#include "prefork_server/status.h"
#include "prefork_server/status_json.h"
#include "prefork_server/status_metrics.h"
#include "prefork_server/status_text.h"

#define STOP_MS 1000 /* for the child to end by itself */

static void
sum_metrics(const void *context, struct metrics_totals *totals)
{
	const struct status *status = context;

	scoreboard_sum(status->board, totals);
}

static size_t
write_metrics(const void *context, char *buf, size_t used, size_t size)
{
	return status_metrics_write(context, buf, used, size);
}

static size_t
write_scoreboard(const void *context, bool as_text, struct admin_cursor *cursor, char *buf)
{
	return as_text ? status_text_write(context, cursor, buf) : status_json_write(context, cursor, buf);
}

static const struct admin_route routes[] = {{.path = "/scoreboard", .write = write_scoreboard}, {.path = NULL}};

static bool
is_healthy(const void *context, char *why, size_t why_size)
{
	const struct status *status = context;
	const struct scoreboard_notice *notice = status->board->notice;

	if (atomic_load(&notice->stopping))
		snprintf(why, why_size, "the server is stopping");
	else if (atomic_load(&notice->workers) == 0)
		snprintf(why, why_size, "no worker is alive");
	else
		return true;
	return false;
}

/* on_usr1: everything that log_reopen does is async-signal-safe. */
static void
on_usr1(int signal)
{
	int error = errno;

	(void)signal;
	(void)!log_reopen();
	errno = error;
}

static struct scoreboard *board; /* of this process, for on_child */

/* on_child: a worker has ended, and perhaps not by itself. */
static void
on_child(int signal)
{
	(void)signal;
	scoreboard_settle_free(board);
}

/* take_signals: the arbiter ends this child by the pipe; what is sent to the whole group is not for it. */
static void
take_signals(void)
{
	static const int ignored[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGTTIN, SIGTTOU};
	struct sigaction usr1 = {.sa_handler = on_usr1, .sa_flags = SA_RESTART};
	struct sigaction child = {.sa_handler = on_child, .sa_flags = SA_RESTART};
	sigset_t none;

	for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
		signal(ignored[i], SIG_IGN);
	sigaction(SIGUSR1, &usr1, NULL);
	sigaction(SIGCHLD, &child, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static struct heartbeat *heartbeat; /* the same, for beat */

static void
beat(void)
{
	heartbeat_beat(heartbeat);
}

static _Noreturn void
be_child(struct admin_child *child, int stop_fd, pid_t arbiter)
{
	const struct status status = {
	    .board = child->board,
	    .listeners = child->service,
	    .arbiter = arbiter,
	};
	struct admin admin = {
	    .listen_fd = child->listen_fd,
	    .stop_fd = stop_fd,
	    .settings = child->settings,
	    .metrics_of = METRICS_OF_WORKERS,
	    .sum_metrics = sum_metrics,
	    .write_metrics = write_metrics,
	    .is_healthy = is_healthy,
	    .routes = routes,
	    .context = &status,
	    .beat = beat,
	};
	int error;

	close(child->hold_fd);
	error = privileges_drop(child->privileges);
	if (error != 0) {
		log_error("The admin process cannot become user %d, group %d: %s", (int)child->privileges->uid,
		    (int)child->privileges->gid, strerror(-error));
		exit(1);
	}
	/* The pipe ends it with the arbiter as a rule; one that was stopped would not look. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != arbiter)
		exit(1);
	scoreboard_protect(child->board);
	board = child->board;
	heartbeat = child->heartbeat;
	take_signals();
	raise(SIGCHLD); /* for those that ended before */
	error = admin_serve(&admin);
	if (error != 0)
		log_error("The admin address stopped: %s", strerror(-error));
	exit(error == 0 ? 0 : 1);
}

/* watch looks, once a second, whether the child beats. */
static void
watch(struct admin_child *child)
{
	uint64_t now = clock_now_ns();
	uint64_t elapsed_ns = now - child->looked_ns;

	if (elapsed_ns < NS_PER_SEC)
		return;
	child->looked_ns = now;
	if (heartbeat_watch_look(&child->watch, child->heartbeat, elapsed_ns) <= ADMIN_CHILD_SILENT_NS)
		return;
	log_critical("ADMIN PROCESS TIMEOUT (pid:%d)", (int)child->pid);
	kill(child->pid, SIGKILL);
	child->watch.silent_ns = 0; /* to say it once */
}

/* map_heartbeat makes the memory, once. */
static bool
map_heartbeat(struct admin_child *child)
{
	void *map;

	if (child->heartbeat != NULL)
		return true;
	map = mmap(NULL, sizeof(*child->heartbeat), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		return false;
	child->heartbeat = map;
	return true;
}

void
admin_child_manage(struct admin_child *child)
{
	pid_t arbiter = getpid();
	uint64_t now = clock_now_ns();
	int ends[2] = {-1, -1};
	pid_t pid = -1;

	if (child->pid != 0)
		watch(child);
	if (child->listen_fd < 0 || child->resting || child->pid != 0 || now < child->start_due_ns)
		return;
	child->start_due_ns = now + NS_PER_SEC;
	if (map_heartbeat(child) && pipe2(ends, O_CLOEXEC) == 0) {
		heartbeat_watch_begin(&child->watch, child->heartbeat);
		child->looked_ns = now;
		child->hold_fd = ends[1];
		pid = fork();
		if (pid == 0)
			be_child(child, ends[0], arbiter);
	}
	if (pid > 0) {
		child->pid = pid;
		close(ends[0]);
		return;
	}
	log_error("Cannot start the admin process: %s; trying again in 1 s", strerror(errno));
	if (ends[0] >= 0) {
		close(ends[0]);
		close(ends[1]);
	}
	child->hold_fd = -1;
}

void
admin_child_reaped(struct admin_child *child, pid_t pid, int status)
{
	if (pid != child->pid) {
		if (child->pid != 0)
			kill(child->pid, SIGCHLD);
		return;
	}
	child->pid = 0;
	close(child->hold_fd);
	child->hold_fd = -1;
	if (status != 0)
		log_error("The admin process (pid:%d) ended unasked and is replaced", (int)pid);
}

void
admin_child_forget(struct admin_child *child)
{
	if (child->listen_fd >= 0)
		close(child->listen_fd);
	if (child->hold_fd >= 0)
		close(child->hold_fd);
}

/* end ends the child, if there is one. */
static void
end(struct admin_child *child)
{
	uint64_t due_ns = clock_now_ns() + STOP_MS * NS_PER_MS;

	if (child->pid == 0)
		return;
	close(child->hold_fd);
	child->hold_fd = -1;
	while (waitpid(child->pid, NULL, WNOHANG) == 0) {
		if (clock_now_ns() >= due_ns)
			kill(child->pid, SIGKILL);
		clock_sleep_until_ns(clock_now_ns() + NS_PER_MS);
	}
	child->pid = 0;
}

void
admin_child_rest(struct admin_child *child)
{
	child->resting = true;
	end(child);
}

void
admin_child_resume(struct admin_child *child)
{
	child->resting = false;
	child->start_due_ns = 0;
}

void
admin_child_stop(struct admin_child *child, bool shared)
{
	if (child->listen_fd < 0)
		return;
	end(child);
	if (!shared)
		listener_remove_file(child->listen_fd);
	close(child->listen_fd);
	child->listen_fd = -1;
	if (child->heartbeat != NULL)
		munmap(child->heartbeat, sizeof(*child->heartbeat));
	child->heartbeat = NULL;
}
