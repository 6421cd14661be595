/* The keys of an experiment file: one table row each, from text to field. */
#include "experiments/definition_keys.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "common/settings.h"
#include "experiments/memory.h"

#define REQUESTS_MAX 10000000
#define CONCURRENCY_MAX 20000
#define DEADLINE_MAX_S 3600

/* replace gives *FIELD a copy of VALUE: a value that goes on over several lines comes in longer and longer. */
static void
replace(char **field, const char *value)
{
	free(*field);
	*field = memory_copy(value);
}

static int
whole_number(const char *value, int64_t min, int64_t max, int64_t *number)
{
	char *end;

	errno = 0;
	*number = strtoll(value, &end, 10);
	return isdigit((unsigned char)*value) && *end == '\0' && errno == 0 && *number >= min && *number <= max ? 0
														: -1;
}

static int
number_or_error(const char *value, int64_t min, int64_t max, int64_t *number, char *error, size_t size)
{
	if (whole_number(value, min, max, number) == 0)
		return 0;
	snprintf(error, size, "use a whole number from %lld to %lld", (long long)min, (long long)max);
	return -1;
}

static int
seconds_or_error(const char *value, double max_s, uint64_t *ns, char *error, size_t size)
{
	if (clock_parse_seconds(value, (uint64_t)(max_s * (double)NS_PER_SEC), ns) == 0)
		return 0;
	snprintf(error, size, "use a number of seconds from 0 to %g", max_s);
	return -1;
}

/* next_item cuts the next item off a list "a, b, c" into ITEM[SIZE], without blanks around it. False at the end. */
static bool
next_item(const char **list, char *item, size_t size)
{
	size_t len;

	if (*list == NULL)
		return false;
	*list += strspn(*list, " \t");
	len = strcspn(*list, ",");
	snprintf(item, size, "%.*s", (int)len, *list);
	for (size_t end = strlen(item); end > 0 && isspace((unsigned char)item[end - 1]); end--)
		item[end - 1] = '\0';
	*list = (*list)[len] == ',' ? *list + len + 1 : NULL;
	return true;
}

static int
parse_title(void *target, const char *value, char *error, size_t size)
{
	(void)error, (void)size;
	replace(&((struct experiment *)target)->title, value);
	return 0;
}

static int
parse_task(void *target, const char *value, char *error, size_t size)
{
	(void)error, (void)size;
	replace(&((struct experiment *)target)->task, value);
	return 0;
}

static int
parse_vary(void *target, const char *value, char *error, size_t size)
{
	struct experiment *experiment = target;

	if (strcmp(value, "concurrency") == 0)
		experiment->vary = VARY_CONCURRENCY;
	else if (strcmp(value, "sleep") == 0)
		experiment->vary = VARY_SLEEP;
	else {
		snprintf(error, size, "use concurrency or sleep");
		return -1;
	}
	return 0;
}

static int
parse_values(void *target, const char *value, char *error, size_t size)
{
	struct experiment *experiment = target;
	char item[64];

	experiment->value_count = 0;
	while (next_item(&value, item, sizeof(item))) {
		size_t count = experiment->value_count;
		uint64_t ns;

		if (count == VALUES_MAX) {
			snprintf(error, size, "use at most %d values", VALUES_MAX);
			return -1;
		}
		if (clock_parse_seconds(item, CONCURRENCY_MAX * NS_PER_SEC, &ns) != 0) {
			snprintf(error, size,
			    "\"%s\" is not a number; use a list such as 5, 10, 20, 40 or 0.1, 0.2, 0.3", item);
			return -1;
		}
		experiment->values[count] = strtod(item, NULL);
		if (count > 0 && experiment->values[count] <= experiment->values[count - 1]) {
			snprintf(error, size, "the values must grow, and %s does not", item);
			return -1;
		}
		experiment->value_count++;
	}
	return 0;
}

static int
parse_sleep(void *target, const char *value, char *error, size_t size)
{
	uint64_t ns;

	if (seconds_or_error(value, SETTINGS_SLEEP_MAX_S, &ns, error, size) != 0)
		return -1;
	((struct experiment *)target)->sleep_s = (double)ns / (double)NS_PER_SEC;
	return 0;
}

static int
parse_concurrency(void *target, const char *value, char *error, size_t size)
{
	return number_or_error(value, 1, CONCURRENCY_MAX, &((struct experiment *)target)->concurrency, error, size);
}

static int
parse_requests(void *target, const char *value, char *error, size_t size)
{
	return number_or_error(value, 1, REQUESTS_MAX, &((struct experiment *)target)->requests, error, size);
}

static int
parse_restart(void *target, const char *value, char *error, size_t size)
{
	struct experiment *experiment = target;

	if (strcmp(value, "cell") != 0 && strcmp(value, "experiment") != 0) {
		snprintf(error, size, "use cell (a fresh server for each cell) or experiment (one for all values)");
		return -1;
	}
	experiment->restart = strcmp(value, "cell") == 0;
	return 0;
}

static int
parse_plots(void *target, const char *value, char *error, size_t size)
{
	struct experiment *experiment = target;
	char item[64];

	experiment->plots = experiment->log_plots = 0;
	while (next_item(&value, item, sizeof(item))) {
		char *scale = strchr(item, ':');
		unsigned plot = 0;

		if (scale != NULL)
			*scale++ = '\0';
		if (strcmp(item, "time") == 0)
			plot = PLOT_TIME;
		else if (strcmp(item, "rps") == 0)
			plot = PLOT_RPS;
		if (plot == 0 || (scale != NULL && strcmp(scale, "log") != 0)) {
			snprintf(
			    error, size, "use time, rps or both, each with :log behind it for a logarithmic scale");
			return -1;
		}
		experiment->plots |= plot;
		if (scale != NULL)
			experiment->log_plots |= plot;
	}
	return 0;
}

