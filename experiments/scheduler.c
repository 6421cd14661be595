/* Runs the jobs of a plan, several at a time, from one thread with one poll(2). */
#include "experiments/scheduler.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/clock.h"

#define TICK_MS 250
#define CALM_NS (50 * NS_PER_MS) /* from the last start or stop to a short cell */

void
scheduler_signals(sigset_t *signals)
{
	sigemptyset(signals);
	sigaddset(signals, SIGCHLD);
	sigaddset(signals, SIGINT);
	sigaddset(signals, SIGTERM);
	sigaddset(signals, SIGHUP);
}

static size_t
count_active(const struct scheduler *scheduler)
{
	size_t count = 0;

	for (size_t i = 0; i < scheduler->job_count; i++)
		count += job_is_active(&scheduler->jobs[i]);
	return count;
}

/* exists tells whether a job is in STATE; with QUIET_ONLY, a quiet one. */
static bool
exists(const struct scheduler *scheduler, enum job_state state, bool quiet_only)
{
	for (size_t i = 0; i < scheduler->job_count; i++)
		if (scheduler->jobs[i].state == state && (scheduler->jobs[i].quiet || !quiet_only))
			return true;
	return false;
}

static bool
quiet_is_active(const struct scheduler *scheduler)
{
	for (size_t i = 0; i < scheduler->job_count; i++)
		if (scheduler->jobs[i].quiet && job_is_active(&scheduler->jobs[i]))
			return true;
	return false;
}

/* port_is_taken: another active job's definition names the same port. */
static bool
port_is_taken(const struct scheduler *scheduler, const struct job *job)
{
	int64_t port = job->cells[0]->server->port;

	for (size_t i = 0; i < scheduler->job_count && port != 0; i++)
		if (job_is_active(&scheduler->jobs[i]) && scheduler->jobs[i].port == port)
			return true;
	return false;
}

/* start_jobs starts what may start now. One place is kept for the short ones while there are any. */
static void
start_jobs(struct scheduler *scheduler)
{
	size_t active = count_active(scheduler);
	bool quiet_waits = exists(scheduler, JOB_QUEUED, true);
	bool quiet_active = quiet_is_active(scheduler);
	size_t for_long = scheduler->at_once - (quiet_waits || quiet_active ? 1 : 0);

	for (size_t i = 0; i < scheduler->job_count && active < scheduler->at_once; i++) {
		struct job *job = &scheduler->jobs[i];

		if (job->state != JOB_QUEUED || port_is_taken(scheduler, job))
			continue;
		if (job->quiet ? quiet_active : active - quiet_active >= for_long)
			continue;
		job_start(job, &scheduler->world);
		scheduler->calm_since_ns = clock_now_ns();
		quiet_active |= job->quiet;
		active++;
	}
}

/*
 * take_turns lets every job do its next step.  While a quiet job is loaded
 * nothing starts and nothing stops; while one waits for its turn nothing new starts, so that its turn comes.
 */
static void
take_turns(struct scheduler *scheduler)
{
	for (size_t i = 0; i < scheduler->job_count; i++) {
		struct job *job = &scheduler->jobs[i];

		if (exists(scheduler, JOB_LOADING, true))
			return;
		if (job->state == JOB_FINISHED) {
			job_stop(job);
			scheduler->calm_since_ns = clock_now_ns();
		} else if (job->state == JOB_IDLE && !job->quiet) {
			job_load(job, &scheduler->world);
		}
	}
	if (!exists(scheduler, JOB_IDLE, true)) {
		start_jobs(scheduler);
		return;
	}
	if (exists(scheduler, JOB_STARTING, false) || exists(scheduler, JOB_STOPPING, false) ||
	    clock_now_ns() < scheduler->calm_since_ns + CALM_NS)
		return;
	for (size_t i = 0; i < scheduler->job_count; i++)
		if (scheduler->jobs[i].quiet && scheduler->jobs[i].state == JOB_IDLE) {
			job_load(&scheduler->jobs[i], &scheduler->world);
			return;
		}
}

/* go_on lets every job see what has happened, and tells the run about new results. */
static void
go_on(struct scheduler *scheduler)
{
	for (size_t i = 0; i < scheduler->job_count; i++) {
		struct job *job = &scheduler->jobs[i];
		enum job_state before = job->state;

		job_go_on(job, &scheduler->world);
		if (job->state != before && job->state != JOB_LOADING)
			scheduler->calm_since_ns = clock_now_ns();
		for (; job->told < job->next_cell; job->told++)
			scheduler->on_cell(scheduler->context, job->cells[job->told]);
	}
}

