/* What the command line asks for. */
#include "loadgen/config.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/options.h"
#include "loadgen/outfile.h"
#include "loadgen/complain.h"
#include "loadgen/usage.h"

#define REQUESTS 100         /* as in the lab; ab: 1 */
#define REQUESTS_TIMED 50000 /* what -t sets -n to, as in ab */
#define TIMEOUT_S 30
#define SECONDS_MAX 86400.0
#define DURATION_OPEN_S 10   /* of a cell with a rate, when nothing else ends it */
#define DURATION_STEP_S 2    /* of a step of --until-saturated, the same */
#define CONCURRENCY_OPEN 100 /* connections at most, with a rate */
#define REQUESTS_UNSET 0
#define BUFFER_MAX (1 << 30)

static char *default_urls[] = {"http://127.0.0.1:8088/", "http://127.0.0.1:8089/"};

static int
parse_concurrency(void *config, const char *value, char *error, size_t error_size)
{
	return list_parse_numbers(
	    &((struct config *)config)->concurrency, value, 1, CONFIG_CONCURRENCY_MAX, error, error_size);
}

static int
parse_sleep(void *config, const char *value, char *error, size_t error_size)
{
	return list_parse_seconds(&((struct config *)config)->sleeps, value, CONFIG_SLEEP_MAX_S, error, error_size);
}

static int
parse_rates(void *config, const char *value, char *error, size_t error_size)
{
	return list_parse_rates(&((struct config *)config)->rates, value, CONFIG_RATE_MAX, error, error_size);
}

static int
parse_ramp(void *config, const char *value, char *error, size_t error_size)
{
	return schedule_parse_ramp(&((struct config *)config)->ramp, value, error, error_size);
}

static int
parse_expect(void *config, const char *value, char *error, size_t error_size)
{
	struct config *into = config;

	if (into->expects_len == EXPECT_MAX) {
		snprintf(error, error_size, "more than %d expectations", EXPECT_MAX);
		return -1;
	}
	return expect_parse(&into->expects[into->expects_len++], value, error, error_size);
}

/* parse_threads: "auto" is one for each CPU that we may run on. */
static int
parse_threads(void *config, const char *value, char *error, size_t error_size)
{
	struct config *into = config;
	struct list list;
	cpu_set_t cpus;

	if (strcmp(value, "auto") == 0) {
		into->threads = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
		if (into->threads > CONFIG_THREADS_MAX)
			into->threads = CONFIG_THREADS_MAX;
		return 0;
	}
	if (list_parse_numbers(&list, value, 1, CONFIG_THREADS_MAX, error, error_size) != 0 || list.len != 1) {
		snprintf(error, error_size, "must be a whole number from 1 to %d, or auto", CONFIG_THREADS_MAX);
		return -1;
	}
	into->threads = (int64_t)list.values[0];
	return 0;
}

static int
parse_time(const char *value, uint64_t *time_ns, char *error, size_t error_size)
{
	if (clock_parse_seconds(value, (uint64_t)(SECONDS_MAX * (double)NS_PER_SEC), time_ns) == 0 &&
	    *time_ns >= NS_PER_MS)
		return 0;
	snprintf(error, error_size, "must be a number of seconds from 0.001 to %g", SECONDS_MAX);
	return -1;
}

static int
parse_duration(void *config, const char *value, char *error, size_t error_size)
{
	return parse_time(value, &((struct config *)config)->time_limit_ns, error, error_size);
}

/* -t sets -n too, and a later -n overrides that: as in ab, so the order counts. */
static int
parse_time_limit(void *config, const char *value, char *error, size_t error_size)
{
	struct config *into = config;

	into->requests = REQUESTS_TIMED;
	return parse_time(value, &into->time_limit_ns, error, error_size);
}

static int
parse_source(void *config, const char *value, char *error, size_t error_size)
{
	return source_parse(&((struct config *)config)->source, value, error, error_size);
}

static int
parse_field(void *config, const char *value, char *error, size_t error_size)
{
	struct request_spec *spec = &((struct config *)config)->spec;

	if (spec->fields_len == REQUEST_FIELDS_MAX) {
		snprintf(error, error_size, "more than %d header lines", REQUEST_FIELDS_MAX);
		return -1;
	}
	spec->fields[spec->fields_len++] = value;
	return request_check_field(value, error, error_size);
}

