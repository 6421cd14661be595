/* Start and end of the server: what is opened before the first worker, in which order, and closed after the last. */
#include "prefork_server/startup.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cpu_work.h"
#include "common/listen_fds.h"
#include "common/listener.h"
#include "common/log.h"
#include "prefork_server/pidfile.h"

/* fail prints why the server does not start; returns STATUS. */
PRINTF_LIKE(2, 3)
static int
fail(int status, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "prefork_server: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return status;
}

/* in_worker closes what only the arbiter needs, and what only older workers serve. */
static void
in_worker(void *context)
{
	struct arbiter *arbiter = context;
	int error;

	admin_child_forget(&arbiter->admin);
	listeners_leave(&arbiter->reload.leaving);
	error = privileges_drop(&arbiter->privileges);
	if (error != 0) {
		log_error("Worker cannot become user %d, group %d: %s", (int)arbiter->privileges.uid,
		    (int)arbiter->privileges.gid, strerror(-error));
		_exit(WORKER_BOOT_ERROR);
	}
}

void
startup_give_logs(const struct arbiter *arbiter)
{
	privileges_give_log(&arbiter->privileges, arbiter->config->error_log);
	privileges_give_log(&arbiter->privileges, arbiter->config->access_log);
}

void
startup_give_sockets(const struct arbiter *arbiter)
{
	for (size_t i = 0; i < arbiter->listeners.count && !arbiter->listeners.managed; i++)
		privileges_give_socket(&arbiter->privileges, arbiter->listeners.fds[i]);
}

int
startup_equip(struct arbiter *arbiter)
{
	struct crew *crew = &arbiter->crew;

	crew->class = worker_classes[arbiter->config->worker_class];
	crew->worker = (struct worker){
	    .config = arbiter->config,
	    .settings = arbiter->settings,
	    .access_log = arbiter->access_log,
	    .listeners = &arbiter->listeners,
	    .duty = &arbiter->duty,
	    .limits = arbiter->config->limits,
	};
	crew->worker.limits.wanted = access_log_wanted(arbiter->access_log);
	crew->target = (unsigned)arbiter->config->workers;
	return crew->class->prepare(&arbiter->listeners, arbiter->config);
}

/* fill prepares what needs no opening. Returns 0 or the exit status. */
static int
fill(struct arbiter *arbiter)
{
	int error = startup_equip(arbiter);

	arbiter->crew.board = &arbiter->board;
	arbiter->crew.in_child = in_worker;
	arbiter->crew.context = arbiter;
	arbiter->admin.service = &arbiter->listeners;
	arbiter->admin.settings = arbiter->settings;
	arbiter->admin.board = &arbiter->board;
	arbiter->admin.privileges = &arbiter->privileges;
	startup_give_logs(arbiter);
	startup_give_sockets(arbiter);
	return error == 0 ? 0 : fail(1, "cannot prepare the listening sockets: %s", strerror(-error));
}

/*
 * inherit takes over the sockets of the service manager or of another arbiter,
 * before anything is opened that could stand at a number which is promised and missing.  Returns 0 or the exit status.
 */
static int
inherit(struct arbiter *arbiter)
{
	struct listeners *listeners = &arbiter->listeners;
	int managed = listen_fds_take(listeners->fds, CONFIG_BINDS_MAX);
	char text[512];

	if (managed < 0)
		return fail(1, "%s", listen_fds_error(managed, listeners->fds[0], text, sizeof(text)));
	listeners->count = (size_t)managed;
	listeners->managed = managed > 0;
	if (upgrade_inherit(&arbiter->upgrade, listeners, &arbiter->admin.listen_fd, text, sizeof(text)) != 0)
		return fail(1, "%s", text);
	return 0;
}

/* open_listeners opens the sockets, where none were inherited. Returns 0 or the exit status. */
static int
open_listeners(struct arbiter *arbiter)
{
	struct listeners *listeners = &arbiter->listeners;
	char text[512];
	int status;

	if (listeners->count == 0) {
		status = listeners_open(listeners, arbiter->config, text, sizeof(text));
		return status == 0 ? 0 : fail(status, "%s", text);
	}
	if (listeners->managed)
		return 0;
	/* By another arbiter, with its own backlog. Where --bind names as many, they are those. */
	listeners_set_backlog(listeners, arbiter->config);
	if (listeners->count == arbiter->config->binds.count)
		memcpy(listeners->addresses, arbiter->config->binds.addresses, sizeof(listeners->addresses));
	return 0;
}

/*
 * write_pid_file writes it by the configuration's name, beside the first
 * arbiter's where that lives, and removes one of another name.  Returns 0, or -errno with a sentence in ERROR.
 */
static int
write_pid_file(struct arbiter *arbiter, char *error, size_t error_size)
{
	const char *path = arbiter->config->pid_file;
	const char *suffix = arbiter->upgrade.parent != 0 ? ARBITER_SECOND_SUFFIX : "";
	char name[PATH_MAX] = "";
	int result = 0;

	if (path != NULL && (size_t)snprintf(name, sizeof(name), "%s%s", path, suffix) >= sizeof(name)) {
		snprintf(error, error_size, "%s", strerror(ENAMETOOLONG));
		return -ENAMETOOLONG;
	}
	if (path != NULL)
		result = pidfile_create(name, error, error_size);
	if (result != 0)
		return result;
	if (arbiter->pid_file[0] != '\0' && strcmp(arbiter->pid_file, name) != 0)
		pidfile_remove(arbiter->pid_file);
	memcpy(arbiter->pid_file, name, sizeof(name));
	return 0;
}

