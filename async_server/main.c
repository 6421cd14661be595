/* async_server: one process, one event loop; what aiohttp is to Python. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "async_server/admin_thread.h"
#include "async_server/config.h"
#include "async_server/control.h"
#include "async_server/loops.h"
#include "async_server/reload.h"
#include "common/cpu_work.h"
#include "common/http_response.h"
#include "common/listen_fds.h"
#include "common/listener.h"
#include "common/log.h"
#include "common/standard_fds.h"
#include "common/version.h"

#define ADMIN_BACKLOG 128

/* What lives as long as the process. */
struct process {
	struct config config;
	struct config_file config_file;
	struct settings *settings;
	struct metrics *metrics;
	struct control control;
	struct admin_thread admin;
	struct loops loops;
	struct reload reload;
};

/* fail ends a start that the world refused. */
static _Noreturn void
fail(const char *what, const char *why)
{
	fprintf(stderr, "async_server: %s: %s\n", what, why);
	exit(1);
}

static void
check(int error, const char *what)
{
	if (error != 0)
		fail(what, strerror(-error));
}

/* raise_file_limit lets the process open as many connections as it may. */
static void
raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static void
open_logs(struct process *process)
{
	const struct config *config = &process->config;
	char what[512];

	log_set_json(config->log_json);
	snprintf(what, sizeof(what), "--error-logfile %s", config->error_logfile);
	check(log_open(config->error_logfile, (enum log_level)config->log_level), what);
}

static void
open_state(struct process *process)
{
	const struct config *config = &process->config;
	struct settings_values values = {
	    .sleep_ns = config->sleep_ns,
	    .cpu_ns = config->cpu_ns,
	    .mode = (enum wait_mode)config->mode,
	    .blocking_share = config->blocking_share,
	};
	struct settings_limits limits = {
	    .max_sleep_ns = config->max_sleep_ns,
	    .max_cpu_ns = config->max_cpu_ns,
	    .modes = 1U << WAIT_ASYNC | 1U << WAIT_BLOCKING | 1U << WAIT_THREADPOOL,
	};

	process->settings = settings_new(values, limits);
	process->metrics = metrics_new((size_t)config->loops);
	if (process->settings == NULL || process->metrics == NULL)
		fail("cannot map shared memory", strerror(errno));
}

static int
open_listener(const char *address, const char *option, int backlog)
{
	char why[512];
	int fd = listener_open(address, backlog, false);

	if (fd < 0) {
		fprintf(stderr, "async_server: %s\n", listener_error(fd, address, option, why, sizeof(why)));
		exit(listener_exit_status(fd));
	}
	return fd;
}

static void
start_admin(struct process *process, int listen_fd)
{
	process->admin.admin = (struct admin){
	    .listen_fd = listen_fd,
	    .settings = process->settings,
	    .metrics_of = METRICS_OF_LOOPS,
	    .sum_metrics = loops_sum_metrics,
	    .write_metrics = loops_write_metrics,
	    .context = &process->loops,
	};
	check(admin_thread_start(&process->admin), "cannot start the admin thread");
}

static void
on_stop(void *context)
{
	struct process *process = context;

	loops_stop(&process->loops);
}

static void
on_reload(void *context)
{
	struct process *process = context;

	reload_run(&process->reload);
}

static void
start_control(struct process *process, int argc, char **argv)
{
	struct control_actions actions = {
	    .stop = on_stop,
	    .reload = reload_is_wanted(&process->config) ? on_reload : NULL,
	    .context = process,
	};

	process->reload = (struct reload){
	    .config = process->config,
	    .argc = argc,
	    .argv = argv,
	    .settings = process->settings,
	    .loops = &process->loops,
	};
	check(control_start(&process->control, process->settings, actions),
	    "cannot start the thread that waits for signals");
}

/* take_inherited fills FDS with the sockets of a service manager, if there is one. Returns how many. */
static size_t
take_inherited(int *fds)
{
	char why[256];
	int count = listen_fds_take(fds, SERVER_LISTENERS_MAX);

	if (count < 0)
		fail("LISTEN_FDS", listen_fds_error(count, fds[0], why, sizeof(why)));
	return (size_t)count;
}

static void
open_loops(struct process *process, int admin_fd)
{
	char why[512];
	int status = loops_open(&process->loops, why, sizeof(why));

	if (status == 0)
		return;
	fprintf(stderr, "async_server: %s\n", why);
	if (admin_fd >= 0)
		listener_close(admin_fd); /* and so removes its file, if it is a Unix socket */
	exit(status);
}

static void
print_banner(const struct process *process, int admin_fd)
{
	char name[LISTENER_NAME_MAX];

	if (admin_fd >= 0)
		log_info("Admin on %s", listener_name(admin_fd, name));
	/* Standard output may be the access log, where everything is JSON then. */
	if (process->config.log_json)
		log_info("Running on %s", process->loops.name);
	else
		printf("======== Running on %s ========\n(Press CTRL+C to quit)\n", process->loops.name);
	fflush(stdout);
}

static void
close_state(struct process *process)
{
	loops_deinit(&process->loops);
	settings_free(process->settings);
	metrics_free(process->metrics, (size_t)process->config.loops);
	config_file_free(&process->config_file);
}

int
main(int argc, char **argv)
{
	static struct process process;
	const struct config *config = &process.config;
	int inherited[SERVER_LISTENERS_MAX];
	size_t inherited_count;
	int admin_fd = -1;

	check(standard_fds_open(), "cannot open /dev/null");
	config_parse(&process.config, &process.config_file, argc, argv);
	inherited_count = take_inherited(inherited);
	control_block_signals();
	raise_file_limit();
	http_response_set_server("async_server/" LOOPFORK_VERSION);
	cpu_work_calibrate();
	open_logs(&process);
	open_state(&process);
	check(loops_init(&process.loops, config, process.settings, process.metrics, inherited, inherited_count),
	    "cannot make the loops");
	start_control(&process, argc, argv);
	if (config->admin != NULL) {
		admin_fd = open_listener(config->admin, "--admin", ADMIN_BACKLOG);
		start_admin(&process, admin_fd);
	}
	/* The last that is opened: see side_thread.h. */
	open_loops(&process, admin_fd);
	print_banner(&process, admin_fd);

	loops_run(&process.loops);

	if (admin_fd >= 0)
		admin_thread_end(&process.admin);
	control_end(&process.control);
	log_info("Stopped");
	close_state(&process);
	return 0;
}