static int
parse_questions(void *target, const char *value, char *error, size_t size)
{
	static const char *const names[] = {"concurrency", "wait", "blocking"};
	struct experiment *experiment = target;
	char item[64];

	experiment->questions = 0;
	while (next_item(&value, item, sizeof(item))) {
		size_t i = 0;

		while (i < ARRAY_LEN(names) && strcmp(item, names[i]) != 0)
			i++;
		if (i == ARRAY_LEN(names)) {
			snprintf(error, size, "use any of concurrency, wait, blocking");
			return -1;
		}
		experiment->questions |= 1u << i;
	}
	return 0;
}

/* Keys of a server that are plain text. */
#define PARSE_TEXT(field) \
	static int parse_##field(void *target, const char *value, char *error, size_t size) \
	{ \
		(void)error, (void)size; \
		replace(&((struct server *)target)->field, value); \
		return 0; \
	}
PARSE_TEXT(label)
PARSE_TEXT(command)
PARSE_TEXT(options)

static int
parse_url(void *target, const char *value, char *error, size_t size)
{
	if (strncmp(value, "http://", 7) != 0) {
		snprintf(error, size, "use a URL such as http://{address}/");
		return -1;
	}
	replace(&((struct server *)target)->url, value);
	return 0;
}

static int
parse_from(void *target, const char *value, char *error, size_t size)
{
	const char *slash = strchr(value, '/');

	if (slash == NULL || slash == value || slash[1] == '\0' || strchr(slash + 1, '/') != NULL) {
		snprintf(error, size, "use EXPERIMENT/SERVER, as in task7/prefork_server");
		return -1;
	}
	replace(&((struct server *)target)->from, value);
	return 0;
}

static int
parse_requires(void *target, const char *value, char *error, size_t size)
{
	const char *list = value;
	char item[128];

	while (next_item(&list, item, sizeof(item))) {
		char package[64], kind[16], what[64];

		if (sscanf(item, "%63[^:]:%15[^:]:%63s", package, kind, what) != 3 ||
		    (strcmp(kind, "command") != 0 && strcmp(kind, "python") != 0)) {
			snprintf(error, size,
			    "use a list of PACKAGE:command:NAME and PACKAGE:python:MODULE, as in "
			    "python3-aiohttp:python:aiohttp");
			return -1;
		}
	}
	replace(&((struct server *)target)->requires, value);
	return 0;
}

/* parse_ready reads "connect", or "GET /path" with the status that must come (200 when none is given). */
static int
parse_ready(void *target, const char *value, char *error, size_t size)
{
	struct server *server = target;
	char path[160], status[16] = "200";
	int64_t number;

	if (strcmp(value, "connect") == 0) {
		free(server->ready_path);
		server->ready_path = NULL;
		return 0;
	}
	if (sscanf(value, "GET %159s %15s", path, status) < 1 || path[0] != '/' ||
	    whole_number(status, 100, 599, &number) != 0) {
		snprintf(error, size,
		    "use connect, or GET and a path with the status it answers, as in GET /ready/check 404");
		return -1;
	}
	replace(&server->ready_path, path);
	server->ready_status = (int)number;
	return 0;
}

static int
parse_deadline(void *target, const char *value, char *error, size_t size)
{
	return seconds_or_error(value, DEADLINE_MAX_S, &((struct server *)target)->deadline_ns, error, size);
}

static int
parse_timeout(void *target, const char *value, char *error, size_t size)
{
	return seconds_or_error(value, DEADLINE_MAX_S, &((struct server *)target)->timeout_ns, error, size);
}

static int
parse_port(void *target, const char *value, char *error, size_t size)
{
	return number_or_error(value, 1, 65535, &((struct server *)target)->port, error, size);
}

static int
parse_style(void *target, const char *value, char *error, size_t size)
{
	return number_or_error(value, 1, SERVERS_MAX, &((struct server *)target)->style, error, size);
}

static int
parse_ideal(void *target, const char *value, char *error, size_t size)
{
	struct server *server = target;

	if (strcmp(value, "loop") == 0)
		server->ideal = IDEAL_LOOP;
	else if (strcmp(value, "blocked-loop") == 0)
		server->ideal = IDEAL_BLOCKED_LOOP;
	else if (strncmp(value, "workers:", 8) == 0 && whole_number(value + 8, 1, 4096, &server->workers) == 0)
		server->ideal = IDEAL_WORKERS;
	else {
		snprintf(error, size, "use loop, blocked-loop or workers:N");
		return -1;
	}
	return 0;
}

static int
parse_plot(void *target, const char *value, char *error, size_t size)
{
	if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0) {
		snprintf(error, size, "use yes or no");
		return -1;
	}
	((struct server *)target)->hidden = strcmp(value, "no") == 0;
	return 0;
}

const struct definition_key definition_experiment_keys[] = {
    {"title", parse_title},
    {"task", parse_task},
    {"vary", parse_vary},
    {"values", parse_values},
    {"sleep", parse_sleep},
    {"concurrency", parse_concurrency},
    {"requests", parse_requests},
    {"restart", parse_restart},
    {"plots", parse_plots},
    {"questions", parse_questions},
    {NULL, NULL},
};

const struct definition_key definition_server_keys[] = {
    {"label", parse_label},
    {"command", parse_command},
    {"url", parse_url},
    {"ready", parse_ready},
    {"deadline", parse_deadline},
    {"timeout", parse_timeout},
    {"port", parse_port},
    {"options", parse_options},
    {"requires", parse_requires},
    {"ideal", parse_ideal},
    {"from", parse_from},
    {"style", parse_style},
    {"plot", parse_plot},
    {NULL, NULL},
};
