/* What can be asked for: each option's name, its text in --help, where its value goes, and what it may be. */
#include "prefork_server/config_options.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/access_log_format.h"
#include "common/log.h"
#include "common/settings.h"
#include "prefork_server/config.h"
#include "prefork_server/worker.h"

#define DAY_S 86400.0

#define FIELD(name) .offset = offsetof(struct config, name)

/* add_address appends ADDRESS, LEN bytes. Returns 0, or -1 with what is wrong in ERROR. */
static int
add_address(struct config_binds *binds, const char *address, size_t len, char *error, size_t error_size)
{
	if (len == 0)
		snprintf(error, error_size, "an address is missing; use HOST:PORT, PORT or unix:PATH");
	else if (len >= CONFIG_ADDRESS_MAX)
		snprintf(error, error_size, "an address is longer than %d bytes", CONFIG_ADDRESS_MAX - 1);
	else if (binds->count == CONFIG_BINDS_MAX)
		snprintf(error, error_size, "there are more than %d addresses", CONFIG_BINDS_MAX);
	else {
		memset(binds->addresses[binds->count], 0, CONFIG_ADDRESS_MAX);
		memcpy(binds->addresses[binds->count++], address, len);
		return 0;
	}
	return -1;
}

/* parse_bind adds to those that the same source named before, and replaces those of another one. */
static int
parse_bind(void *config, const char *value, char *error, size_t error_size)
{
	struct config *c = config;

	if (!c->binds_begun)
		c->binds = (struct config_binds){0};
	c->binds_begun = true;
	for (;;) {
		size_t len = strcspn(value, ",");

		if (add_address(&c->binds, value, len, error, error_size) != 0)
			return -1;
		if (value[len] == '\0')
			return 0;
		value += len + 1;
	}
}

static int
parse_umask(void *config, const char *value, char *error, size_t error_size)
{
	char *end;
	long mask;

	errno = 0;
	mask = strtol(value, &end, 8);
	if (*value < '0' || *value > '7' || *end != '\0' || errno != 0 || mask > 0777) {
		snprintf(error, error_size, "must be an octal number from 0 to 777");
		return -1;
	}
	((struct config *)config)->umask = mask;
	return 0;
}

/* parse_access_format refuses a format here, where the message can say what is wrong with it. */
static int
parse_access_format(void *config, const char *value, char *error, size_t error_size)
{
	struct access_log_format format;

	((struct config *)config)->access_log_format = value;
	return access_log_format_parse(&format, ACCESS_LOG_GUNICORN, value, error, error_size) == 0 ? 0 : -1;
}