static int
parse_cookie(void *config, const char *value, char *error, size_t error_size)
{
	struct request_spec *spec = &((struct config *)config)->spec;

	if (spec->cookies_len == REQUEST_FIELDS_MAX) {
		snprintf(error, error_size, "more than %d cookies", REQUEST_FIELDS_MAX);
		return -1;
	}
	spec->cookies[spec->cookies_len++] = value;
	return request_check_cookie(value, error, error_size);
}

static int
parse_method(void *config, const char *value, char *error, size_t error_size)
{
	((struct config *)config)->spec.method = value;
	return request_check_method(value, error, error_size);
}

static int
check_credentials(const char *value, char *error, size_t error_size)
{
	if (strchr(value, ':') != NULL)
		return 0;
	snprintf(error, error_size, "must be user:password");
	return -1;
}

static int
parse_credentials(void *config, const char *value, char *error, size_t error_size)
{
	((struct config *)config)->spec.credentials = value;
	return check_credentials(value, error, error_size);
}

static int
parse_proxy_credentials(void *config, const char *value, char *error, size_t error_size)
{
	((struct config *)config)->spec.proxy_credentials = value;
	return check_credentials(value, error, error_size);
}

static int
parse_content_type(void *config, const char *value, char *error, size_t error_size)
{
	char line[256];

	((struct config *)config)->spec.content_type = value;
	snprintf(line, sizeof(line), "Content-Type: %s", value);
	if (*value != '\0' && strlen(value) < 200 && request_check_field(line, error, error_size) == 0)
		return 0;
	snprintf(error, error_size, "must be a media type like application/json");
	return -1;
}

#define AT(field) .offset = offsetof(struct config, field)

