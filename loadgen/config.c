/* What the command line asks for. */
#include "loadgen/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "loadgen/complain.h"
#include "loadgen/config_options.h"
#include "loadgen/outfile.h"

#define REQUESTS 100 /* as in the lab; ab: 1 */
#define TIMEOUT_S 30
#define DURATION_OPEN_S 10   /* of a cell with a rate, when nothing else ends it */
#define DURATION_STEP_S 2    /* of a step of --until-saturated, the same */
#define CONCURRENCY_OPEN 100 /* connections at most, with a rate */
#define REQUESTS_UNSET 0

static char *default_urls[] = {"http://127.0.0.1:8088/", "http://127.0.0.1:8089/"};

static bool
is_picture(const char *path)
{
	const char *suffix = strrchr(path, '.');

	return strcmp(path, "-") == 0 ||
	       (suffix != NULL && (strcmp(suffix, ".svg") == 0 || strcmp(suffix, ".png") == 0));
}

/* check_strings: a value that is empty is a variable of a script that has none. */
static void
check_strings(const struct config *config)
{
	const struct {
		const char *option, *value;
	} strings[] = {
	    {"-p", config->post_file},
	    {"-u", config->put_file},
	    {"--urls", config->urls_file},
	    {"-X", config->proxy},
	    {"-f", config->tls.protocol},
	    {"-Z", config->tls.ciphers},
	    {"-E", config->tls.certificate},
	};

	for (size_t i = 0; i < ARRAY_LEN(strings); i++)
		if (strings[i].value != NULL && *strings[i].value == '\0')
			options_fail(&config_options, "%s \"\": must not be empty", strings[i].option);
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
			options_fail(&config_options, "an output needs a file name; - is standard output");
		for (size_t j = i + 1; j < ARRAY_LEN(files); j++)
			if (files[j] != NULL && outfile_same(files[i], files[j]))
				options_fail(&config_options, "two outputs cannot go to the same place: %s", files[i]);
		config->data_on_stdout |= strcmp(files[i], "-") == 0;
	}
	if (config->plot_file != NULL && !is_picture(config->plot_file))
		options_fail(
		    &config_options, "--plot %s: the name must end in .svg or .png (- is an SVG)", config->plot_file);
	if (config->html_table != NULL || config->html_row != NULL || config->html_cell != NULL)
		config->html = true;
	if ((config->percentiles_file != NULL || config->samples_file != NULL || config->hgrm_file != NULL ||
		config->html) &&
	    (config_cells(config) > 1 || config->until_saturated))
		options_fail(
		    &config_options, "-e, -g, -w and --hgrm are for one cell; for a sweep use --csv or --json");
}

/* settle_load fills in what was not said, and refuses what cannot go together. */
static void
settle_load(struct config *config)
{
	bool open = config_open_loop(config);

	if (config->rates.len > 0 && config->ramp.duration_ns > 0)
		options_fail(&config_options, "Cannot mix --rate and --ramp: a ramp is a rate");
	if (open && config->pipeline > 1)
		options_fail(&config_options, "Cannot mix --pipeline and an open loop: requests are due one by one");
	if (config->until_saturated && (config->ramp.duration_ns > 0 || config->repeats > 1))
		options_fail(&config_options,
		    "Cannot mix --until-saturated and %s: it measures one load after the other",
		    config->repeats > 1 ? "--repeat" : "--ramp");
	if (config->until_saturated && (config->concurrency.len > 1 || config->rates.len > 1))
		options_fail(&config_options, "--until-saturated raises %s itself: give one value to begin with",
		    config->rates.len > 1 ? "--rate" : "-c");
	if (config->arrivals != ARRIVALS_CONSTANT && !open)
		options_fail(&config_options, "--arrivals is for an open loop: give --rate or --ramp too");
	if (config->pipeline > 1)
		config->spec.keep_alive = true;
	if (config->concurrency.len == 0)
		config->concurrency = (struct list){.values = {open ? CONCURRENCY_OPEN : 1}, .len = 1};
	if (config->until_saturated && config->time_limit_ns == 0 && config->requests == REQUESTS_UNSET)
		config->time_limit_ns = DURATION_STEP_S * NS_PER_SEC;
	if (open && config->time_limit_ns == 0 && config->requests == REQUESTS_UNSET)
		config->time_limit_ns =
		    config->ramp.duration_ns > 0 ? config->ramp.duration_ns : DURATION_OPEN_S * NS_PER_SEC;
	if (config->ramp.duration_ns > 0)
		config->ramp.lead_ns = config->warmup_ns; /* the ramp that is asked for is one that counts */
	if (config->requests == REQUESTS_UNSET)
		config->requests = config->time_limit_ns > 0 ? CONFIG_UNLIMITED : REQUESTS;
}

/* check_concurrency: in a closed loop each connection has something to do, and no more counts than was asked for. */
static void
check_concurrency(const struct config *config)
{
	const uint64_t requests = (uint64_t)config->requests, pipeline = (uint64_t)config->pipeline;

	for (size_t i = 0; i < config->concurrency.len && !config_open_loop(config); i++) {
		unsigned long long at_a_time = config->concurrency.values[i];

		if (at_a_time > requests)
			options_fail(&config_options,
			    "Cannot use concurrency level greater than total number of requests (-c %llu, -n %llu)",
			    at_a_time, (unsigned long long)requests);
		if (config->warmup_ns > 0 && at_a_time * pipeline > requests) /* all of these end, and count */
			options_fail(&config_options,
			    "with --warmup -n is at least -c x --pipeline (%llu x %llu), and not %llu", at_a_time,
			    (unsigned long long)pipeline, (unsigned long long)requests);
	}
}

static void
check_consistency(struct config *config)
{
	check_strings(config);
	settle_load(config);
	config->spec.proxied = config->proxy != NULL;
	check_concurrency(config);
	if (config->post_file != NULL && config->put_file != NULL)
		options_fail(&config_options, "Cannot mix POST and PUT: give -p or -u");
	if (config->spec.head && (config->post_file != NULL || config->put_file != NULL))
		options_fail(&config_options, "Cannot mix %s and HEAD: HEAD has no body",
		    config->post_file != NULL ? "POST" : "PUT");
	if (config->spec.head && config->spec.method != NULL && strcmp(config->spec.method, "HEAD") != 0)
		options_fail(&config_options, "Cannot mix -m %s and -i, which asks for HEAD", config->spec.method);
	if (config->urls_file != NULL && (config->post_file != NULL || config->put_file != NULL))
		options_fail(&config_options, "Cannot mix --urls and %s: a body stands in its line, as in /x<tab>@FILE",
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
	complain("cannot read the body from %s: %s", file, request_body_error(result));
	exit(1);
}

/* check_listed_bodies: a line without a method of its own becomes what -i asks for. */
static void
check_listed_bodies(const struct config *config)
{
	for (size_t i = 0; config->spec.head && i < config->listed.len; i++) {
		const struct url_entry *entry = &config->listed.entries[i];

		if (entry->method == NULL && (entry->body != NULL || entry->body_file != NULL))
			options_fail(&config_options, "Cannot mix -i and the body of %s in %s: HEAD has no body",
			    entry->path, config->urls_file);
	}
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
	check_listed_bodies(config);
	if (config->listed.server == NULL)
		return;
	if (given) {
		complain("%s names the server; leave it out there, or on the command line", config->urls_file);
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
	first = options_parse(&config_options, config, argc, argv);
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
	free(config->secrets);
}
