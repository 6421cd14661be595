/* The JSON of a run, schema "loopfork.loadgen/2": docs/loadgen-output.md. */
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/version.h"
#include "loadgen/cell_json.h"
#include "loadgen/field.h"
#include "loadgen/report.h"

#define SCHEMA "loopfork.loadgen/2"
#define DIGITS 12 /* significant; more than any figure has, and free of binary noise like 0.10000000000000001 */

static json_t *
machine(void)
{
	json_t *object = json_object();
	struct utsname names;

	field_add(object, "kernel", uname(&names) == 0 ? field_text(names.release) : json_null());
	field_add(object, "cpus", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
	return object;
}

static json_t *
started(uint64_t wall_ns)
{
	time_t seconds = (time_t)(wall_ns / NS_PER_SEC);
	struct tm parts;
	char text[32];

	gmtime_r(&seconds, &parts);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
	return json_string(text);
}

void
report_json(FILE *out, const void *what)
{
	const struct sweep *sweep = what;
	const struct config *config = sweep->config;
	json_t *root = json_object(), *command = json_array(), *cells = json_array();

	for (int i = 0; i < config->argc; i++)
		json_array_append_new(command, field_text(config->argv[i]));
	for (size_t i = 0; i < sweep->rows_len; i++)
		if (sweep->rows[i].measured)
			json_array_append_new(cells, cell_json(&sweep->rows[i]));
	field_add(root, "schema", json_string(SCHEMA));
	field_add(root, "version", json_string(LOOPFORK_VERSION));
	field_add(root, "started", started(sweep->started_ns));
	field_add(root, "command", command);
	field_add(root, "load", json_string(config_open_loop(config) ? "open" : "closed"));
	field_add(root, "threads", json_integer(config->threads));
	field_add(root, "seed", json_integer(config->seed));
	field_add(root, "machine", machine());
	field_add(root, "interrupted", json_boolean(sweep->interrupted));
	field_add(root, "cells", cells);
	json_dumpf(root, out, JSON_INDENT(1) | JSON_REAL_PRECISION(DIGITS));
	fputc('\n', out);
	json_decref(root);
}