static const struct option_row rows[] = {
    {OPTION_HEADING, .help = "Load"},
    {OPTION_INT, 'n', "requests", "N", "requests a cell (100)", AT(requests), .min = 1, .max = INT_MAX},
    {OPTION_PARSE, 'c', "concurrency", "LIST", "requests at a time (1)", .parse = parse_concurrency},
    {OPTION_PARSE, 't', "timelimit", "SECONDS", "time; implies -n 50000", .parse = parse_time_limit},
    {OPTION_SECONDS, 's', "timeout", "SECONDS", "wait for a response (30)", AT(timeout_ns), .min = 0.001,
	.max = SECONDS_MAX},
    {OPTION_FLAG, 'k', "keepalive", NULL, "keep connections open", AT(spec.keep_alive)},
    {OPTION_PARSE, .name = "duration", .argument = "S",
	.help = "stop a cell after this time, however many requests that takes", .parse = parse_duration},
    {OPTION_SECONDS, .name = "warmup", .argument = "S", .help = "time not counted (0)", AT(warmup_ns), .min = 0,
	.max = SECONDS_MAX},
    {OPTION_PARSE, .name = "rate", .argument = "LIST", .help = "open loop, per second", .parse = parse_rates},
    {OPTION_CHOICE, .name = "arrivals", .argument = "X", .help = "constant or poisson", AT(arrivals),
	.choices = "constant|poisson"},
    {OPTION_PARSE, .name = "ramp", .argument = "FROM:TO:SECONDS",
	.help = "open loop, at a rate that goes from one to the other", .parse = parse_ramp},
    {OPTION_INT, .name = "repeat", .argument = "N", .help = "times, in random order", AT(repeats), .min = 1,
	.max = CONFIG_REPEATS_MAX},
    {OPTION_INT, .name = "seed", .argument = "N", .help = "of all that is random", AT(seed), .min = 0, .max = INT_MAX},
    {OPTION_PARSE, .name = "threads", .argument = "N", .help = "threads, or auto (1)", .parse = parse_threads},
    {OPTION_FLAG, .name = "pin", .help = "each on its own CPU", AT(pin)},
    {OPTION_PARSE, .name = "sleep", .argument = "LIST",
	.help = "adds sleep=SECONDS to the query, which the lab's servers obey", .parse = parse_sleep},
    {OPTION_INT, .name = "pipeline", .argument = "N", .help = "requests under way on each connection (1)", AT(pipeline),
	.min = 1, .max = CONFIG_PIPELINE_MAX},
    {OPTION_FLAG, .name = "until-saturated", .help = "raise -c, or --rate, until throughput grows no more",
	AT(until_saturated)},

    {OPTION_HEADING, .help = "Request"},
    {OPTION_PARSE, 'm', "method", "NAME", "method (GET)", .parse = parse_method},
    {OPTION_FLAG, 'i', "head", NULL, "HEAD", AT(spec.head)},
    {OPTION_STRING, 'p', "post", "FILE", "POST its contents", AT(post_file)},
    {OPTION_STRING, 'u', "put", "FILE", "PUT its contents", AT(put_file)},
    {OPTION_PARSE, 'T', "content-type", "TYPE", "of the body (text/plain)", .parse = parse_content_type},
    {OPTION_PARSE, 'H', "header", "LINE", "a header; repeatable", .parse = parse_field},
    {OPTION_PARSE, 'C', "cookie", "NAME=VALUE", "a cookie; repeatable", .parse = parse_cookie},
    {OPTION_PARSE, 'A', "auth", "USER:PASS", "Basic authentication", .parse = parse_credentials},
    {OPTION_FLAG, .name = "chunked", .help = "the body, in chunks", AT(spec.chunked)},
    {OPTION_STRING, .name = "urls", .argument = "FILE", .help = "a request a line", AT(urls_file)},

    {OPTION_HEADING, .help = "Connections"},
    {OPTION_INT, 'b', "socket-buffer", "BYTES", "of socket buffers", AT(socket_buffer), .min = 1, .max = BUFFER_MAX},
    {OPTION_PARSE, 'B', "bind", "ADDRESS", "local address", .parse = parse_source},
    {OPTION_STRING, 'X', "proxy", "HOST:PORT", "through this proxy", AT(proxy)},
    {OPTION_PARSE, 'P', "proxy-auth", "USER:PASS", "for the proxy", .parse = parse_proxy_credentials},
    {OPTION_STRING, 'f', "tls-protocol", "PROTOCOL", "TLS1.2, TLS1.3 ... (ALL)", AT(tls.protocol)},
    {OPTION_STRING, 'Z', "tls-ciphers", "SUITES", "as OpenSSL names them", AT(tls.ciphers)},
    {OPTION_STRING, 'E', "tls-certificate", "FILE", "client certificate, PEM", AT(tls.certificate)},
    {OPTION_FLAG, 'I', "no-sni", NULL, "no name in the handshake", AT(tls.no_server_name)},
    {OPTION_PARSE, .name = "source", .argument = "A-B", .help = "local addresses in turn", .parse = parse_source},

    {OPTION_HEADING, .help = "Judging answers"},
    {OPTION_FLAG, 'l', "variable-length", NULL, "lengths may differ", AT(variable_length)},
    {OPTION_FLAG, 'r', "keep-going", NULL, "go on after a reset", AT(go_on)},
    {OPTION_PARSE, .name = "expect", .argument = "CONDITION",
	.help = "exit 1 unless it holds: 'p99<50ms', errors=0, 'rps>1000'", .parse = parse_expect},

    {OPTION_HEADING, .help = "Report"},
    {OPTION_STRING, 'e', "percentiles", "FILE", "percentiles, CSV", AT(percentiles_file)},
    {OPTION_STRING, 'g', "gnuplot", "FILE", "a row a request, TSV", AT(samples_file)},
    {OPTION_FLAG, 'w', "html", NULL, "report as HTML", AT(html)},
    {OPTION_STRING, 'x', "html-table", "ATTRS", "of <table>", AT(html_table)},
    {OPTION_STRING, 'y', "html-row", "ATTRS", "of <tr>", AT(html_row)},
    {OPTION_STRING, 'z', "html-cell", "ATTRS", "of <td>", AT(html_cell)},
    {OPTION_FLAG, 'd', "no-percentiles", NULL, "no percentiles", AT(no_percentiles)},
    {OPTION_FLAG, 'S', "no-deviation", NULL, "no deviations, medians", AT(no_deviation)},
    {OPTION_FLAG, 'q', "quiet", NULL, "no progress", AT(quiet)},
    {OPTION_INT, 'v', "verbosity", "LEVEL", "2 headers 3 codes 4 all", AT(verbosity), .min = 0, .max = 9},
    {OPTION_VERSION, .short_name = 'V', .name = "version", .help = "print the version"},
    {OPTION_HELP, .short_name = 'h', .name = "help", .help = "print this"},
    {OPTION_STRING, .name = "json", .argument = "FILE", .help = "all figures", AT(json_file)},
    {OPTION_STRING, .name = "csv", .argument = "FILE", .help = "a row a cell", AT(csv_file)},
    {OPTION_STRING, .name = "hgrm", .argument = "FILE", .help = "for HdrHistogram", AT(hgrm_file)},
    {OPTION_STRING, .name = "series", .argument = "FILE", .help = "a row a second, CSV", AT(series_file)},
    {OPTION_STRING, .name = "plot", .argument = "FILE", .help = ".svg or .png (gnuplot)", AT(plot_file)},
    {.type = OPTION_END},
};

