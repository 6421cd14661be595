/*
 * Counts what loadgen asks of the kernel and of the C library, through LD_PRELOAD: at the end of the program $COUNTS_FILE
 * gets a line with a name and a number for each kind of call.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#undef _FORTIFY_SOURCE

enum kind { SOCKET, CONNECT, SEND, RECV, EPOLL_CTL, CLOSE, OTHER, WAIT, ALLOCATION, LOCK, KINDS };

static const char *const names[KINDS] = {
    [SOCKET] = "socket",
    [CONNECT] = "connect",
    [SEND] = "send",
    [RECV] = "recv",
    [EPOLL_CTL] = "epoll_ctl",
    [CLOSE] = "close",
    [OTHER] = "other", /* system calls that a request has no need of */
    [WAIT] = "wait",
    [ALLOCATION] = "allocation",
    [LOCK] = "lock",
};

static _Atomic unsigned long counts[KINDS];

static void
count(enum kind kind)
{
	atomic_fetch_add_explicit(&counts[kind], 1, memory_order_relaxed);
}

/* COUNTED stands before a function of the C library that takes PARAMETERS, the rest of the arguments by name. */
#define COUNTED(kind, type, name, parameters, ...) \
	type name parameters \
	{ \
		static type(*next) parameters; \
\
		if (next == NULL) \
			*(void **)&next = dlsym(RTLD_NEXT, #name); \
		count(kind); \
		return next(__VA_ARGS__); \
	}

COUNTED(SOCKET, int, socket, (int domain, int type, int protocol), domain, type, protocol)
COUNTED(CONNECT, int, connect, (int fd, const struct sockaddr *address, socklen_t len), fd, address, len)
COUNTED(SEND, ssize_t, send, (int fd, const void *data, size_t len, int flags), fd, data, len, flags)
COUNTED(SEND, ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), fd, message, flags)
COUNTED(RECV, ssize_t, recv, (int fd, void *data, size_t len, int flags), fd, data, len, flags)
COUNTED(RECV, ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), fd, message, flags)
COUNTED(EPOLL_CTL, int, epoll_ctl, (int set, int op, int fd, struct epoll_event *event), set, op, fd, event)
COUNTED(CLOSE, int, close, (int fd), fd)
COUNTED(OTHER, ssize_t, read, (int fd, void *data, size_t len), fd, data, len)
COUNTED(OTHER, ssize_t, write, (int fd, const void *data, size_t len), fd, data, len)
COUNTED(OTHER, int, bind, (int fd, const struct sockaddr *address, socklen_t len), fd, address, len)
COUNTED(OTHER, int, shutdown, (int fd, int how), fd, how)
COUNTED(OTHER, int, getpeername, (int fd, struct sockaddr *address, socklen_t *len), fd, address, len)
COUNTED(OTHER, int, getsockopt, (int fd, int level, int name, void *value, socklen_t *len), fd, level, name, value, len)
COUNTED(OTHER, int, setsockopt, (int fd, int level, int name, const void *value, socklen_t len), fd, level, name, value,
    len)
COUNTED(WAIT, int, epoll_wait, (int set, struct epoll_event *events, int len, int ms), set, events, len, ms)
COUNTED(LOCK, int, pthread_mutex_lock, (pthread_mutex_t * lock), lock)

/* dlsym may allocate: the C library's own names for these need no looking up. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t len, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

void *
malloc(size_t size)
{
	count(ALLOCATION);
	return __libc_malloc(size);
}

void *
calloc(size_t len, size_t size)
{
	count(ALLOCATION);
	return __libc_calloc(len, size);
}

void *
realloc(void *memory, size_t size)
{
	count(ALLOCATION);
	return __libc_realloc(memory, size);
}

void *
aligned_alloc(size_t alignment, size_t size)
{
	count(ALLOCATION);
	return __libc_memalign(alignment, size);
}

/* fcntl and syscall take what the kernel takes: up to six words. */
int
fcntl(int fd, int command, ...)
{
	va_list args;
	long value;

	va_start(args, command);
	value = va_arg(args, long);
	va_end(args);
	count(OTHER);
	return ((int (*)(int, int, ...))dlsym(RTLD_NEXT, "fcntl"))(fd, command, value);
}

long
syscall(long number, ...)
{
	va_list args;
	long words[6];

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		words[i] = va_arg(args, long);
	va_end(args);
	count(number == SYS_recvfrom ? RECV : OTHER);
	return ((long (*)(long, ...))dlsym(RTLD_NEXT, "syscall"))(
	    number, words[0], words[1], words[2], words[3], words[4], words[5]);
}

__attribute__((destructor)) static void
tell(void)
{
	const char *path = getenv("COUNTS_FILE");
	FILE *out = path != NULL ? fopen(path, "w") : NULL;

	if (out == NULL)
		abort();
	for (int i = 0; i < KINDS; i++)
		fprintf(out, "%s %lu\n", names[i], counts[i]);
	fclose(out);
}
