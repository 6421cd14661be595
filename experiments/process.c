/* Child processes: each in its own group, its output kept in memory, ended and reaped whatever happens. */
#include "experiments/process.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "experiments/memory.h"

#define SWEEP_SECONDS 5

/* What a child is to become. */
struct start {
	const struct keeper *keeper;
	char *const *argv;
	const cpu_set_t *cpus; /* NULL: any */
	int input;
};

/* become is the child between fork and exec; it writes errno to REPORT when it cannot become what START says. */
static _Noreturn void
become(const struct process *process, const struct start *start, int report, pid_t lab)
{
	sigset_t none;
	int error;

	setpgid(0, 0);
	/* The lab may have died before the next line took effect: then nobody is left to be told. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != lab)
		_exit(127);
	keeper_note(start->keeper, getpid(), true);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if ((start->cpus == NULL || sched_setaffinity(0, sizeof(*start->cpus), start->cpus) == 0) &&
	    dup2(start->input, 0) >= 0 && dup2(process->output, 1) >= 0 && dup2(process->errors, 2) >= 0)
		execv(start->argv[0], start->argv);
	error = errno;
	if (write(report, &error, sizeof(error)) < 0)
		_exit(126);
	_exit(127);
}

static int
spawn(struct process *process, const struct start *start)
{
	int report[2], error = 0;
	pid_t lab = getpid(), pid;
	ssize_t got;

	if (pipe2(report, O_CLOEXEC) != 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		become(process, start, report[1], lab);
	if (pid < 0)
		error = errno;
	close(report[1]);
	if (pid > 0) {
		/* The child's end closes when execve succeeds; until then this waits, well under a millisecond. */
		while ((got = read(report[0], &error, sizeof(error))) < 0 && errno == EINTR)
			;
		if (got <= 0)
			error = 0;
		process->pid = pid;
		process->running = true;
	}
	close(report[0]);
	if (pid > 0 && error != 0) {
		while (waitpid(pid, &process->status, 0) < 0 && errno == EINTR)
			;
		process->running = false;
	}
	return -error;
}

/* begin opens the memory files and spawns; after an error there is nothing to close. */
static int
begin(struct process *process, const struct start *start, bool apart)
{
	int error = 0;

	*process = (struct process){.output = -1, .errors = -1};
	process->output = memfd_create("output", MFD_CLOEXEC);
	process->errors = apart ? memfd_create("errors", MFD_CLOEXEC) : process->output;
	if (process->output < 0 || process->errors < 0)
		error = -errno;
	/* Two writers of one file, and what they write must not overwrite each other. */
	else if (fcntl(process->output, F_SETFL, O_APPEND) < 0 || fcntl(process->errors, F_SETFL, O_APPEND) < 0)
		error = -errno;
	else
		error = spawn(process, start);
	if (error != 0)
		process_close(process, start->keeper);
	return error;
}

int
process_spawn(
    struct process *process, const struct keeper *keeper, char *const *argv, const cpu_set_t *cpus, bool apart)
{
	const struct start start = {
	    .keeper = keeper,
	    .argv = argv,
	    .cpus = cpus,
	    .input = open("/dev/null", O_RDONLY | O_CLOEXEC),
	};
	int error;

	if (start.input < 0)
		return -errno;
	error = begin(process, &start, apart);
	close(start.input);
	return error;
}

pid_t
process_reap_next(int *status)
{
	siginfo_t child = {0};

	/*
	 * WNOWAIT leaves the dead process in the table: until it is reaped, its id, and so its
	 * group's, cannot be reused.
	 */
	if (waitid(P_ALL, 0, &child, WEXITED | WNOHANG | WNOWAIT) != 0 || child.si_pid == 0)
		return 0;
	if (getpgid(child.si_pid) == child.si_pid)
		kill(-child.si_pid, SIGKILL);
	return waitpid(child.si_pid, status, WNOHANG) == child.si_pid ? child.si_pid : 0;
}

void
process_ended(struct process *process, int status)
{
	process->running = false;
	process->status = status;
}

void
process_signal(const struct process *process, int number)
{
	if (process->pid > 0 && process->running)
		kill(process->pid, number);
}

void
process_kill(const struct process *process)
{
	if (process->pid > 0)
		kill(-process->pid, SIGKILL);
}

bool
process_is_gone(const struct process *process)
{
	return process->pid == 0 || (!process->running && kill(-process->pid, 0) != 0 && errno == ESRCH);
}

void
process_close(struct process *process, const struct keeper *keeper)
{
	if (process->pid > 0)
		keeper_note(keeper, process->pid, false);
	if (process->errors >= 0 && process->errors != process->output)
		close(process->errors);
	if (process->output >= 0)
		close(process->output);
	*process = (struct process){.output = -1, .errors = -1};
}