void
startup_pid_file_again(struct arbiter *arbiter)
{
	char error[512];

	if (write_pid_file(arbiter, error, sizeof(error)) != 0)
		log_error("The pid file stays as it was: %s", error);
}

/* open_pid_file returns 0 or the exit status. */
static int
open_pid_file(struct arbiter *arbiter)
{
	char error[512];

	return write_pid_file(arbiter, error, sizeof(error)) == 0 ? 0 : fail(1, "--pid: %s", error);
}

/* open_admin opens the admin address. Returns 0 or the exit status. */
static int
open_admin(struct arbiter *arbiter)
{
	const struct config *config = arbiter->config;
	char text[512];
	int result;

	if (config->admin == NULL && arbiter->admin.listen_fd >= 0) {
		close(arbiter->admin.listen_fd);
		arbiter->admin.listen_fd = -1;
	}
	if (config->admin == NULL || arbiter->admin.listen_fd >= 0)
		return 0;
	result = listener_open(config->admin, (int)config->backlog, config->reuse_port);
	if (result < 0)
		return fail(listener_exit_status(result), "%s",
		    listener_error(result, config->admin, "--admin", text, sizeof(text)));
	arbiter->admin.listen_fd = result;
	return 0;
}

struct settings *
startup_settings(const struct config *config)
{
	struct settings_values values = {
	    .sleep_ns = config->sleep_ns,
	    .cpu_ns = config->cpu_ns,
	    .mode = WAIT_BLOCKING,
	};
	struct settings_limits limits = {
	    .max_sleep_ns = config->max_sleep_ns,
	    .max_cpu_ns = config->max_cpu_ns,
	    .modes = 1U << WAIT_BLOCKING,
	};

	return settings_new(values, limits);
}

static int
open_memory(struct arbiter *arbiter)
{
	int error = scoreboard_open(&arbiter->board);

	if (error == 0)
		error = duty_open(&arbiter->duty, duty_default_turns(), &arbiter->board.notice->workers,
		    &arbiter->board.notice->epoch);
	if (error == 0) {
		arbiter->settings = startup_settings(arbiter->config);
		error = arbiter->settings == NULL ? -errno : 0;
	}
	return error == 0 ? 0 : fail(1, "cannot make what the workers share: %s", strerror(-error));
}

int
startup_access_log(struct access_log **log, const struct config *config)
{
	return access_log_new(log, config->access_log, config->log_json ? ACCESS_LOG_JSON : ACCESS_LOG_GUNICORN,
	    config->access_log_format);
}

static int
open_logs(struct arbiter *arbiter)
{
	const struct config *config = arbiter->config;
	int error = startup_access_log(&arbiter->access_log, config);

	if (error != 0)
		return fail(1, "--access-logfile %s: %s", config->access_log, strerror(-error));
	log_set_json(config->log_json);
	error = log_open(config->error_log, (enum log_level)config->log_level);
	return error == 0 ? 0 : fail(1, "--error-logfile %s: %s", config->error_log, strerror(-error));
}

/* open_names opens what others find by a name: an address, a Unix socket, the pid file. */
static int
open_names(struct arbiter *arbiter)
{
	int status = open_listeners(arbiter);

	if (status == 0)
		status = open_admin(arbiter);
	return status == 0 ? open_pid_file(arbiter) : status;
}

static int
find_privileges(struct arbiter *arbiter)
{
	const struct config *config = arbiter->config;
	char error[256];
	int status = privileges_find(&arbiter->privileges, config->user, config->group, error, sizeof(error));

	return status == 0 ? 0 : fail(status, "%s", error);
}

int
startup_open(struct arbiter *arbiter, const struct config *config, const struct upgrade *upgrade)
{
	int status;

	memset(arbiter, 0, sizeof(*arbiter));
	arbiter->config = config;
	arbiter->reload.first = config;
	arbiter->upgrade = *upgrade;
	arbiter->name = upgrade->parent != 0 ? ARBITER_SECOND_NAME : ARBITER_NAME;
	arbiter->admin.listen_fd = -1;
	arbiter->admin.hold_fd = -1;
	status = inherit(arbiter);
	if (status == 0)
		status = find_privileges(arbiter);
	if (config->umask != CONFIG_UMASK_AS_STARTED)
		umask((mode_t)config->umask);
	/* Before any worker, which all compute by it. */
	(void)cpu_work_calibrate();
	if (status == 0)
		status = open_memory(arbiter);
	if (status == 0)
		status = open_logs(arbiter);
	/* From here on there are files to remove: no signal may end us before startup_close. */
	arbiter_take_signals();
	if (status == 0)
		status = open_names(arbiter);
	if (status == 0)
		status = fill(arbiter);
	if (status != 0)
		startup_close(arbiter);
	return status;
}

void
startup_close(struct arbiter *arbiter)
{
	bool shared = upgrade_is_under_way(&arbiter->upgrade);

	admin_child_stop(&arbiter->admin, shared);
	if (shared || arbiter->listeners.managed)
		listeners_leave(&arbiter->listeners);
	else
		listeners_close(&arbiter->listeners);
	if (arbiter->pid_file[0] != '\0')
		pidfile_remove(arbiter->pid_file);
	access_log_free(arbiter->access_log);
	if (arbiter->settings != NULL)
		settings_free(arbiter->settings);
	if (arbiter->duty.page != NULL)
		duty_close(&arbiter->duty);
	scoreboard_close(&arbiter->board);
	upgrade_deinit(&arbiter->upgrade);
	reload_deinit(arbiter);
}
