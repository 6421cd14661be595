/* SIGHUP: the configuration file is read again, and what can change without a restart changes. */
#include "async_server/reload.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"

/* What differs, by what has to happen. */
struct changes {
	unsigned count;
	bool settings; /* of the handler: they live in the settings */
	struct config *now;
	const struct config *next;
};

static bool
is_file(const char *path)
{
	return path != NULL && strcmp(path, "-") != 0;
}

bool
reload_is_wanted(const struct config *config)
{
	return config->config_file != NULL || is_file(config->access_logfile) || is_file(config->error_logfile);
}

/* Options that can change while the server serves: where they stand. */
static const struct {
	const char *name;
	size_t offset, size;
	bool setting;
} live[] = {
#define LIVE(name, field, setting) \
	{ \
		name, offsetof(struct config, field), sizeof(((struct config *)NULL)->field), setting \
	}
    LIVE("sleep", sleep_ns, true),
    LIVE("cpu", cpu_ns, true),
    LIVE("mode", mode, true),
    LIVE("blocking-share", blocking_share, true),
    LIVE("max-connections", max_connections, false),
    LIVE("keep-alive", keep_alive_ns, false),
    LIVE("header-timeout", header_timeout_ns, false),
    LIVE("body-timeout", body_timeout_ns, false),
    LIVE("handler-timeout", handler_timeout_ns, false),
    LIVE("drain-timeout", drain_timeout_ns, false),
    LIVE("min-rate", min_rate, false),
    LIVE("shutdown-timeout", shutdown_timeout_ns, false),
    LIVE("slow-callback", slow_callback_ns, false),
    LIVE("log-level", log_level, false),
#undef LIVE
};

/* find_live returns the place in `live` of the option NAME, or -1. */
static int
find_live(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(live); i++)
		if (strcmp(live[i].name, name) == 0)
			return (int)i;
	return -1;
}

/* on_differ takes over the option NAME where it can change. */
static void
on_differ(void *context, const char *name)
{
	struct changes *changes = context;
	int i = find_live(name);

	if (i < 0)
		return;
	memcpy((char *)changes->now + live[i].offset, (const char *)changes->next + live[i].offset, live[i].size);
	changes->settings = changes->settings || live[i].setting;
	changes->count++;
}

/* tell_differ says what became of the option NAME. */
static void
tell_differ(void *context, const char *name)
{
	(void)context;
	if (find_live(name) >= 0)
		log_info("--%s has changed", name);
	else
		log_warning("--%s has changed, but needs a restart", name);
}

/* apply_settings makes what the file says of the handler the live settings. */
static void
apply_settings(const struct reload *reload)
{
	const struct config *config = &reload->config;
	char form[160], why[256];
	int len;

	len = snprintf(form, sizeof(form), "sleep=%.9f&cpu=%.6f&mode=%s&blocking-share=%.4f",
	    (double)config->sleep_ns / (double)NS_PER_SEC, (double)config->cpu_ns / (double)NS_PER_MS,
	    settings_mode_name((enum wait_mode)config->mode),
	    (double)config->blocking_share * 100 / SETTINGS_SHARE_WHOLE);
	if (settings_apply(reload->settings, form, (size_t)len, why, sizeof(why)) != 0)
		log_error("The settings stay as they are: %s", why);
}

static void
reopen_log(void)
{
	int error = log_reopen_all();

	if (error != 0)
		log_error("Cannot open the error log again: %s; the old file stays in use", strerror(-error));
}

static void
read_again(struct reload *reload)
{
	struct config now = reload->config, next;
	struct changes changes = {.now = &now, .next = &next};
	struct config_file file = {0};
	char error[512];

	if (config_parse_again(&next, &file, reload->argc, reload->argv, error, sizeof(error)) != 0) {
		log_error("%s; everything stays as it was", error);
		return;
	}
	config_differ(&reload->config, &next, on_differ, &changes);
	/* What is right in the file may not go with what is fixed until a restart: sleep with max-sleep as it was. */
	if (config_check(&now, error, sizeof(error)) != 0) {
		log_error("%s: with what needs a restart as it was, %s; everything stays as it was",
		    reload->config.config_file, error);
		config_file_free(&file);
		return;
	}
	config_differ(&reload->config, &next, tell_differ, NULL);
	reload->config = now;
	/* Nothing that was taken over points into its text. */
	config_file_free(&file);
	log_set_level((enum log_level)reload->config.log_level);
	if (changes.settings)
		apply_settings(reload);
	log_info("Read %s again: %u options have changed", reload->config.config_file, changes.count);
}

void
reload_run(struct reload *reload)
{
	log_info("Opening the logs again (SIGHUP)");
	reopen_log();
	if (reload->config.config_file != NULL)
		read_again(reload);
	loops_configure(reload->loops, &reload->config);
}