static void
print_usage(const struct options_program *that)
{
	usage_write(that, stdout);
}

/* Long names, and more words, are in the man page: this fits a screen. */
static const struct options_program program = {
    .name = "loadgen",
    .synopsis = "[options] [URL ...]",
    .summary = "Loads HTTP servers as ab does. Several URLs, or a LIST (5,10,20), make a sweep.\n"
	       "Without a URL: the lab's two servers, 127.0.0.1:8088 and 127.0.0.1:8089.",
    .rows = rows,
    .footer = "  loadgen -n 1000 -c 10 -k localhost:8088/name\n"
	      "  loadgen -c 5,10,20,40 --duration 5 --csv sweep.csv 127.0.0.1:8088\n"
	      "  loadgen -k --rate 500 --expect 'p99<50ms' https://localhost:8443/\n"
	      "Exit status: 0 all went well; 1 requests failed, or an --expect; 2 a mistake on\n"
	      "the command line; 3 loadgen was the bottleneck; 130 SIGINT.  More: man loadgen\n",
    .usage = print_usage,
};

static bool
is_picture(const char *path)
{
	const char *suffix = strrchr(path, '.');

	return strcmp(path, "-") == 0 ||
	       (suffix != NULL && (strcmp(suffix, ".svg") == 0 || strcmp(suffix, ".png") == 0));
}

static void
check_outputs(struct config *config)
{
	const char *files[] = {config->json_file, config->csv_file, config->percentiles_file, config->samples_file,
	    config->hgrm_file, config->series_file, config->plot_file};

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		if (files[i] == NULL)
			continue;
		if (*files[i] == '\0')
			options_fail(&program, "an output needs a file name; - is standard output");
		for (size_t j = i + 1; j < ARRAY_LEN(files); j++)
			if (files[j] != NULL && outfile_same(files[i], files[j]))
				options_fail(&program, "two outputs cannot go to the same place: %s", files[i]);
		config->data_on_stdout |= strcmp(files[i], "-") == 0;
	}
	if (config->plot_file != NULL && !is_picture(config->plot_file))
		options_fail(&program, "--plot %s: the name must end in .svg or .png (- is an SVG)", config->plot_file);
	if (config->html_table != NULL || config->html_row != NULL || config->html_cell != NULL)
		config->html = true;
	if ((config->percentiles_file != NULL || config->samples_file != NULL || config->hgrm_file != NULL ||
		config->html) &&
	    (config_cells(config) > 1 || config->until_saturated))
		options_fail(
		    &program, "-e, -g, -w and --hgrm describe one cell, and this is a sweep; use --csv or --json");
}

/* settle_load fills in what was not said, and refuses what cannot go together. */
static void
settle_load(struct config *config)
{
	bool open = config_open_loop(config);

	if (config->rates.len > 0 && config->ramp.duration_ns > 0)
		options_fail(&program, "Cannot mix --rate and --ramp: a ramp is a rate");
	if (open && config->pipeline > 1)
		options_fail(&program, "Cannot mix --pipeline and an open loop: requests are due one by one");
	if (config->until_saturated && (config->ramp.duration_ns > 0 || config->repeats > 1))
		options_fail(&program, "Cannot mix --until-saturated and %s: it measures one load after the other",
		    config->repeats > 1 ? "--repeat" : "--ramp");
	if (config->until_saturated && (config->concurrency.len > 1 || config->rates.len > 1))
		options_fail(&program, "--until-saturated raises %s itself: give one value to begin with",
		    config->rates.len > 1 ? "--rate" : "-c");
	if (config->arrivals != ARRIVALS_CONSTANT && !open)
		options_fail(&program, "--arrivals is for an open loop: give --rate or --ramp too");
	if (config->pipeline > 1)
		config->spec.keep_alive = true;
	if (config->concurrency.len == 0)
		config->concurrency = (struct list){.values = {open ? CONCURRENCY_OPEN : 1}, .len = 1};
	if (config->until_saturated && config->time_limit_ns == 0 && config->requests == REQUESTS_UNSET)
		config->time_limit_ns = DURATION_STEP_S * NS_PER_SEC;
	if (open && config->time_limit_ns == 0 && config->requests == REQUESTS_UNSET)
		config->time_limit_ns =
		    config->ramp.duration_ns > 0 ? config->ramp.duration_ns : DURATION_OPEN_S * NS_PER_SEC;
	if (config->requests == REQUESTS_UNSET)
		config->requests = config->time_limit_ns > 0 ? CONFIG_UNLIMITED : REQUESTS;
}

