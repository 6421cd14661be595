/* What the command line asks of async_server. */
#include "async_server/config.h"

#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/access_log_format.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/options.h"
#include "common/settings.h"

#define FIELD(name) offsetof(struct config, name)

/* parse_format refuses a format here, where the message can say what is wrong with it. */
static int
parse_format(void *config, const char *value, char *error, size_t error_size)
{
	struct access_log_format format;

	((struct config *)config)->access_log_format = value;
	return access_log_format_parse(&format, ACCESS_LOG_AIOHTTP, value, error, error_size) == 0 ? 0 : -1;
}

/* processors counts those that this process may run on: containers and taskset give less than the machine has. */
static int64_t
processors(void)
{
	cpu_set_t set;
	int count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

	return count < 1 ? 1 : count > CONFIG_LOOPS_MAX ? CONFIG_LOOPS_MAX : count;
}

static int
parse_loops(void *config, const char *value, char *error, size_t error_size)
{
	struct config *c = config;
	char *end;
	long loops;

	if (strcmp(value, "auto") == 0) {
		c->loops = processors();
		return 0;
	}
	errno = 0;
	loops = strtol(value, &end, 10);
	if (*value < '0' || *value > '9' || *end != '\0' || errno != 0 || loops < 1 || loops > CONFIG_LOOPS_MAX) {
		snprintf(error, error_size, "must be auto or a whole number from 1 to %d", CONFIG_LOOPS_MAX);
		return -1;
	}
	c->loops = loops;
	return 0;
}

