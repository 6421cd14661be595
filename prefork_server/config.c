/* What is asked for: the defaults, the environment, the file and the command line put together, and checked. */
#include "prefork_server/config.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/options.h"
#include "common/settings.h"
#include "prefork_server/config_options.h"
#include "prefork_server/worker.h"

/* begin_command_line: its addresses replace those of the file. */
static void
begin_command_line(void *config)
{
	((struct config *)config)->binds_begun = false;
}

/* limit_or_max: 0 is gunicorn's "no limit", which for us is as much as a whole header may take. */
static uint32_t
limit_or_max(int64_t limit)
{
	return limit == 0 ? CONFIG_HEADER_MAX : (uint32_t)limit;
}

static void
set_limits(struct config *config)
{
	uint64_t line = limit_or_max(config->limit_request_line);
	uint64_t field = limit_or_max(config->limit_request_field_size);
	uint64_t all = line + (uint64_t)config->limit_request_fields * (field + 2) + 4;

	config->limits = (struct http_limits){
	    .request_line = (uint32_t)line,
	    .field_size = (uint32_t)field,
	    .fields = (uint32_t)config->limit_request_fields,
	    .header_size = all < CONFIG_HEADER_MAX ? (uint32_t)all : CONFIG_HEADER_MAX,
	};
}

static struct config
defaults(void)
{
	return (struct config){
	    .binds = {.count = 1, .addresses = {"127.0.0.1:8089"}},
	    .backlog = 2048,
	    .workers = 1,
	    .threads = 1,
	    .worker_connections = 1000,
	    .timeout_ns = 30 * NS_PER_SEC,
	    .graceful_timeout_ns = 30 * NS_PER_SEC,
	    .sleep_ns = SETTINGS_UNNAMED,
	    .max_sleep_ns = 60 * NS_PER_SEC,
	    .cpu_ns = SETTINGS_UNNAMED,
	    .max_cpu_ns = 10 * NS_PER_SEC,
	    .keep_alive_ns = 2 * NS_PER_SEC,
	    .header_timeout_ns = 10 * NS_PER_SEC,
	    .body_timeout_ns = 10 * NS_PER_SEC,
	    .drain_timeout_ns = 10 * NS_PER_SEC,
	    .min_rate = 240, /* as async_server, and Kestrel, have it */
	    .limit_request_line = 4094,
	    .limit_request_fields = 100,
	    .limit_request_field_size = 8190,
	    .umask = CONFIG_UMASK_AS_STARTED,
	    .error_log = "-",
	    .log_level = LOG_LEVEL_INFO,
	};
}

static struct config_source
source(int argc, char **argv)
{
	return (struct config_source){
	    .program = &config_options,
	    .argc = argc,
	    .argv = argv,
	    .size = sizeof(struct config),
	    .path_offset = offsetof(struct config, config_file),
	    .begin_command_line = begin_command_line,
	};
}

/* take_environment is what a file and the command line are read over. */
static int
take_environment(struct config *config, char *error, size_t error_size)
{
	const char *concurrency = getenv("WEB_CONCURRENCY");
	char why[256];

	if (concurrency == NULL || options_set(&config_options, config, "workers", concurrency, why, sizeof(why)) == 0)
		return 0;
	snprintf(error, error_size, "from $WEB_CONCURRENCY: %s", why);
	return -EINVAL;
}

int
config_check(const struct config *config, char *error, size_t error_size)
{
	if (config->sleep_ns > config->max_sleep_ns)
		snprintf(error, error_size, "--sleep %g is above --max-sleep %g; raise the latter",
		    (double)config->sleep_ns / (double)NS_PER_SEC, (double)config->max_sleep_ns / (double)NS_PER_SEC);
	else if (config->cpu_ns > config->max_cpu_ns)
		snprintf(error, error_size, "--cpu %.9g is above --max-cpu %.9g; raise the latter",
		    (double)config->cpu_ns / (double)NS_PER_MS, (double)config->max_cpu_ns / (double)NS_PER_MS);
	else if (config->log_json && config->access_log_format != NULL)
		snprintf(error, error_size,
		    "--access-logformat does not go with --log-json, whose lines have fixed keys; leave one of them "
		    "out");
	else
		return 0;
	return -EINVAL;
}

/* complete derives the rest. */
static int
complete(struct config *config, char *error, size_t error_size)
{
	settings_name_rest(&config->sleep_ns, &config->cpu_ns, 100 * NS_PER_MS);
	if (config->threads > 1 && strcmp(worker_classes[config->worker_class]->name, "sync") == 0)
		config->worker_class = worker_class_find("gthread");
	set_limits(config);
	return config_check(config, error, error_size);
}

void
config_parse(struct config *config, struct config_file *file, int argc, char **argv)
{
	const struct config_source from = source(argc, argv);
	char error[256];

	*config = defaults();
	if (take_environment(config, error, sizeof(error)) != 0)
		options_fail(&config_options, "%s", error);
	config_start(&from, config, file);
	if (complete(config, error, sizeof(error)) != 0)
		options_fail(&config_options, "%s", error);
}

int
config_parse_again(
    struct config *config, struct config_file *file, int argc, char **argv, char *error, size_t error_size)
{
	const struct config_source from = source(argc, argv);
	int result;

	*file = (struct config_file){0};
	*config = defaults();
	result = take_environment(config, error, error_size);
	if (result == 0)
		result = config_load(&from, config, file, error, error_size);
	if (result == 0)
		result = complete(config, error, error_size);
	if (result != 0)
		config_file_free(file);
	return result;
}

void
config_differ(const struct config *a, const struct config *b, options_differ_fn *differ, void *context)
{
	const char *a_format = a->access_log_format != NULL ? a->access_log_format : "";
	const char *b_format = b->access_log_format != NULL ? b->access_log_format : "";

	options_differ(&config_options, a, b, differ, context);
	/* It is parsed where it is read, and so no plain field. */
	if (strcmp(a_format, b_format) != 0)
		differ(context, "access-logformat");
}
