/*
 * For LD_PRELOAD: calls of the kernel that fail as a test tells, while the program runs.
 *
 * $INJECT_FILE is shared with the test (inject.py): an array of `struct rule`, one a call in the order of `enum call`,
 * and behind it the seconds by which the wall clock is wrong.  The test writes, and reads how often a rule has struck.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#undef _FORTIFY_SOURCE

enum call {
	CALL_ACCEPT4,
	CALL_RECV,
	CALL_SEND,  /* sendmsg too */
	CALL_WRITE, /* to a regular file: a log; libuv's own writes to eventfds pass */
	CALL_POLL,  /* that may wait */
	CALL_EPOLL, /* epoll_wait and epoll_pwait */
	CALL_EPOLL_CTL,
	CALL_TIMERFD_SETTIME,
	CALL_NANOSLEEP, /* clock_nanosleep */
	CALL_SIGTIMEDWAIT,
	CALL_WAITPID,
	CALL_FORK,
	CALL_OPEN, /* of /dev/null */
	CALLS,
};

struct rule {
	_Atomic int32_t skip;  /* calls that pass before it strikes */
	_Atomic int32_t times; /* how often it strikes; -1: always; 0: it is off */
	_Atomic int32_t error; /* what the call fails with; 0: it works */
	_Atomic int32_t most;  /* bytes that it takes or gives at most, if it works; 0: any number */
	_Atomic int32_t struck;
};

struct control {
	struct rule rules[CALLS];
	_Atomic int32_t wall_offset_s;
};

static struct control idle;
static struct control *control = &idle;

__attribute__((constructor)) static void
map_control(void)
{
	const char *path = getenv("INJECT_FILE");
	int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *memory;

	if (fd < 0)
		abort();
	memory = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (memory == MAP_FAILED)
		abort();
	control = memory;
}

/* spend takes one from COUNT, if there is one left. */
static bool
spend(_Atomic int32_t *count)
{
	int32_t left = atomic_load(count);

	while (left > 0)
		if (atomic_compare_exchange_weak(count, &left, left - 1))
			return true;
	return left < 0;
}

/* strike returns the rule of CALL if it strikes now, or NULL. */
static struct rule *
strike(enum call call)
{
	struct rule *rule = &control->rules[call];

	if (atomic_load(&rule->times) == 0 || spend(&rule->skip) || !spend(&rule->times))
		return NULL;
	atomic_fetch_add(&rule->struck, 1);
	return rule;
}

/* fails tells whether CALL is to fail, with errno set. Where it is not, *LEN becomes what the rule allows. */
static bool
fails(enum call call, size_t *len)
{
	struct rule *rule = strike(call);

	if (rule == NULL)
		return false;
	if (rule->error != 0) {
		errno = rule->error;
		return true;
	}
	if (len != NULL && rule->most > 0 && *len > (size_t)rule->most)
		*len = (size_t)rule->most;
	return false;
}

/* NEXT(name) is the function that this one stands before. */
#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int
accept4(int fd, struct sockaddr *address, socklen_t *len, int flags)
{
	return fails(CALL_ACCEPT4, NULL) ? -1 : NEXT(accept4)(fd, address, len, flags);
}

ssize_t
recv(int fd, void *buf, size_t len, int flags)
{
	return fails(CALL_RECV, &len) ? -1 : NEXT(recv)(fd, buf, len, flags);
}

ssize_t
send(int fd, const void *buf, size_t len, int flags)
{
	return fails(CALL_SEND, &len) ? -1 : NEXT(send)(fd, buf, len, flags);
}

ssize_t
sendmsg(int fd, const struct msghdr *message, int flags)
{
	struct msghdr part = *message;
	struct iovec first;
	size_t len = SIZE_MAX;

	if (fails(CALL_SEND, &len))
		return -1;
	if (len < SIZE_MAX && part.msg_iovlen > 0) {
		size_t i = 0;

		while (i + 1 < part.msg_iovlen && part.msg_iov[i].iov_len == 0)
			i++;
		first = part.msg_iov[i];
		if (first.iov_len > len)
			first.iov_len = len;
		part.msg_iov = &first;
		part.msg_iovlen = 1;
	}
	return NEXT(sendmsg)(fd, &part, flags);
}

ssize_t
write(int fd, const void *buf, size_t len)
{
	struct stat status;

	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && fails(CALL_WRITE, &len))
		return -1;
	return NEXT(write)(fd, buf, len);
}

int
poll(struct pollfd *fds, nfds_t count, int timeout)
{
	return timeout != 0 && fails(CALL_POLL, NULL) ? -1 : NEXT(poll)(fds, count, timeout);
}

int
epoll_wait(int fd, struct epoll_event *events, int most, int timeout)
{
	return fails(CALL_EPOLL, NULL) ? -1 : NEXT(epoll_wait)(fd, events, most, timeout);
}

int
epoll_pwait(int fd, struct epoll_event *events, int most, int timeout, const sigset_t *mask)
{
	return fails(CALL_EPOLL, NULL) ? -1 : NEXT(epoll_pwait)(fd, events, most, timeout, mask);
}

int
epoll_ctl(int fd, int operation, int other, struct epoll_event *event)
{
	return fails(CALL_EPOLL_CTL, NULL) ? -1 : NEXT(epoll_ctl)(fd, operation, other, event);
}

int
timerfd_settime(int fd, int flags, const struct itimerspec *value, struct itimerspec *old)
{
	return fails(CALL_TIMERFD_SETTIME, NULL) ? -1 : NEXT(timerfd_settime)(fd, flags, value, old);
}

int
clock_nanosleep(clockid_t clock, int flags, const struct timespec *due, struct timespec *left)
{
	return fails(CALL_NANOSLEEP, NULL) ? errno : NEXT(clock_nanosleep)(clock, flags, due, left);
}

int
sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout)
{
	return fails(CALL_SIGTIMEDWAIT, NULL) ? -1 : NEXT(sigtimedwait)(set, info, timeout);
}

pid_t
waitpid(pid_t pid, int *status, int options)
{
	return fails(CALL_WAITPID, NULL) ? -1 : NEXT(waitpid)(pid, status, options);
}

pid_t
fork(void)
{
	return fails(CALL_FORK, NULL) ? -1 : NEXT(fork)();
}

int
open(const char *path, int flags, ...)
{
	mode_t mode = 0;

	if ((flags & (O_CREAT | O_TMPFILE)) != 0) {
		va_list more;

		va_start(more, flags);
		mode = va_arg(more, mode_t);
		va_end(more);
	}
	return strcmp(path, "/dev/null") == 0 && fails(CALL_OPEN, NULL) ? -1 : NEXT(open)(path, flags, mode);
}

/* The wall clock, and no other, is wrong. */
int
clock_gettime(clockid_t clock, struct timespec *now)
{
	int result = NEXT(clock_gettime)(clock, now);

	if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		now->tv_sec += atomic_load(&control->wall_offset_s);
	return result;
}

time_t
time(time_t *now)
{
	struct timespec wall;

	clock_gettime(CLOCK_REALTIME, &wall);
	if (now != NULL)
		*now = wall.tv_sec;
	return wall.tv_sec;
}
