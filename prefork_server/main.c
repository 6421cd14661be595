/* prefork_server: an arbiter and its blocking workers, what gunicorn is to Python. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "common/http_response.h"
#include "common/standard_fds.h"
#include "common/version.h"
#include "prefork_server/arbiter.h"
#include "prefork_server/config.h"
#include "prefork_server/daemonize.h"
#include "prefork_server/startup.h"

int
main(int argc, char **argv)
{
	static struct arbiter arbiter;
	static struct config config;
	static struct config_file file;
	static struct upgrade upgrade;
	int tell_fd = -1;
	int status;

	if (standard_fds_open() != 0)
		return 1; /* standard error is what is missing: there is nobody to tell */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a log of the largest size allowed: the write fails, as on a full disk */
	status = upgrade_init(&upgrade, argv);
	if (status != 0) {
		fprintf(stderr, "prefork_server: $GUNICORN_PID: %s; unset it\n", strerror(-status));
		return 1;
	}
	config_parse(&config, &file, argc, argv);
	if (config.check_config)
		return 0;
	/* One that another arbiter has started is in the background already. */
	if (config.daemon && upgrade.parent == 0) {
		status = daemonize_begin(&tell_fd);
		if (status != 0) {
			fprintf(stderr, "prefork_server: --daemon: %s\n", strerror(-status));
			return 1;
		}
	}
	http_response_set_server("prefork_server/" LOOPFORK_VERSION);
	status = startup_open(&arbiter, &config, &upgrade);
	if (tell_fd >= 0)
		daemonize_tell(tell_fd, status);
	if (status != 0)
		return status;
	status = arbiter_run(&arbiter);
	startup_close(&arbiter);
	return status;
}