void
process_read(int memory, struct text *text, size_t max)
{
	off_t size = lseek(memory, 0, SEEK_END);
	off_t at = size > (off_t)max ? size - (off_t)max : 0;
	char part[4096];
	ssize_t got;

	while ((got = pread(memory, part, sizeof(part), at)) > 0 && text->len < max) {
		text_add_len(text, part, (size_t)got);
		at += got;
	}
}

const char *
process_last_lines(int memory, char *lines, size_t size)
{
	struct text text = {0};
	const char *from, *end;
	size_t used = 0;
	int feeds = 0;

	process_read(memory, &text, size < 400 ? size : 400);
	end = text_string(&text) + text.len;
	while (end > text_string(&text) && isspace((unsigned char)end[-1]))
		end--;
	for (from = end; from > text_string(&text); from--)
		if (from[-1] == '\n' && ++feeds == 3)
			break;
	for (; from < end && used + 4 < size; from++) {
		if (*from == '\n') {
			memcpy(lines + used, " | ", 3);
			used += 3;
		} else {
			lines[used++] =
			    (char)(isprint((unsigned char)*from) || (unsigned char)*from >= 0x80 ? *from : ' ');
		}
	}
	lines[used] = '\0';
	if (used == 0)
		snprintf(lines, size, "it wrote nothing");
	text_deinit(&text);
	return lines;
}

const char *
process_describe(const struct process *process, char *how, size_t size)
{
	if (WIFSIGNALED(process->status))
		snprintf(how, size, "was killed by signal %d (%s)", WTERMSIG(process->status),
		    strsignal(WTERMSIG(process->status)));
	else
		snprintf(how, size, "ended with status %d", WEXITSTATUS(process->status));
	return how;
}

/* wait_for_end waits until the process has ended, at most SECONDS, and reaps it. */
static int
wait_for_end(struct process *process, double seconds)
{
	uint64_t due = clock_now_ns() + (uint64_t)(seconds * (double)NS_PER_SEC);
	int fd = (int)syscall(SYS_pidfd_open, process->pid, 0);
	struct pollfd end = {.fd = fd, .events = POLLIN};
	int ready = 1;

	while (fd >= 0 && (ready = poll(&end, 1, clock_ms_until(due))) < 0 && errno == EINTR)
		;
	if (fd >= 0)
		close(fd);
	/* Its group goes before its id does. */
	process_kill(process);
	while (waitpid(process->pid, &process->status, 0) < 0 && errno == EINTR)
		;
	process->running = false;
	return ready == 0 ? -ETIMEDOUT : WIFEXITED(process->status) ? WEXITSTATUS(process->status) : -EINTR;
}

int
process_run(const struct keeper *keeper, char *const *argv, const struct text *input, struct text *output,
    struct text *errors, double seconds)
{
	struct process process;
	int in = input != NULL ? memfd_create("input", MFD_CLOEXEC) : open("/dev/null", O_RDONLY | O_CLOEXEC);
	int result = in < 0 ? -errno : 0;

	if (result == 0 && input != NULL && pwrite(in, text_string(input), input->len, 0) != (ssize_t)input->len)
		result = -EIO;
	if (result == 0)
		result = begin(&process, &(struct start){.keeper = keeper, .argv = argv, .input = in}, true);
	if (in >= 0)
		close(in);
	if (result != 0)
		return result;
	result = wait_for_end(&process, seconds);
	if (output != NULL)
		process_read(process.output, output, 1 << 20);
	if (errors != NULL)
		process_read(process.errors, errors, 1 << 20);
	process_close(&process, keeper);
	return result;
}

int
process_adopt(void)
{
	return prctl(PR_SET_CHILD_SUBREAPER, 1) == 0 ? 0 : -errno;
}

/* kill_children kills every child of ours but the keeper; it returns how many there were. */
static int
kill_children(pid_t keeper)
{
	char *path = memory_print("/proc/self/task/%d/children", (int)getpid());
	FILE *children = fopen(path, "re");
	int count = 0, pid;

	while (children != NULL && fscanf(children, "%d", &pid) == 1) {
		if (pid == keeper)
			continue;
		kill(pid, SIGKILL);
		count++;
	}
	if (children != NULL)
		fclose(children);
	free(path);
	return count;
}

void
process_sweep(const struct keeper *keeper)
{
	uint64_t due = clock_now_ns() + SWEEP_SECONDS * NS_PER_SEC;
	int status;

	/* Killing a parent gives us its children: again until there are none. */
	while (kill_children(keeper->pid) > 0 && clock_now_ns() < due) {
		while (process_reap_next(&status) > 0)
			;
		clock_sleep_until_ns(clock_now_ns() + NS_PER_MS);
	}
}
