/* The sockets that the server listens on: opened by the arbiter, shared by its workers. */
#include "prefork_server/listeners.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/listener.h"

int
listeners_open(struct listeners *listeners, const struct config *config, char *error, size_t error_size)
{
	const struct config_binds *binds = &config->binds;

	*listeners = (struct listeners){0};
	for (size_t i = 0; i < binds->count; i++) {
		int fd = listener_open(binds->addresses[i], (int)config->backlog, config->reuse_port);

		if (fd < 0) {
			listener_error(fd, binds->addresses[i], "--bind", error, error_size);
			listeners_close(listeners);
			return listener_exit_status(fd);
		}
		listeners->fds[listeners->count++] = fd;
	}
	return 0;
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