static const struct option_row rows[] = {
    {.type = OPTION_HEADING, .help = "Where it listens"},
    {OPTION_STRING, 'b', "bind", "ADDRESS", "HOST:PORT, [IPV6]:PORT, PORT or unix:PATH (127.0.0.1:8088)", FIELD(bind),
	0, 0, NULL, NULL},
    {OPTION_INT, 0, "backlog", "N",
	"connections that may wait to be accepted (2048; aiohttp has 128, which a burst of clients overflows)",
	FIELD(backlog), 1, 65535, NULL, NULL},
    {OPTION_INT, 0, "max-connections", "N",
	"open connections, above which the next ones wait in the backlog (0: as many as there are file descriptors)",
	FIELD(max_connections), 0, 1e6, NULL, NULL},
    {OPTION_STRING, 0, "admin", "ADDRESS", "serve /settings, /metrics and /healthz here (off)", FIELD(admin), 0, 0,
	NULL, NULL},
    {OPTION_PARSE, 0, "loops", "N",
	"event loops, each a thread with a listening socket, a pool and counters of its own; auto: one a processor (1)",
	FIELD(loops), 0, sizeof(int64_t), NULL, parse_loops},
    {.type = OPTION_HEADING, .help = "What a handler does"},
    {OPTION_SECONDS, 0, "sleep", "S",
	"seconds that a handler waits before it answers (0.1, or 0 where --cpu is given and --sleep is not)",
	FIELD(sleep_ns), 0, SETTINGS_SLEEP_MAX_S, NULL, NULL},
    {OPTION_MS, 0, "cpu", "MS", "milliseconds of CPU time that it computes, before it waits (0)", FIELD(cpu_ns), 0,
	SETTINGS_CPU_MAX_S * 1000, NULL, NULL},
    {OPTION_CHOICE, 0, "mode", "MODE",
	"how it waits: async (a timer of the loop), blocking (nanosleep in the loop) or threadpool (nanosleep on a "
	"pool thread) (async)",
	FIELD(mode), 0, 0, WAIT_MODE_CHOICES, NULL},
    {OPTION_PERCENT, 0, "blocking-share", "P", "percent of the requests that block although the mode is async (0)",
	FIELD(blocking_share), 0, 100, NULL, NULL},
    {OPTION_INT, 0, "threads", "N", "threads of the pool (as in Python: processors + 4, at most 32)", FIELD(threads), 1,
	1024, NULL, NULL},
    {OPTION_INT, 0, "pool-queue", "N", "requests that may wait for a thread of it; the next ones get 503 (4096)",
	FIELD(pool_queue), 0, 1e6, NULL, NULL},
    {OPTION_SECONDS, 0, "max-sleep", "S", "longest sleep that a request or PUT /settings may ask for (60)",
	FIELD(max_sleep_ns), 0, SETTINGS_SLEEP_MAX_S, NULL, NULL},
    {OPTION_MS, 0, "max-cpu", "MS", "most computing that a request or PUT /settings may ask for (10000)",
	FIELD(max_cpu_ns), 0, SETTINGS_CPU_MAX_S * 1000, NULL, NULL},
    {OPTION_SECONDS, 0, "handler-timeout", "S", "from a request's end to its answer, else 503 (3600)",
	FIELD(handler_timeout_ns), 0.001, 86400, NULL, NULL},
    {.type = OPTION_HEADING, .help = "How long it waits for a client"},
    {OPTION_SECONDS, 0, "keep-alive", "S", "for the next request on a connection (75)", FIELD(keep_alive_ns), 0.001,
	86400, NULL, NULL},
    {OPTION_SECONDS, 0, "header-timeout", "S",
	"for a connection's first byte, and from a request's first byte to the end of its header (10)",
	FIELD(header_timeout_ns), 0.001, 86400, NULL, NULL},
    {OPTION_SECONDS, 0, "body-timeout", "S", "for the next piece of a request's body (30)", FIELD(body_timeout_ns),
	0.001, 86400, NULL, NULL},
    {OPTION_SECONDS, 0, "drain-timeout", "S",
	"for a client to take more of its answer, or to close after an error (10)", FIELD(drain_timeout_ns), 0.001,
	86400, NULL, NULL},
    {OPTION_INT, 0, "min-rate", "BYTES",
	"a second, on average, of a body or an answer: who is slower uses up --body-timeout or --drain-timeout (240; "
	"0: any)",
	FIELD(min_rate), 0, 1e9, NULL, NULL},
    {OPTION_SECONDS, 0, "ws-heartbeat", "S",
	"ping a WebSocket after so long without a byte, and end it when none comes within half of that (0: never)",
	FIELD(ws_heartbeat_ns), 0, 86400, NULL, NULL},
    {OPTION_SECONDS, 0, "shutdown-timeout", "S", "for requests in flight after INT or TERM (60)",
	FIELD(shutdown_timeout_ns), 0, 86400, NULL, NULL},
    {.type = OPTION_HEADING, .help = "What it logs"},
    {OPTION_STRING, 0, "access-logfile", "FILE", "a line for each request; - is standard output (off)",
	FIELD(access_logfile), 0, 0, NULL, NULL},
    {OPTION_PARSE, 0, "access-log-format", "FORMAT",
	"what that line has, in aiohttp's atoms: %a %t %P %r %s %b %T %Tf %D %{Name}i %{Name}o %% (%a %t \"%r\" %s %b "
	"\"%{Referer}i\" \"%{User-Agent}i\")",
	0, 0, 0, NULL, parse_format},
    {OPTION_FLAG, 0, "log-json", NULL, "each line of both logs is a JSON object", FIELD(log_json), 0, 0, NULL, NULL},
    {OPTION_STRING, 0, "error-logfile", "FILE", "everything else; - is standard error (-)", FIELD(error_logfile), 0, 0,
	NULL, NULL},
    {OPTION_CHOICE, 0, "log-level", "LEVEL", "debug, info, warning, error or critical (info)", FIELD(log_level), 0, 0,
	LOG_LEVEL_CHOICES, NULL},
    {OPTION_SECONDS, 0, "slow-callback", "S", "warn when something held the loop this long (0.1)",
	FIELD(slow_callback_ns), 0.0001, 3600, NULL, NULL},
    {.type = OPTION_HEADING, .help = "About"},
    {OPTION_STRING, 0, "config", "FILE",
	"read options from here, a line each: keep-alive = 30; the command line wins over it; HUP reads it again",
	FIELD(config_file), 0, 0, NULL, NULL},
    {.type = OPTION_HELP, .short_name = 'h', .name = "help", .help = "print this text"},
    {.type = OPTION_VERSION, .name = "version", .help = "print the version"},
    {.type = OPTION_END},
};

