/* What the service manager is told: systemd's sd_notify(3). */
#include "prefork_server/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/log.h"

#define SOCKET_VARIABLE "NOTIFY_SOCKET"
#define PATIENCE_S 1

/* fill_address makes NAME an address in ADDRESS. Returns its length, 0 where NAME is none. */
static socklen_t
fill_address(struct sockaddr_un *address, const char *name)
{
	size_t len = strlen(name);

	if ((name[0] != '/' && name[0] != '@') || len < 2 || len >= sizeof(address->sun_path))
		return 0;
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(address->sun_path, name, len);
	if (name[0] == '@')
		address->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

/* tell sends STATE to the socket NAME. Returns 0 or -errno. */
static int
tell(const char *name, const char *state)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	struct sockaddr_un address;
	socklen_t len = fill_address(&address, name);
	int error = 0;
	int fd;

	if (len == 0)
		return -EINVAL;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) != 0 ||
	    sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, len) < 0)
		error = -errno;
	close(fd);
	return error;
}

static void
notify(const char *state)
{
	const char *name = getenv(SOCKET_VARIABLE);
	int error = name == NULL ? 0 : tell(name, state);

	if (error != 0)
		log_warning("Cannot tell the service manager at $" SOCKET_VARIABLE ", %s: %s", name, strerror(-error));
}

void
notify_ready(void)
{
	notify("READY=1\nSTATUS=prefork_server arbiter booted");
}

void
notify_stopping(pid_t successor)
{
	char state[64];

	if (successor == 0) {
		notify("STOPPING=1");
		return;
	}
	snprintf(state, sizeof(state), "MAINPID=%d", (int)successor);
	notify(state);
}
