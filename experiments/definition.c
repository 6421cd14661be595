/* An experiment as its INI file tells it: what varies, which servers, what to draw and to answer. */
#include "experiments/definition.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "experiments/command.h"
#include "experiments/definition_keys.h"
#include "experiments/memory.h"
#include "experiments/text.h"

#define READY_DEADLINE_S 10
#define REQUESTS_DEFAULT 100

struct parser {
	struct experiment *experiment;
	const char *path;
	const char *rest;    /* of the source, not yet given to inih */
	int line;            /* of what inih handles now: the reader below counts */
	bool goes_on;        /* the line starts with a blank: it goes on with the value of the line before */
	int experiment_line; /* of [experiment]; 0: not seen */
	unsigned seen;       /* keys of the present section, by their place in the table */
	const char *section; /* the name of the present server, or "" in [experiment], NULL before any */
	struct text value;   /* of the present key, all its lines joined by blanks */
	char *error;
	bool failed;
};

/* fail keeps the first mistake only: what follows it is often its consequence. */
static void PRINTF_LIKE(3, 4) fail(struct parser *parser, int line, const char *format, ...)
{
	va_list args;
	int used;

	if (parser->failed)
		return;
	parser->failed = true;
	used = snprintf(parser->error, DEFINITION_ERROR_MAX, "%s:%d: ", parser->path, line);
	if (used < 0 || used >= DEFINITION_ERROR_MAX)
		return;
	va_start(args, format);
	vsnprintf(parser->error + used, (size_t)(DEFINITION_ERROR_MAX - used), format, args);
	va_end(args);
}

/* open_section checks the head of a section, which inih itself passes over in silence. */
static void
open_section(struct parser *parser, const char *head, size_t len)
{
	struct experiment *experiment = parser->experiment;
	const char *end = memchr(head, ']', len);
	char name[64];

	parser->seen = 0;
	text_deinit(&parser->value);
	if (end == NULL) {
		fail(parser, parser->line, "a section's head ends with ], as in [experiment]");
		return;
	}
	snprintf(name, sizeof(name), "%.*s", (int)(end - head - 1), head + 1);
	if (strcmp(name, "experiment") == 0) {
		if (parser->experiment_line != 0)
			fail(
			    parser, parser->line, "[experiment] is there already, at line %d", parser->experiment_line);
		parser->experiment_line = parser->line;
		parser->section = "";
		return;
	}
	if (strncmp(name, "server ", 7) != 0 || name[7] == '\0' || strpbrk(name + 7, " /\"'{}") != NULL ||
	    strlen(name) > 45) {
		fail(parser, parser->line,
		    "unknown section [%s]; use [experiment] or [server NAME], NAME being one word", name);
		return;
	}
	if (definition_server(experiment, name + 7) != NULL) {
		fail(parser, parser->line, "[%s] is there already; give each server its own name", name);
		return;
	}
	if (experiment->server_count == SERVERS_MAX) {
		fail(parser, parser->line, "too many servers; use at most %d", SERVERS_MAX);
		return;
	}
	experiment->servers[experiment->server_count] = (struct server){
	    .name = memory_copy(name + 7),
	    .ready_status = 200,
	    .deadline_ns = READY_DEADLINE_S * NS_PER_SEC,
	    .line = parser->line,
	};
	parser->section = experiment->servers[experiment->server_count++].name;
}

/* read_line hands one line to inih, and counts it: inih tells its handler no line numbers. */
static char *
read_line(char *line, int size, void *stream)
{
	struct parser *parser = stream;
	size_t len = strcspn(parser->rest, "\n");
	const char *head;

	if (*parser->rest == '\0' || parser->failed)
		return NULL;
	parser->line++;
	if (len + 2 > (size_t)size) {
		fail(parser, parser->line,
		    "longer than %d bytes; go on in the next line, which then starts with a blank", size - 2);
		return NULL;
	}
	memcpy(line, parser->rest, len);
	line[len] = '\0';
	parser->goes_on = line[0] == ' ' || line[0] == '\t';
	head = parser->rest + strspn(parser->rest, " \t");
	if (*head == '[' && !parser->goes_on)
		open_section(parser, head, len);
	parser->rest += len + (parser->rest[len] == '\n');
	return parser->failed ? NULL : line;
}

/* unknown_key names the keys that there are. */
static void
unknown_key(struct parser *parser, const char *name, const struct definition_key *keys)
{
	struct text known = {0};

	for (; keys->name != NULL; keys++)
		text_add(&known, "%s%s", known.len > 0 ? ", " : "", keys->name);
	fail(parser, parser->line, "unknown key %s; use one of %s", name, text_string(&known));
	text_deinit(&known);
}

