/* Free TCP ports for the servers of a run. */
#include "experiments/port.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST 20000
#define COUNT 12000

bool
port_is_free(const char *host, int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((in_port_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	bool is_free;

	/* As servers do: connections of the last run that linger in TIME_WAIT are in nobody's way. */
	is_free = fd >= 0 && inet_pton(AF_INET, host, &address.sin_addr) == 1 &&
		  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
		  bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 1) == 0;
	if (fd >= 0)
		close(fd);
	return is_free;
}

int
port_free(const char *host)
{
	static int next = -1;

	/* Two labs at the same time start at different places. */
	if (next < 0)
		next = (int)(getpid() * 37L % COUNT);
	for (int tries = 0; tries < COUNT; tries++) {
		int port = FIRST + next;

		next = (next + 1) % COUNT;
		if (port_is_free(host, port))
			return port;
	}
	return 0;
}
