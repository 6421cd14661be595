/* SIGHUP: the configuration is read again, and a full new set of workers begins with it. */
#include "prefork_server/reload.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "prefork_server/arbiter.h"
#include "prefork_server/startup.h"

/* What is ready to be taken over, and can no longer fail. */
struct change {
	struct arbiter *arbiter;
	struct reload_config *next;
	struct listeners listeners, leaving;
	struct access_log *access_log;
	bool settings; /* what a handler does has changed */
	bool binds;
	bool logs; /* the error log, which the admin process writes to as well */
};

/* Options that the running server cannot change: where they stand. */
static const struct {
	const char *name;
	size_t offset, size;
} fixed[] = {
#define FIXED(name, field) \
	{ \
		name, offsetof(struct config, field), sizeof(((struct config *)NULL)->field) \
	}
    FIXED("reuse-port", reuse_port),
    FIXED("admin", admin),
    FIXED("max-sleep", max_sleep_ns),
    FIXED("max-cpu", max_cpu_ns),
    FIXED("daemon", daemon),
    FIXED("user", user),
    FIXED("group", group),
    FIXED("umask", umask),
#undef FIXED
};

/* are_binds_fixed: the sockets are not ours alone. */
static bool
are_binds_fixed(const struct arbiter *arbiter)
{
	return arbiter->listeners.managed || upgrade_is_under_way(&arbiter->upgrade);
}

static bool
is_fixed(const struct arbiter *arbiter, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
		if (strcmp(fixed[i].name, name) == 0)
			return true;
	return strcmp(name, "bind") == 0 && are_binds_fixed(arbiter);
}

/* keep_fixed puts back into NEXT what needs a restart. Strings there are those of the first configuration, which stays. */
static void
keep_fixed(const struct arbiter *arbiter, struct config *next)
{
	for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
		memcpy((char *)next + fixed[i].offset, (const char *)arbiter->reload.first + fixed[i].offset,
		    fixed[i].size);
	if (are_binds_fixed(arbiter))
		next->binds = arbiter->config->binds;
}

/* tell_differ says what became of the option NAME. */
static void
tell_differ(void *context, const char *name)
{
	struct change *change = context;

	if (is_fixed(change->arbiter, name)) {
		log_warning("--%s has changed, but needs a restart", name);
		return;
	}
	log_info("--%s has changed", name);
	change->settings = change->settings || strcmp(name, "sleep") == 0 || strcmp(name, "cpu") == 0;
	change->binds = change->binds || strcmp(name, "bind") == 0;
	change->logs = change->logs || strncmp(name, "log-", 4) == 0 || strcmp(name, "error-logfile") == 0;
}

