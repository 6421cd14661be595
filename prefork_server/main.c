/* prefork_server: an arbiter and its blocking workers, what gunicorn is to Python. */
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "common/http_response.h"
#include "common/version.h"
#include "prefork_server/arbiter.h"
#include "prefork_server/config.h"

/* fill_standard_fds: started with 0, 1 or 2 closed, a socket would get that number, and log lines with it. */
static void
fill_standard_fds(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int
main(int argc, char **argv)
{
	static struct arbiter arbiter;
	static struct config config;
	int status;

	fill_standard_fds();
	signal(SIGPIPE, SIG_IGN);
	config_parse(&config, argc, argv);
	http_response_set_server("prefork_server/" LOOPFORK_VERSION);
	status = arbiter_open(&arbiter, &config);
	if (status != 0)
		return status;
	status = arbiter_run(&arbiter);
	arbiter_close(&arbiter);
	return status;
}
