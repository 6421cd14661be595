/* loadgen's JSON (schema loopfork.loadgen/2) -> the result of one cell. */
#include "experiments/loadgen_result.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "experiments/memory.h"

#define SCHEMA "loopfork.loadgen/2"

static int PRINTF_LIKE(2, 3) fail(struct result *result, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(result->error, sizeof(result->error), format, args);
	va_end(args);
	result->state = RESULT_FAILED;
	return -EINVAL;
}

/* number reads a number that must be there and not negative; NULL in *MISSING stays NULL only while all are. */
static double
number(const json_t *object, const char *name, const char **missing)
{
	const json_t *value = json_object_get(object, name);

	if (!json_is_number(value) || !(json_number_value(value) >= 0)) {
		*missing = name;
		return 0;
	}
	return json_number_value(value);
}

static int64_t
count(const json_t *object, const char *name, const char **missing)
{
	const json_t *value = json_object_get(object, name);

	if (!json_is_integer(value) || json_integer_value(value) < 0) {
		*missing = name;
		return 0;
	}
	return json_integer_value(value);
}

/* add_failures adds " connect 3" for each class of failure that has some. */
static void
add_failures(struct result *result, const json_t *failures)
{
	const char *name;
	const json_t *value;

	json_object_foreach((json_t *)(uintptr_t)failures, name, value)
	{
		size_t used = strlen(result->error);

		if (json_integer_value(value) > 0)
			snprintf(result->error + used, sizeof(result->error) - used, ", %s %lld", name,
			    (long long)json_integer_value(value));
	}
}

/* add_doubts takes over what loadgen says of itself where its own checks failed. */
static void
add_doubts(struct result *result, const json_t *checks)
{
	const json_t *check;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)checks, i, check)
	{
		const char *state = json_string_value(json_object_get(check, "state"));
		const char *sentence = json_string_value(json_object_get(check, "sentence"));
		size_t used = strlen(result->error);

		if (state != NULL && sentence != NULL && strcmp(state, "failed") == 0)
			snprintf(
			    result->error + used, sizeof(result->error) - used, "%s%s", used > 0 ? "; " : "", sentence);
	}
}

static int
read_cell(struct result *result, const json_t *cell, int64_t requests)
{
	const json_t *latency = json_object_get(cell, "latency_ms");
	const json_t *cpu = json_object_get(cell, "client_cpu_s");
	const char *missing = NULL;

	result->complete = count(cell, "complete", &missing);
	result->failed = count(cell, "failed", &missing);
	result->write_errors = count(cell, "write_errors", &missing);
	result->non_2xx = count(cell, "non_2xx", &missing);
	result->keepalive = count(cell, "keepalive_requests", &missing);
	result->duration_s = number(cell, "duration_s", &missing);
	result->rps = number(cell, "rps", &missing);
	if (result->complete > 0) { /* else they are null */
		result->time_ms = number(cell, "time_per_request_ms", &missing);
		result->time_all_ms = number(cell, "time_per_request_all_ms", &missing);
	}
	if (missing != NULL)
		return fail(result, "loadgen's JSON has no usable \"%s\"", missing);
	for (int i = 0; i < RESULT_LATENCIES; i++) {
		const json_t *value = json_object_get(latency, result_latency_names[i]);

		if (json_is_number(value))
			result->latency_ms[i] = json_number_value(value);
	}
	if (json_is_number(cpu))
		result->client_cpu_s = json_number_value(cpu);
	result->state = RESULT_DONE;
	if (result->failed > 0 || result->non_2xx > 0 || result->write_errors > 0 || result->complete != requests) {
		result->state = RESULT_FAILED;
		snprintf(result->error, sizeof(result->error),
		    "%lld of %lld requests complete, %lld failed, %lld not 2xx", (long long)result->complete,
		    (long long)requests, (long long)result->failed, (long long)result->non_2xx);
		add_failures(result, json_object_get(cell, "failures"));
	} else {
		add_doubts(result, json_object_get(cell, "checks"));
	}
	return 0;
}

int
loadgen_result_parse(struct result *result, const char *json, int64_t requests)
{
	json_error_t error;
	json_t *root, *cells;
	const char *schema;
	int parsed;

	result_deinit(result);
	root = json_loads(json, JSON_REJECT_DUPLICATES, &error);
	if (root == NULL)
		return fail(result, "loadgen wrote no JSON (line %d: %.80s)", error.line, error.text);
	schema = json_string_value(json_object_get(root, "schema"));
	cells = json_object_get(root, "cells");
	if (schema == NULL || strcmp(schema, SCHEMA) != 0)
		parsed = fail(result,
		    "loadgen's JSON has the schema %.40s; this lab reads %s. Build both from the same sources",
		    schema != NULL ? schema : "(none)", SCHEMA);
	else if (json_array_size(cells) != 1)
		parsed = fail(result, "loadgen's JSON has %zu cells; one was asked for", json_array_size(cells));
	else
		parsed = read_cell(result, json_array_get(cells, 0), requests);
	result->json = memory_copy(json);
	json_decref(root);
	return parsed;
}
