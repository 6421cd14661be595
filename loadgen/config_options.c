/* What can be asked for: each option's names, its text in --help, where its value goes, and what it may be. */
#include "loadgen/config_options.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "loadgen/config.h"
#include "loadgen/usage.h"

#define REQUESTS_TIMED 50000 /* what -t sets -n to, as in ab */
#define SECONDS_MAX 86400.0
#define BUFFER_MAX (1 << 30)

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

/* keep_secret remembers where a password stands in the command, also one that a later option replaces. */
static int
keep_secret(struct config *config, const char *value, char *error, size_t error_size)
{
	const char **secrets;

	if (strchr(value, ':') == NULL) {
		snprintf(error, error_size, "must be user:password");
		return -1;
	}
	secrets = reallocarray(config->secrets, config->secrets_len + 1, sizeof(*secrets));
	if (secrets == NULL) {
		snprintf(error, error_size, "%s", strerror(ENOMEM));
		return -1;
	}
	config->secrets = secrets;
	config->secrets[config->secrets_len++] = value;
	return 0;
}

static int
parse_credentials(void *config, const char *value, char *error, size_t error_size)
{
	((struct config *)config)->spec.credentials = value;
	return keep_secret(config, value, error, error_size);
}

static int
parse_proxy_credentials(void *config, const char *value, char *error, size_t error_size)
{
	((struct config *)config)->spec.proxy_credentials = value;
	return keep_secret(config, value, error, error_size);
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
const struct options_program config_options = {
    .name = "loadgen",
    .synopsis = "[options] [URL ...]",
    .summary = "Loads HTTP servers as ab does. Several URLs, or a LIST (5,10,20), make a sweep.\n"
	       "Without a URL: the lab's two servers, 127.0.0.1:8088 and 127.0.0.1:8089.",
    .rows = rows,
    .footer = "  loadgen -n 1000 -c 10 -k localhost:8088/name\n"
	      "  loadgen -c 5,10,20,40 --duration 5 --csv sweep.csv 127.0.0.1:8088\n"
	      "  loadgen -k --rate 500 --expect 'p99<50ms' https://localhost:8443/\n"
	      "Exit status: 0 all went well; 1 requests failed, or an --expect; 2 a mistake on\n"
	      "the command line; 3 loadgen was the limit; 130, 143 a signal. More: man loadgen\n",
    .usage = print_usage,
};
