/* What the command line and the environment ask for: gunicorn's settings, and ours. */
#include "prefork_server/config.h"

#include <stddef.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/options.h"
#include "common/settings.h"
#include "prefork_server/worker.h"

#define DAY_S 86400.0

#define FIELD(name) .offset = offsetof(struct config, name)

static const struct option_row rows[] = {
    {.type = OPTION_HEADING, .help = "Where it listens"},
    {.type = OPTION_STRING,
	.short_name = 'b',
	.name = "bind",
	.argument = "ADDRESS",
	.help = "HOST:PORT, [IPV6]:PORT, PORT or unix:PATH; port 0 takes a free one (127.0.0.1:8089)",
	FIELD(bind)},
    {.type = OPTION_INT,
	.name = "backlog",
	.argument = "N",
	.help = "connections that may wait to be accepted (2048)",
	FIELD(backlog),
	.min = 1,
	.max = 65535},
    {.type = OPTION_FLAG,
	.name = "reuse-port",
	.help = "set SO_REUSEPORT, so that other servers can share the port",
	FIELD(reuse_port)},
    {.type = OPTION_STRING,
	.name = "admin",
	.argument = "ADDRESS",
	.help = "serve /settings, /metrics and /healthz here (off)",
	FIELD(admin)},

    {.type = OPTION_HEADING, .help = "Workers"},
    {.type = OPTION_INT,
	.short_name = 'w',
	.name = "workers",
	.argument = "N",
	.help = "worker processes ($WEB_CONCURRENCY, else 1)",
	FIELD(workers),
	.min = 1,
	.max = CONFIG_WORKERS_MAX},
    {.type = OPTION_CHOICE,
	.short_name = 'k',
	.name = "worker-class",
	.argument = "CLASS",
	.help = "how a worker serves: " WORKER_CLASS_CHOICES " (sync)",
	FIELD(worker_class),
	.choices = WORKER_CLASS_CHOICES},
    {.type = OPTION_SECONDS,
	.short_name = 't',
	.name = "timeout",
	.argument = "SECONDS",
	.help = "a worker silent for longer is killed and replaced, so no request takes longer; 0: never (30)",
	FIELD(timeout_ns),
	.max = DAY_S},
    {.type = OPTION_SECONDS,
	.name = "graceful-timeout",
	.argument = "SECONDS",
	.help = "how long workers may finish their requests at a stop (30)",
	FIELD(graceful_timeout_ns),
	.max = DAY_S},

    {.type = OPTION_HEADING, .help = "What a handler does"},
    {.type = OPTION_SECONDS,
	.name = "sleep",
	.argument = "SECONDS",
	.help = "how long it sleeps before it answers (0.1, or 0 with --cpu)",
	FIELD(sleep_ns),
	.max = SETTINGS_SLEEP_MAX_S},
    {.type = OPTION_SECONDS,
	.name = "max-sleep",
	.argument = "SECONDS",
	.help = "longest sleep that a request or PUT /settings may ask for (60)",
	FIELD(max_sleep_ns),
	.max = SETTINGS_SLEEP_MAX_S},
    {.type = OPTION_MS,
	.name = "cpu",
	.argument = "MS",
	.help = "milliseconds of CPU time that it computes for, before it sleeps (0)",
	FIELD(cpu_ns),
	.max = SETTINGS_CPU_MAX_S * 1000},
    {.type = OPTION_MS,
	.name = "max-cpu",
	.argument = "MS",
	.help = "most that a request or PUT /settings may ask for (10000)",
	FIELD(max_cpu_ns),
	.max = SETTINGS_CPU_MAX_S * 1000},

    {.type = OPTION_HEADING, .help = "How long it waits for a client"},
    {.type = OPTION_SECONDS,
	.name = "header-timeout",
	.argument = "SECONDS",
	.help = "for the whole header of a request; then 408 (10)",
	FIELD(header_timeout_ns),
	.min = 0.001,
	.max = DAY_S},
    {.type = OPTION_SECONDS,
	.name = "body-timeout",
	.argument = "SECONDS",
	.help = "for the next piece of a request's body; then 408 (10)",
	FIELD(body_timeout_ns),
	.min = 0.001,
	.max = DAY_S},
    {.type = OPTION_SECONDS,
	.name = "drain-timeout",
	.argument = "SECONDS",
	.help = "for a client to take the next piece of its answer; then it is cut off (10)",
	FIELD(drain_timeout_ns),
	.min = 0.001,
	.max = DAY_S},

    {.type = OPTION_HEADING, .help = "What a client may send"},
    {.type = OPTION_INT,
	.name = "limit-request-line",
	.argument = "BYTES",
	.help = "longest request line; 0: as long as a whole header may be, 1 MiB (4094)",
	FIELD(limit_request_line),
	.max = CONFIG_HEADER_MAX},
    {.type = OPTION_INT,
	.name = "limit-request-fields",
	.argument = "N",
	.help = "most fields of a header (100)",
	FIELD(limit_request_fields),
	.min = 1,
	.max = 32768},
    {.type = OPTION_INT,
	.name = "limit-request-field_size",
	.argument = "BYTES",
	.help = "longest field of a header; 0: as long as a whole header may be, 1 MiB (8190)",
	FIELD(limit_request_field_size),
	.max = CONFIG_HEADER_MAX},

    {.type = OPTION_HEADING, .help = "Files"},
    {.type = OPTION_STRING,
	.short_name = 'p',
	.name = "pid",
	.argument = "FILE",
	.help = "holds the arbiter's pid while it runs (none)",
	FIELD(pid_file)},
    {.type = OPTION_STRING,
	.name = "access-logfile",
	.argument = "FILE",
	.help = "a line for each request; - is standard output (off)",
	FIELD(access_log)},
    {.type = OPTION_STRING,
	.name = "error-logfile",
	.argument = "FILE",
	.help = "everything else; - is standard error (-)",
	FIELD(error_log)},
    {.type = OPTION_STRING,
	.name = "log-file",
	.argument = "FILE",
	.help = "the same as --error-logfile",
	FIELD(error_log)},
    {.type = OPTION_CHOICE,
	.name = "log-level",
	.argument = "LEVEL",
	.help = "debug, info, warning, error or critical (info)",
	FIELD(log_level),
	.choices = LOG_LEVEL_CHOICES},

    {.type = OPTION_HEADING, .help = "About"},
    {.type = OPTION_HELP, .short_name = 'h', .name = "help", .help = "print this text"},
    {.type = OPTION_VERSION, .short_name = 'v', .name = "version", .help = "print the version"},
    {.type = OPTION_END},
};