/* read_again reads the configuration into change->next, as it is written. Returns 0, or -errno with a sentence in ERROR. */
static int
read_again(struct change *change, char *error, size_t error_size)
{
	char **argv = change->arbiter->upgrade.argv;
	int argc = 0;

	while (argv[argc] != NULL)
		argc++;
	change->next = malloc(sizeof(*change->next));
	if (change->next == NULL) {
		snprintf(error, error_size, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	return config_parse_again(&change->next->config, &change->next->file, argc, argv, error, error_size);
}

/* open_logs finds out whether the logs can be opened by their new names. Returns 0, or -errno with a sentence in ERROR. */
static int
open_logs(struct change *change, char *error, size_t error_size)
{
	const struct config *config = &change->next->config;
	const char *path = config->access_log;
	int result = startup_access_log(&change->access_log, config);

	if (result == 0 && strcmp(config->error_log, "-") != 0) {
		path = config->error_log;
		result = log_open_file(path);
		if (result >= 0) {
			close(result);
			result = 0;
		}
	}
	if (result != 0)
		snprintf(error, error_size, "Cannot open %s: %s", path, strerror(-result));
	return result;
}

/* prepare does all that can fail and changes nothing yet. Returns 0, or -errno or an exit status with a sentence in ERROR. */
static int
prepare(struct change *change, struct config *next, char *error, size_t error_size)
{
	const struct arbiter *now = change->arbiter;
	char why[512];
	int result;

	keep_fixed(now, next);
	result = config_check(next, why, sizeof(why));
	if (result != 0)
		snprintf(error, error_size, "with what needs a restart as it was, %s", why);
	if (result == 0)
		result = open_logs(change, error, error_size);
	change->listeners = now->listeners;
	if (result == 0 && memcmp(&next->binds, &now->config->binds, sizeof(next->binds)) != 0)
		result =
		    listeners_change(&now->listeners, next, &change->listeners, &change->leaving, error, error_size);
	return result;
}

/* free_change frees what was not taken over. */
static void
free_change(struct change *change)
{
	access_log_free(change->access_log);
	if (change->next != NULL)
		config_file_free(&change->next->file);
	free(change->next);
}

/* take_logs goes over to the new names, which could be opened a moment ago. */
static void
take_logs(struct arbiter *arbiter, struct access_log *access_log)
{
	const struct config *config = arbiter->config;
	int error;

	log_set_json(config->log_json);
	error = log_open(config->error_log, (enum log_level)config->log_level);
	if (error != 0)
		log_error("Cannot open %s: %s", config->error_log, strerror(-error));
	access_log_free(arbiter->access_log);
	arbiter->access_log = access_log;
	startup_give_logs(arbiter);
}

/*
 * take_settings makes what the configuration says of the handler the live settings, whatever was put there meanwhile.
 * They get a page of their own: the old one, its lock included, is where old workers can write.
 */
static void
take_settings(struct arbiter *arbiter)
{
	struct settings *fresh = startup_settings(arbiter->config);

	if (fresh == NULL) {
		log_error("The settings stay as they are: %s", strerror(errno));
		return;
	}
	settings_free(arbiter->settings);
	arbiter->settings = arbiter->admin.settings = fresh;
}

/* take_listeners goes over to the new addresses, and begins to leave the others. */
static void
take_listeners(struct arbiter *arbiter, const struct change *change)
{
	struct reload *reload = &arbiter->reload;
	char names[LISTENERS_NAMES_MAX];
	int error;

	arbiter->listeners = change->listeners;
	startup_give_sockets(arbiter);
	if (!arbiter->listeners.managed)
		listeners_set_backlog(&arbiter->listeners, arbiter->config);
	if (change->binds)
		log_info("Listening at: %s", listeners_names(&arbiter->listeners, names, sizeof(names)));
	if (change->leaving.count == 0)
		return;
	reload->leaving = change->leaving;
	reload->due_ns = clock_now_ns() + arbiter->config->graceful_timeout_ns;
	arbiter->crew.hold = true;
	error = drain_begin(&reload->drain, &reload->leaving);
	if (error != 0) {
		log_warning(
		    "Cannot hold new connections back: %s; one that comes to an address that is left may be reset",
		    strerror(-error));
		reload->due_ns = 0;
	}
}

/* take does what can no longer fail, in gunicorn's order. */
static void
take(struct change *change)
{
	struct arbiter *arbiter = change->arbiter;
	struct reload_config *old = arbiter->reload.owned;
	int class = arbiter->config->worker_class;
	int error;

	arbiter->reload.owned = change->next;
	arbiter->config = &change->next->config;
	take_logs(arbiter, change->access_log);
	if (old != NULL)
		config_file_free(&old->file);
	free(old);
	take_listeners(arbiter, change);
	startup_pid_file_again(arbiter);
	if (change->settings)
		take_settings(arbiter);
	error = startup_equip(arbiter);
	if (error != 0)
		log_error("Cannot prepare the listening sockets: %s", strerror(-error));
	if (arbiter->config->worker_class != class)
		log_info("Using worker: %s", arbiter->crew.class->name);
	if (arbiter->crew.class->check != NULL)
		arbiter->crew.class->check(arbiter->config);
	/* The admin process writes to the log, tells how many wait at each address, and has the settings. */
	if ((change->logs || change->binds || change->settings) && !arbiter->admin.resting) {
		admin_child_rest(&arbiter->admin);
		admin_child_resume(&arbiter->admin);
	}
	crew_reload(&arbiter->crew);
}

void
reload_run(struct arbiter *arbiter)
{
	struct change change = {.arbiter = arbiter};
	struct config as_written;
	char error[1024];

	if (arbiter->reload.leaving.count > 0) {
		arbiter->reload.again = true;
		return;
	}
	arbiter_reopen_logs(arbiter);
	if (read_again(&change, error, sizeof(error)) == 0) {
		as_written = change.next->config;
		if (prepare(&change, &change.next->config, error, sizeof(error)) == 0) {
			config_differ(arbiter->config, &as_written, tell_differ, &change);
			take(&change);
			return;
		}
	}
	log_error("%s; everything stays as it was", error);
	free_change(&change);
}

void
reload_manage(struct arbiter *arbiter)
{
	struct reload *reload = &arbiter->reload;

	if (reload->leaving.count == 0 || (clock_now_ns() < reload->due_ns && !drain_is_over(&reload->drain)))
		return;
	arbiter->crew.hold = false;
	/* After TERM, so that no old worker takes the end of its socket for a fault. */
	crew_manage(&arbiter->crew);
	listeners_close(&reload->leaving);
	if (reload->again) {
		reload->again = false;
		reload_run(arbiter);
	}
}

uint64_t
reload_due_ns(const struct arbiter *arbiter)
{
	const struct reload *reload = &arbiter->reload;

	if (reload->leaving.count == 0)
		return UINT64_MAX;
	return reload->drain.look_ns < reload->due_ns ? reload->drain.look_ns : reload->due_ns;
}

void
reload_deinit(struct arbiter *arbiter)
{
	struct reload *reload = &arbiter->reload;

	if (reload->owned != NULL)
		config_file_free(&reload->owned->file);
	free(reload->owned);
	reload->owned = NULL;
	arbiter->config = reload->first;
}