static void
abort_jobs(struct scheduler *scheduler)
{
	for (size_t i = 0; i < scheduler->job_count; i++)
		job_abort(&scheduler->jobs[i], scheduler->interrupted);
	scheduler->interrupted = true;
}

static void
read_signals(struct scheduler *scheduler, int signals)
{
	struct signalfd_siginfo signal;
	int status;
	pid_t pid;

	while (read(signals, &signal, sizeof(signal)) == (ssize_t)sizeof(signal))
		if (signal.ssi_signo != SIGCHLD)
			abort_jobs(scheduler);
	while ((pid = process_reap_next(&status)) > 0)
		for (size_t i = 0; i < scheduler->job_count; i++)
			if (job_child_ended(&scheduler->jobs[i], pid, status))
				break;
}

/* wait_for_events waits until a signal, a probe's connection or a deadline wants attention. */
static void
wait_for_events(struct scheduler *scheduler, int signals)
{
	struct pollfd fds[1 + SCHEDULER_JOBS_MAX] = {{.fd = signals, .events = POLLIN}};
	nfds_t count = 1;
	uint64_t due = clock_now_ns() + TICK_MS * NS_PER_MS;

	if (exists(scheduler, JOB_IDLE, true) && scheduler->calm_since_ns + CALM_NS < due)
		due = scheduler->calm_since_ns + CALM_NS;
	for (size_t i = 0; i < scheduler->job_count; i++) {
		const struct job *job = &scheduler->jobs[i];
		uint64_t job_due = job_is_active(job) ? job_due_ns(job) : UINT64_MAX;

		if (job_due < due)
			due = job_due;
		if (job->state == JOB_STARTING && job->ready.fd >= 0 && count < 1 + SCHEDULER_JOBS_MAX)
			fds[count++] = (struct pollfd){.fd = job->ready.fd, .events = ready_events(&job->ready)};
	}
	if (poll(fds, count, clock_ms_until(due)) < 0 && errno != EINTR)
		abort_jobs(scheduler);
}

static bool
all_done(const struct scheduler *scheduler)
{
	for (size_t i = 0; i < scheduler->job_count; i++)
		if (scheduler->jobs[i].state != JOB_DONE)
			return false;
	return true;
}

int
scheduler_run(struct scheduler *scheduler)
{
	sigset_t set;
	int signals;

	scheduler_signals(&set);
	signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (signals < 0)
		return -errno;
	for (;;) {
		read_signals(scheduler, signals);
		go_on(scheduler);
		if (all_done(scheduler))
			break;
		if (!scheduler->interrupted)
			take_turns(scheduler);
		scheduler->on_tick(scheduler->context, scheduler);
		wait_for_events(scheduler, signals);
	}
	close(signals);
	return scheduler->interrupted ? -EINTR : 0;
}

double
scheduler_time_left_s(const struct scheduler *scheduler)
{
	double quiet = 0, others = 0, longest = 0, lanes;
	uint64_t now = clock_now_ns();

	for (size_t i = 0; i < scheduler->job_count; i++) {
		const struct job *job = &scheduler->jobs[i];
		double left = 0;

		if (job->state == JOB_FINISHED || job->state == JOB_STOPPING || job->state == JOB_DONE)
			continue;
		for (size_t c = job->next_cell; c < job->cell_count; c++)
			left += plan_cell_expected_s(job->cells[c]);
		if (job->state == JOB_LOADING)
			left = fmax(0, left - (double)(now - job->state_since_ns) / (double)NS_PER_SEC);
		longest = fmax(longest, left);
		*(job->quiet ? &quiet : &others) += left;
	}
	lanes = (double)scheduler->at_once - (quiet > 0 && scheduler->at_once > 1 ? 1 : 0);
	if (scheduler->at_once == 1)
		return quiet + others;
	return fmax(fmax(longest, quiet), others / lanes);
}

size_t
scheduler_jobs_default(void)
{
	cpu_set_t cpus;
	size_t count = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? (size_t)CPU_COUNT(&cpus) : 1;

	return count < 1 ? 4 : count > 4 ? 16 : 4 * count;
}