/* on_key is inih's handler; it returns 1: mistakes are kept in the parser. */
static int
on_key(void *user, const char *section, const char *name, const char *value)
{
	struct parser *parser = user;
	struct experiment *experiment = parser->experiment;
	const struct definition_key *keys = definition_experiment_keys, *key;
	void *target = experiment;
	char why[256];

	(void)section; /* ours is checked already, and not cut at inih's limit */
	if (parser->failed)
		return 1;
	if (parser->section == NULL) {
		fail(parser, parser->line, "%s stands before any section; start with [experiment]", name);
		return 1;
	}
	if (*parser->section != '\0') {
		keys = definition_server_keys;
		target = &experiment->servers[experiment->server_count - 1];
	}
	for (key = keys; key->name != NULL && strcmp(key->name, name) != 0;)
		key++;
	if (key->name == NULL) {
		unknown_key(parser, name, keys);
		return 1;
	}
	if (!parser->goes_on) {
		if (parser->seen & 1u << (key - keys))
			fail(parser, parser->line, "%s is there already in this section", name);
		parser->seen |= 1u << (key - keys);
		text_deinit(&parser->value);
	}
	text_add(&parser->value, "%s%s", parser->value.len > 0 ? " " : "", value);
	if (*text_string(&parser->value) == '\0')
		fail(parser, parser->line, "%s has no value", name);
	else if (key->parse(target, text_string(&parser->value), why, sizeof(why)) != 0)
		fail(parser, parser->line, "%s = %s: %s", name, text_string(&parser->value), why);
	return 1;
}

static bool
has_placeholder(const struct server *server, const char *placeholder)
{
	return strstr(server->command, placeholder) != NULL || strstr(server->url, placeholder) != NULL;
}

/* check_templates refuses unknown placeholders and open quotes now, not when the server is to start. */
static void
check_templates(struct parser *parser, const struct server *server)
{
	const struct command_values any = {.host = "127.0.0.1", .bin = ".", .experiments = "."};
	char why[COMMAND_ERROR_MAX];
	char **argv = command_split(server->command, &any, why);
	char *url = command_expand(server->url, &any, why);
	char **options = server->options != NULL ? command_split(server->options, &any, why) : NULL;

	if (argv == NULL)
		fail(parser, server->line, "[server %s] command: %s", server->name, why);
	if (url == NULL)
		fail(parser, server->line, "[server %s] url: %s", server->name, why);
	if (server->options != NULL && options == NULL)
		fail(parser, server->line, "[server %s] options: %s", server->name, why);
	command_free(argv);
	command_free(options);
	free(url);
}

static void
check_server(struct parser *parser, const struct server *server)
{
	const struct experiment *experiment = parser->experiment;

	if (server->from != NULL) {
		if (server->command != NULL || server->url != NULL || server->options != NULL ||
		    server->requires != NULL || server->port != 0 || server->ideal != IDEAL_NONE)
			fail(parser, server->line,
			    "[server %s] has from: beside it only label, style and plot mean something", server->name);
		return;
	}
	if (server->command == NULL)
		fail(parser, server->line, "[server %s] has no command; it is what starts the server", server->name);
	else if (server->url == NULL)
		fail(parser, server->line, "[server %s] has no url; it is what loadgen loads, as in http://{address}/",
		    server->name);
	else if (server->port == 0 && !has_placeholder(server, "{address}") && !has_placeholder(server, "{port}"))
		fail(parser, server->line,
		    "[server %s] says nowhere on which port it listens; use {address} or {port}, or set port",
		    server->name);
	else if (experiment->vary == VARY_SLEEP && !has_placeholder(server, "{sleep}"))
		fail(parser, server->line, "the sleep varies, but neither command nor url of [server %s] has {sleep}",
		    server->name);
	else if (experiment->vary == VARY_SLEEP && !experiment->restart && strstr(server->command, "{sleep}") != NULL)
		fail(parser, server->line, "the command of [server %s] changes with the sleep; use restart = cell",
		    server->name);
	else
		check_templates(parser, server);
}

