/* The sockets that the server listens on: opened by the arbiter, shared by its workers. */
#include "prefork_server/listeners.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/listener.h"

/* keep appends FD, which listens at ADDRESS. */
static void
keep(struct listeners *listeners, const char *address, int fd)
{
	snprintf(listeners->addresses[listeners->count], CONFIG_ADDRESS_MAX, "%s", address);
	listeners->fds[listeners->count++] = fd;
}

/* add opens ADDRESS, one of --bind, and appends it. Returns 0, or the exit status with a sentence in ERROR. */
static int
add(struct listeners *listeners, const char *address, const struct config *config, char *error, size_t error_size)
{
	int fd = listener_open(address, (int)config->backlog, config->reuse_port);

	if (fd < 0) {
		listener_error(fd, address, "--bind", error, error_size);
		return listener_exit_status(fd);
	}
	keep(listeners, address, fd);
	return 0;
}

int
listeners_open(struct listeners *listeners, const struct config *config, char *error, size_t error_size)
{
	int status = 0;

	*listeners = (struct listeners){0};
	for (size_t i = 0; i < config->binds.count && status == 0; i++)
		status = add(listeners, config->binds.addresses[i], config, error, error_size);
	if (status != 0)
		listeners_close(listeners);
	return status;
}

/* find returns the place of the socket for ADDRESS, or -1. */
static int
find(const struct listeners *listeners, const char *address)
{
	for (size_t i = 0; i < listeners->count; i++)
		if (strcmp(listeners->addresses[i], address) == 0)
			return (int)i;
	return -1;
}

int
listeners_change(const struct listeners *now, const struct config *config, struct listeners *next,
    struct listeners *leaving, char *error, size_t error_size)
{
	struct listeners opened = {0};
	int status = 0;

	*next = *now;
	*leaving = (struct listeners){0};
	next->count = 0;
	for (size_t i = 0; i < config->binds.count && status == 0; i++) {
		const char *address = config->binds.addresses[i];
		int at = find(now, address);

		if (at >= 0 && find(next, address) < 0) {
			keep(next, address, now->fds[at]);
			continue;
		}
		status = add(&opened, address, config, error, error_size);
		if (status == 0)
			keep(next, address, opened.fds[opened.count - 1]);
	}
	if (status != 0) {
		listeners_close(&opened);
		return status;
	}
	for (size_t i = 0; i < now->count; i++)
		if (find(next, now->addresses[i]) < 0)
			keep(leaving, now->addresses[i], now->fds[i]);
	return 0;
}

void
listeners_set_backlog(const struct listeners *listeners, const struct config *config)
{
	for (size_t i = 0; i < listeners->count; i++)
		(void)listen(listeners->fds[i], (int)config->backlog);
}

void
listeners_close(struct listeners *listeners)
{
	listeners_remove_files(listeners);
	/* close alone would leave the socket to a worker in the middle of a long request. */
	for (size_t i = 0; i < listeners->count; i++)
		(void)shutdown(listeners->fds[i], SHUT_RDWR);
	listeners_leave(listeners);
}

void
listeners_leave(struct listeners *listeners)
{
	for (size_t i = 0; i < listeners->count; i++)
		close(listeners->fds[i]);
	listeners->count = 0;
}

void
listeners_remove_files(struct listeners *listeners)
{
	for (size_t i = 0; i < listeners->count && !listeners->files_removed; i++)
		listener_remove_file(listeners->fds[i]);
	listeners->files_removed = true;
}

const char *
listeners_names(const struct listeners *listeners, char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < listeners->count && used < size; i++) {
		char name[LISTENER_NAME_MAX];

		used += (size_t)snprintf(
		    buf + used, size - used, "%s%s", i > 0 ? "," : "", listener_name(listeners->fds[i], name));
	}
	return buf;
}

int
listeners_poll(const struct listeners *listeners, struct pollfd pollers[CONFIG_BINDS_MAX], int wait_ms)
{
	int ready;

	for (size_t i = 0; i < listeners->count; i++)
		pollers[i] = (struct pollfd){.fd = listeners->fds[i], .events = POLLIN};
	ready = poll(pollers, listeners->count, wait_ms);
	return ready < 0 && errno != EINTR ? -errno : ready < 0 ? 0 : ready;
}

bool
listeners_are_waited_at(const struct listeners *listeners)
{
	struct pollfd pollers[CONFIG_BINDS_MAX];

	return listeners_poll(listeners, pollers, 0) > 0;
}
