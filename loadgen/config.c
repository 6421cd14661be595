/* What the command line asks for. */
#include "loadgen/config.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/options.h"
#include "loadgen/outfile.h"
#include "loadgen/complain.h"

#define REQUESTS 100         /* as in the lab; ab: 1 */
#define REQUESTS_TIMED 50000 /* what -t sets -n to, as in ab */
#define TIMEOUT_S 30
#define SECONDS_MAX 86400.0

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

/* -t sets -n too, and a later -n overrides that: as in ab, so the order counts. */
static int
parse_time_limit(void *config, const char *value, char *error, size_t error_size)
{
	struct config *into = config;

	if (clock_parse_seconds(value, (uint64_t)(SECONDS_MAX * (double)NS_PER_SEC), &into->time_limit_ns) != 0 ||
	    into->time_limit_ns < NS_PER_MS) {
		snprintf(error, error_size, "must be a number of seconds from 0.001 to %g", SECONDS_MAX);
		return -1;
	}
	into->requests = REQUESTS_TIMED;
	return 0;
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
parse_credentials(void *config, const char *value, char *error, size_t error_size)
{
	((struct config *)config)->spec.credentials = value;
	if (strchr(value, ':') != NULL)
		return 0;
	snprintf(error, error_size, "must be user:password");
	return -1;
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
    {OPTION_INT, 'n', "requests", "N", "Requests to perform in each cell (100; ab: 1).", AT(requests), .min = 1,
	.max = INT_MAX},
    {OPTION_PARSE, 'c', "concurrency", "LIST", "Requests at a time; a list sweeps, as in 5,10,20,40 (1).",
	.parse = parse_concurrency},
    {OPTION_PARSE, 't', "timelimit", "SECONDS",
	"Stop a cell after this time; sets -n 50000 unless a later -n says less or more.", .parse = parse_time_limit},
    {OPTION_SECONDS, 's', "timeout", "SECONDS", "Wait at most this long for each response (30).", AT(timeout_ns),
	.min = 0.001, .max = SECONDS_MAX},
    {OPTION_PARSE, .name = "sleep", .argument = "LIST",
	.help = "Ask the server to sleep: adds sleep=SECONDS to the query; a list sweeps.", .parse = parse_sleep},
    {OPTION_INT, .name = "threads", .argument = "N", .help = "Threads that share the connections (1).", AT(threads),
	.min = 1, .max = CONFIG_THREADS_MAX},
    {OPTION_FLAG, 'k', "keepalive", NULL, "Keep connections open for further requests.", AT(spec.keep_alive)},

    {OPTION_HEADING, .help = "Request"},
    {OPTION_PARSE, 'm', "method", "NAME", "Method (GET; POST with -p, PUT with -u, HEAD with -i).",
	.parse = parse_method},
    {OPTION_FLAG, 'i', "head", NULL, "Use HEAD.", AT(spec.head)},
    {OPTION_STRING, 'p', "post", "FILE", "POST the contents of this file.", AT(post_file)},
    {OPTION_STRING, 'u', "put", "FILE", "PUT the contents of this file.", AT(put_file)},
    {OPTION_PARSE, 'T', "content-type", "TYPE", "Content type of the body (text/plain).", .parse = parse_content_type},
    {OPTION_PARSE, 'H', "header", "LINE", "Add a header line, or replace a default one of its name; repeatable.",
	.parse = parse_field},
    {OPTION_PARSE, 'C', "cookie", "NAME=VALUE", "Add a cookie; repeatable.", .parse = parse_cookie},
    {OPTION_PARSE, 'A', "auth", "USER:PASSWORD", "Basic authentication.", .parse = parse_credentials},

    {OPTION_HEADING, .help = "Judging answers"},
    {OPTION_FLAG, 'l', "variable-length", NULL, "Accept bodies of different lengths.", AT(variable_length)},
    {OPTION_FLAG, 'r', "keep-going", NULL, "Do not stop when a connection breaks.", AT(go_on)},

    {OPTION_HEADING, .help = "Report"},
    {OPTION_STRING, .name = "json", .argument = "FILE", .help = "Write all figures as JSON; - is standard output.",
	AT(json_file)},
    {OPTION_STRING, .name = "csv", .argument = "FILE", .help = "Write a row for each cell; - is standard output.",
	AT(csv_file)},
    {OPTION_STRING, 'e', "percentiles", "FILE", "Write the percentiles 0 to 100 as CSV (one cell only).",
	AT(percentiles_file)},
    {OPTION_STRING, 'g', "gnuplot", "FILE", "Write a line for each request as TSV (one cell only).", AT(samples_file)},
    {OPTION_FLAG, 'd', "no-percentiles", NULL, "Do not print the table of percentiles.", AT(no_percentiles)},
    {OPTION_FLAG, 'S', "no-deviation", NULL, "Do not print standard deviations, medians and warnings.",
	AT(no_deviation)},
    {OPTION_FLAG, 'q', "quiet", NULL, "Do not show progress.", AT(quiet)},
    {OPTION_INT, 'v', "verbosity", "LEVEL",
	"2 prints headers and warnings, 3 response codes, 4 everything received (1).", AT(verbosity), .min = 0,
	.max = 9},
    {OPTION_VERSION, .short_name = 'V', .name = "version", .help = "Print the version and exit."},
    {OPTION_HELP, .short_name = 'h', .name = "help", .help = "Print this help and exit."},
    {.type = OPTION_END},
};

static const struct options_program program = {
    .name = "loadgen",
    .synopsis = "[options] [URL ...]",
    .summary =
	"Loads HTTP servers the way ab does: every connection asks again as soon as it is answered (closed loop). "
	"Several URLs, concurrencies or sleeps make a sweep, reported as one table.",
    .rows = rows,
    .footer = "Without a URL it loads the lab's two servers, http://127.0.0.1:8088/ and\n"
	      "http://127.0.0.1:8089/.\n\n"
	      "Exit status: 0 all requests succeeded, 1 some failed or a server could not be\n"
	      "reached, 2 a mistake on the command line, 130 interrupted (SIGINT).\n\n"
	      "  loadgen -n 100 -c 5,10,20,40\n"
	      "  loadgen -n 1000 -c 10 -k localhost:8088/name\n"
	      "  loadgen --sleep 0.1,0.2,0.3 -c 10 --csv sleeps.csv http://127.0.0.1:8088/\n",
};

static void
check_outputs(struct config *config)
{
	const char *files[] = {config->json_file, config->csv_file, config->percentiles_file, config->samples_file};

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
	if ((config->percentiles_file != NULL || config->samples_file != NULL) && config_cells(config) > 1)
		options_fail(&program, "-e and -g describe one cell, and this sweep has %zu; use --csv or --json",
		    config_cells(config));
}

static void
check_consistency(struct config *config)
{
	for (size_t i = 0; i < config->concurrency.len; i++)
		if (config->concurrency.values[i] > (uint64_t)config->requests)
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
	check_outputs(config);
}

/* load_body reads the file of -p or -u. A file that is not there is the world's fault: exit status 1. */
static void
load_body(struct config *config)
{
	const char *file = config->post_file != NULL ? config->post_file : config->put_file;
	int result;

	if (file == NULL)
		return;
	config->spec.put = config->put_file != NULL;
	result = request_load_body(&config->spec, file);
	if (result == 0)
		return;
	complain(
	    "cannot read the body from %s: %s", file, result == -EINVAL ? "not a regular file" : strerror(-result));
	exit(1);
}

void
config_parse(struct config *config, int argc, char **argv)
{
	int first;

	*config = (struct config){
	    .requests = REQUESTS,
	    .concurrency = {.values = {1}, .len = 1},
	    .timeout_ns = TIMEOUT_S * NS_PER_SEC,
	    .threads = 1,
	    .verbosity = 1,
	    .argc = argc,
	    .argv = argv,
	};
	first = options_parse(&program, config, argc, argv);
	config->urls = first < argc ? argv + first : default_urls;
	config->urls_len = first < argc ? argc - first : (int)ARRAY_LEN(default_urls);
	check_consistency(config);
	load_body(config);
}

void
config_deinit(struct config *config)
{
	free(config->spec.body);
	config->spec.body = NULL;
}
