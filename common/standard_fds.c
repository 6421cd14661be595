/* Descriptors 0 to 2: open, whoever started the program. */
#include "common/standard_fds.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int
standard_fds_open(void)
{
	/* From below, so that the lowest free number, which open gives, is the one that is missing. */
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
			return -errno;
	return 0;
}