static const struct options_program program = {
    .name = "prefork_server",
    .synopsis = "[options]",
    .summary = "Serves the lab's handler, which sleeps or computes, from worker processes that each take one request "
	       "at a time, the way "
	       "gunicorn runs a Django view. Options have gunicorn's names, meanings and defaults.",
    .rows = rows,
    .footer = "Signals: TERM stops when requests are done, INT and QUIT at once; HUP replaces\n"
	      "all workers; TTIN and TTOU add and remove one; USR1 opens the logs again.\n\n"
	      "  prefork_server -w 4 --sleep 0.2 --admin 127.0.0.1:9089\n",
};

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

void
config_parse(struct config *config, int argc, char **argv)
{
	const char *concurrency = getenv("WEB_CONCURRENCY");
	char error[256];
	int operand;

	*config = (struct config){
	    .bind = "127.0.0.1:8089",
	    .backlog = 2048,
	    .workers = 1,
	    .timeout_ns = 30 * NS_PER_SEC,
	    .graceful_timeout_ns = 30 * NS_PER_SEC,
	    .sleep_ns = SETTINGS_UNNAMED,
	    .max_sleep_ns = 60 * NS_PER_SEC,
	    .cpu_ns = SETTINGS_UNNAMED,
	    .max_cpu_ns = 10 * NS_PER_SEC,
	    .header_timeout_ns = 10 * NS_PER_SEC,
	    .body_timeout_ns = 10 * NS_PER_SEC,
	    .drain_timeout_ns = 10 * NS_PER_SEC,
	    .limit_request_line = 4094,
	    .limit_request_fields = 100,
	    .limit_request_field_size = 8190,
	    .error_log = "-",
	    .log_level = LOG_LEVEL_INFO,
	};
	if (concurrency != NULL && options_set(&program, config, "workers", concurrency, error, sizeof(error)) != 0)
		options_fail(&program, "from $WEB_CONCURRENCY: %s", error);
	operand = options_parse(&program, config, argc, argv);
	if (operand < argc)
		options_fail(&program, "unexpected argument %s; see %s --help", argv[operand], program.name);
	settings_name_rest(&config->sleep_ns, &config->cpu_ns, 100 * NS_PER_MS);
	if (config->sleep_ns > config->max_sleep_ns)
		options_fail(&program, "--sleep %g is above --max-sleep %g; raise the latter",
		    (double)config->sleep_ns / (double)NS_PER_SEC, (double)config->max_sleep_ns / (double)NS_PER_SEC);
	if (config->cpu_ns > config->max_cpu_ns)
		options_fail(&program, "--cpu %.9g is above --max-cpu %.9g; raise the latter",
		    (double)config->cpu_ns / (double)NS_PER_MS, (double)config->max_cpu_ns / (double)NS_PER_MS);
	set_limits(config);
}