static const struct options_program program = {
    .name = "async_server",
    .synopsis = "[OPTION ...]",
    .summary = "An HTTP server of one process and one event loop, or several. GET / and GET /NAME answer \"Hello, "
	       "Anonymous\" after a sleep; /echo sends back the body it gets, and /ws the messages of a WebSocket.",
    .rows = rows,
    .footer = "Signals: INT and TERM finish the requests in flight and end; a second one ends\n"
	      "at once.  USR1 switches blocking sleeps on and off.  HUP reads --config and\n"
	      "opens the logs again; where there is neither file, it is as TERM.\n"
	      "One request can choose for itself: /?sleep=0.2&mode=blocking, /?cpu=20\n",
};

/* default_threads is what Python's ThreadPoolExecutor takes, and so aiohttp's run_in_executor. */
static int64_t
default_threads(void)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (processors < 1)
		processors = 1;
	return processors + 4 < 32 ? processors + 4 : 32;
}

int
config_check(const struct config *config, char *error, size_t error_size)
{
	if (config->sleep_ns > config->max_sleep_ns)
		snprintf(error, error_size, "--sleep %g is above --max-sleep %g; raise --max-sleep",
		    (double)config->sleep_ns / (double)NS_PER_SEC, (double)config->max_sleep_ns / (double)NS_PER_SEC);
	else if (config->cpu_ns > config->max_cpu_ns)
		snprintf(error, error_size, "--cpu %g is above --max-cpu %g; raise --max-cpu",
		    (double)config->cpu_ns / (double)NS_PER_MS, (double)config->max_cpu_ns / (double)NS_PER_MS);
	else if (config->max_connections > 0 && config->max_connections < config->loops)
		snprintf(error, error_size,
		    "--max-connections %lld is below --loops %lld; each loop needs one at least",
		    (long long)config->max_connections, (long long)config->loops);
	else if (config->log_json && config->access_log_format != NULL)
		snprintf(error, error_size,
		    "--access-log-format does not go with --log-json, whose lines have fixed keys; leave one of them "
		    "out");
	else
		return 0;
	return -EINVAL;
}

static struct config
defaults(void)
{
	return (struct config){
	    .bind = "127.0.0.1:8088",
	    .log_level = LOG_LEVEL_INFO,
	    .mode = WAIT_ASYNC,
	    .sleep_ns = SETTINGS_UNNAMED,
	    .cpu_ns = SETTINGS_UNNAMED,
	    .max_sleep_ns = 60 * NS_PER_SEC,
	    .max_cpu_ns = 10 * NS_PER_SEC,
	    .loops = 1,
	    .threads = default_threads(),
	    .pool_queue = 4096,
	    .backlog = 2048,
	    .keep_alive_ns = 75 * NS_PER_SEC,
	    .header_timeout_ns = 10 * NS_PER_SEC,
	    .body_timeout_ns = 30 * NS_PER_SEC,
	    .handler_timeout_ns = 3600 * NS_PER_SEC,
	    .drain_timeout_ns = 10 * NS_PER_SEC,
	    .min_rate = 240, /* as Kestrel has it, in both directions */
	    .shutdown_timeout_ns = 60 * NS_PER_SEC,
	    .slow_callback_ns = NS_PER_SEC / 10,
	};
}

static struct config_source
source(int argc, char **argv)
{
	return (struct config_source){
	    .program = &program,
	    .argc = argc,
	    .argv = argv,
	    .size = sizeof(struct config),
	    .path_offset = FIELD(config_file),
	};
}

static int
complete(struct config *config, char *error, size_t error_size)
{
	settings_name_rest(&config->sleep_ns, &config->cpu_ns, NS_PER_SEC / 10);
	return config_check(config, error, error_size);
}

void
config_parse(struct config *config, struct config_file *file, int argc, char **argv)
{
	const struct config_source from = source(argc, argv);
	char error[256];

	*config = defaults();
	config_start(&from, config, file);
	if (complete(config, error, sizeof(error)) != 0)
		options_fail(&program, "%s", error);
}

int
config_parse_again(
    struct config *config, struct config_file *file, int argc, char **argv, char *error, size_t error_size)
{
	const struct config_source from = source(argc, argv);
	int result;

	*config = defaults();
	result = config_load(&from, config, file, error, error_size);
	if (result != 0)
		return result;
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

	options_differ(&program, a, b, differ, context);
	/* It is parsed where it is read, and so no plain field. */
	if (strcmp(a_format, b_format) != 0)
		differ(context, "access-log-format");
}