static void
check_values(struct parser *parser)
{
	const struct experiment *experiment = parser->experiment;
	double largest = (double)experiment->concurrency;

	if (experiment->vary == VARY_CONCURRENCY) {
		for (size_t i = 0; i < experiment->value_count; i++)
			if (experiment->values[i] < 1 || experiment->values[i] != floor(experiment->values[i]))
				fail(parser, parser->experiment_line,
				    "values: %g is no concurrency; use whole numbers from 1", experiment->values[i]);
		largest = experiment->values[experiment->value_count - 1];
	} else if (experiment->values[experiment->value_count - 1] > 3600) {
		fail(parser, parser->experiment_line, "values: a sleep is at most 3600 seconds");
	} else if (experiment->concurrency == 0) {
		fail(parser, parser->experiment_line,
		    "the sleep varies, so concurrency must be fixed, as in concurrency = 10");
	}
	if ((double)experiment->requests < largest)
		fail(parser, parser->experiment_line, "requests = %lld is less than the concurrency %g",
		    (long long)experiment->requests, largest);
}

static void
check(struct parser *parser)
{
	const struct experiment *experiment = parser->experiment;

	if (parser->experiment_line == 0)
		fail(parser, 1, "no [experiment] section");
	else if (experiment->title == NULL)
		fail(parser, parser->experiment_line, "[experiment] has no title");
	else if (experiment->value_count == 0)
		fail(parser, parser->experiment_line, "[experiment] has no values, as in values = 5, 10, 20, 40");
	else if (experiment->server_count == 0)
		fail(parser, parser->experiment_line, "no [server NAME] section");
	else
		check_values(parser);
	for (size_t i = 0; i < experiment->server_count; i++)
		check_server(parser, &experiment->servers[i]);
}

char *
definition_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash != NULL ? slash + 1 : path;
	size_t len = strlen(base);

	if (len > 4 && strcmp(base + len - 4, ".ini") == 0)
		len -= 4;
	return memory_copy_len(base, len);
}

int
definition_parse(struct experiment *experiment, const char *path, const char *source, char *error)
{
	struct parser parser = {.experiment = experiment, .path = path, .rest = source, .error = error};
	const char *slash = strrchr(path, '/');
	int line;

	*experiment = (struct experiment){
	    .name = definition_name(path),
	    .folder =
		slash != NULL ? memory_copy_len(path, (size_t)(slash - path) + (slash == path)) : memory_copy("."),
	    .source = memory_copy(source),
	    .sleep_s = 0.1,
	    .requests = REQUESTS_DEFAULT,
	    .restart = true,
	    .plots = PLOT_TIME | PLOT_RPS,
	};
	line = ini_parse_stream(read_line, &parser, on_key, &parser);
	if (line != 0)
		fail(&parser, line > 0 ? line : parser.line,
		    "not a line of an INI file; use [section], key = value or ; comment");
	if (!parser.failed)
		check(&parser);
	text_deinit(&parser.value);
	if (experiment->task == NULL)
		experiment->task = memory_copy("");
	for (size_t i = 0; i < experiment->server_count; i++)
		if (experiment->servers[i].label == NULL && experiment->servers[i].from == NULL)
			experiment->servers[i].label = memory_copy(experiment->servers[i].name);
	if (parser.failed) {
		definition_deinit(experiment);
		return -EINVAL;
	}
	return 0;
}

int
definition_load(struct experiment *experiment, const char *path, char *error)
{
	struct text source = {0};
	int result = text_read(&source, path, DEFINITION_MAX);

	if (result != 0)
		snprintf(error, DEFINITION_ERROR_MAX, "%s: %s", path, strerror(-result));
	else if (strlen(text_string(&source)) != source.len)
		result = -EINVAL,
		snprintf(error, DEFINITION_ERROR_MAX, "%s:1: not a text file: it holds a NUL byte", path);
	else
		result = definition_parse(experiment, path, text_string(&source), error);
	text_deinit(&source);
	return result;
}

void
definition_deinit(struct experiment *experiment)
{
	for (size_t i = 0; i < experiment->server_count; i++) {
		struct server *server = &experiment->servers[i];

		free(server->name);
		free(server->label);
		free(server->command);
		free(server->url);
		free(server->options);
		free(server->from);
		free(server->requires);
		free(server->ready_path);
	}
	free(experiment->name);
	free(experiment->folder);
	free(experiment->source);
	free(experiment->title);
	free(experiment->task);
	*experiment = (struct experiment){0};
}

const struct server *
definition_server(const struct experiment *experiment, const char *name)
{
	for (size_t i = 0; i < experiment->server_count; i++)
		if (strcmp(experiment->servers[i].name, name) == 0)
			return &experiment->servers[i];
	return NULL;
}

double
definition_sleep(const struct experiment *experiment, double value)
{
	return experiment->vary == VARY_SLEEP ? value : experiment->sleep_s;
}

int
definition_concurrency(const struct experiment *experiment, double value)
{
	return (int)(experiment->vary == VARY_CONCURRENCY ? value : (double)experiment->concurrency);
}