static void
check_consistency(struct config *config)
{
	settle_load(config);
	config->spec.proxied = config->proxy != NULL;
	for (size_t i = 0; i < config->concurrency.len; i++)
		if (!config_open_loop(config) && config->concurrency.values[i] > (uint64_t)config->requests)
			options_fail(&program,
			    "Cannot use concurrency level greater than total number of requests (-c %llu, -n %lld)",
			    (unsigned long long)config->concurrency.values[i], (long long)config->requests);
	if (config->post_file != NULL && config->put_file != NULL)
		options_fail(&program, "Cannot mix POST and PUT: give -p or -u");
	if (config->spec.head && (config->post_file != NULL || config->put_file != NULL))
		options_fail(
		    &program, "Cannot mix %s and HEAD: HEAD has no body", config->post_file != NULL ? "POST" : "PUT");
	if (config->spec.head && config->spec.method != NULL && strcmp(config->spec.method, "HEAD") != 0)
		options_fail(&program, "Cannot mix -m %s and -i, which asks for HEAD", config->spec.method);
	if (config->urls_file != NULL && (config->post_file != NULL || config->put_file != NULL))
		options_fail(&program, "Cannot mix --urls and %s: a body stands in its line, as in POST /x<tab>@FILE",
		    config->post_file != NULL ? "-p" : "-u");
	check_outputs(config);
}

/* open_body opens the file of -p or -u. A file that is not there is the world's fault: exit status 1. */
static void
open_body(struct config *config)
{
	const char *file = config->post_file != NULL ? config->post_file : config->put_file;
	int result;

	if (file == NULL)
		return;
	config->spec.put = config->put_file != NULL;
	result = request_open_body(&config->spec, file);
	if (result == 0)
		return;
	complain(
	    "cannot read the body from %s: %s", file, result == -EINVAL ? "not a regular file" : strerror(-result));
	exit(1);
}

/*
 * open_urls reads the file of --urls.  The server is named there or on the command line (GIVEN), not by both: neither
 * could say what is wanted of the other.
 */
static void
open_urls(struct config *config, bool given)
{
	char error[1024];
	int result;

	if (config->urls_file == NULL)
		return;
	result = urls_load(&config->listed, config->urls_file, error, sizeof(error));
	if (result != 0) {
		complain("%s", error);
		exit(result == -EINVAL ? 2 : 1);
	}
	if (config->listed.server == NULL)
		return;
	if (given) {
		complain("%s names the server %s, and so does the command line: use paths there, or give no URL here",
		    config->urls_file, config->listed.server);
		exit(2);
	}
	config->urls = &config->listed.server;
	config->urls_len = 1;
}

void
config_parse(struct config *config, int argc, char **argv)
{
	int first;

	*config = (struct config){
	    .requests = REQUESTS_UNSET,
	    .timeout_ns = TIMEOUT_S * NS_PER_SEC,
	    .threads = 1,
	    .pipeline = 1,
	    .repeats = 1,
	    .seed = 1,
	    .verbosity = 1,
	    .spec = {.body_fd = -1},
	    .argc = argc,
	    .argv = argv,
	};
	first = options_parse(&program, config, argc, argv);
	config->urls = first < argc ? argv + first : default_urls;
	config->urls_len = first < argc ? argc - first : (int)ARRAY_LEN(default_urls);
	check_consistency(config);
	open_body(config);
	open_urls(config, first < argc);
}

void
config_deinit(struct config *config)
{
	request_close_body(&config->spec);
	urls_deinit(&config->listed);
}