static const struct option_row rows[] = {
    {.type = OPTION_HEADING, .help = "Where it listens"},
    {.type = OPTION_PARSE,
	.short_name = 'b',
	.name = "bind",
	.argument = "ADDRESS",
	.help = "HOST:PORT, [IPV6]:PORT, PORT or unix:PATH, or several with commas; port 0 takes a free one "
		"(127.0.0.1:8089)",
	FIELD(binds),
	.max = sizeof(struct config_binds),
	.parse = parse_bind},
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
	.help = "serve /settings, /metrics, /scoreboard and /healthz here (off)",
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
    {.type = OPTION_INT,
	.name = "threads",
	.argument = "N",
	.help = "threads of each worker that serve requests; more than one makes sync gthread (1)",
	FIELD(threads),
	.min = 1,
	.max = CONFIG_THREADS_MAX},
    {.type = OPTION_INT,
	.name = "worker-connections",
	.argument = "N",
	.help = "most connections that a gthread worker holds at a time (1000)",
	FIELD(worker_connections),
	.min = 1,
	.max = CONFIG_CONNECTIONS_MAX},
    {.type = OPTION_INT,
	.name = "max-requests",
	.argument = "N",
	.help = "a worker is replaced after so many requests; 0: never (0)",
	FIELD(max_requests),
	.max = 1e12},
    {.type = OPTION_INT,
	.name = "max-requests-jitter",
	.argument = "N",
	.help = "each worker adds a random number up to this to --max-requests, so that not all end at once (0)",
	FIELD(max_requests_jitter),
	.max = 1e12},
    {.type = OPTION_INT,
	.name = "max-rss",
	.argument = "MIB",
	.help = "a worker whose resident memory has grown beyond this is replaced; 0: never (0)",
	FIELD(max_rss_mib),
	.max = 1 << 20},
    {.type = OPTION_SECONDS,
	.short_name = 't',
	.name = "timeout",
	.argument = "SECONDS",
	.help = "a worker silent for longer is killed and replaced, so no request of sync takes longer; 0: never (30)",
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

    {.type = OPTION_SECONDS,
	.name = "handler-timeout",
	.argument = "SECONDS",
	.help = "for a handler to answer; then 504; 0: until --timeout (0)",
	FIELD(handler_timeout_ns),
	.max = DAY_S},

    {.type = OPTION_HEADING, .help = "How long it waits for a client"},
    {.type = OPTION_SECONDS,
	.name = "keep-alive",
	.argument = "SECONDS",
	.help = "for the next request on a connection; gthread only (2)",
	FIELD(keep_alive_ns),
	.max = DAY_S},
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
    {.type = OPTION_INT,
	.name = "min-rate",
	.argument = "BYTES",
	.help = "a second, on average, of a body or an answer: who is slower uses up --body-timeout or "
		"--drain-timeout; 0: any (240)",
	FIELD(min_rate),
	.max = 1e9},

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

    {.type = OPTION_HEADING, .help = "The process"},
    {.type = OPTION_FLAG, .short_name = 'D', .name = "daemon", .help = "run in the background", FIELD(daemon)},
    {.type = OPTION_STRING,
	.short_name = 'u',
	.name = "user",
	.argument = "USER",
	.help = "workers run as this user, a name or a number (as started)",
	FIELD(user)},
    {.type = OPTION_STRING,
	.short_name = 'g',
	.name = "group",
	.argument = "GROUP",
	.help = "workers run with this group, a name or a number (as started)",
	FIELD(group)},
    {.type = OPTION_PARSE,
	.short_name = 'm',
	.name = "umask",
	.argument = "MASK",
	.help = "permissions that files and Unix sockets are made without, in octal (as started)",
	FIELD(umask),
	.max = sizeof(int64_t),
	.parse = parse_umask},

    {.type = OPTION_HEADING, .help = "Files"},
    {.type = OPTION_STRING,
	.short_name = 'c',
	.name = "config",
	.argument = "FILE",
	.help = "read options from here, a line each: workers = 4; the command line wins over it; HUP reads it again",
	FIELD(config_file)},
    {.type = OPTION_FLAG,
	.name = "check-config",
	.help = "read the configuration, say what is wrong with it, and end",
	FIELD(check_config)},
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
    {.type = OPTION_PARSE,
	.name = "access-logformat",
	.argument = "FORMAT",
	.help = "what that line has, in gunicorn's atoms (%(h)s %(l)s %(u)s %(t)s \"%(r)s\" %(s)s %(b)s \"%(f)s\" "
		"\"%(a)s\")",
	.parse = parse_access_format},
    {.type = OPTION_FLAG, .name = "log-json", .help = "each line of both logs is a JSON object", FIELD(log_json)},
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

const struct options_program config_options = {
    .name = "prefork_server",
    .synopsis = "[options]",
    .summary = "Serves the lab's handler, which sleeps or computes, from worker processes that block, the way "
	       "gunicorn runs a Django view. Options have gunicorn's names, meanings and defaults.",
    .rows = rows,
    .footer = "Signals: TERM stops when requests are done, INT and QUIT at once; HUP reads the\n"
	      "configuration again and replaces all workers; TTIN and TTOU add and remove one;\n"
	      "USR1 opens the logs again; USR2 starts the program anew beside this one.\n\n"
	      "  prefork_server -w 4 --sleep 0.2 --admin 127.0.0.1:9089\n",
};
