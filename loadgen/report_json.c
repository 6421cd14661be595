/* The JSON of a run, schema "loopfork.loadgen/2": docs/loadgen-output.md. */
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/version.h"
#include "loadgen/cell_json.h"
#include "loadgen/field.h"
#include "loadgen/knee.h"
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

/* add_step says where a step of a search stands; its figures are among the cells. NULL: there is none. */
static void
add_step(json_t *object, const char *name, const struct row *row)
{
	json_t *step = row != NULL ? json_object() : json_null();

	if (row != NULL) {
		if (row->cell.open_loop)
			field_real(step, "rate", knee_load(row));
		else
			field_count(step, "concurrency", row->cell.concurrency);
		field_real(step, "rps", knee_throughput(row));
	}
	field_add(object, name, step);
}

/* knees_of: what --until-saturated found out; null without it. */
static json_t *
knees_of(const struct sweep *sweep)
{
	json_t *list;

	if (!sweep->config->until_saturated)
		return json_null();
	list = json_array();
	for (size_t i = 0; i < sweep->knees_len; i++) {
		const struct knee *knee = &sweep->knees[i];
		const struct cell *cell = knee_cell(sweep, knee);
		json_t *object = json_object();
		char text[KNEE_TEXT_MAX];

		field_add(object, "target", field_text(cell->target->url));
		field_add(object, "sleep_s",
		    cell->has_sleep ? json_real((double)cell->sleep_ns / (double)NS_PER_SEC) : json_null());
		field_add(object, "end", json_string(knee_end_name(knee)));
		add_step(object, "knee", knee->row);
		add_step(object, "best", knee->best);
		add_step(object, "beyond", knee->beyond);
		knee_describe(sweep, knee, text);
		field_add(object, "sentence", field_text(text));
		json_array_append_new(list, object);
	}
	return list;
}

/* argument_of is WORD of the command line, without the password that it ends with where it is that of an -A or -P. */
static json_t *
argument_of(const char *word, const struct config *config)
{
	char shown[512];

	for (size_t i = 0; i < config->secrets_len; i++) {
		const char *secret = config->secrets[i];

		if (secret >= word && secret <= word + strlen(word)) {
			snprintf(shown, sizeof(shown), "%.*s:***", (int)(strchr(secret, ':') - word), word);
			return field_text(shown);
		}
	}
	return field_text(word);
}

/* root_of is everything; what there is no memory for is left out (field_end). */
static json_t *
root_of(const struct sweep *sweep)
{
	const struct config *config = sweep->config;
	json_t *root = json_object(), *command = json_array(), *cells = json_array();

	for (int i = 0; i < config->argc; i++)
		json_array_append_new(command, argument_of(config->argv[i], config));
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
	field_add(root, "knees", knees_of(sweep));
	return root;
}

int
report_json(FILE *out, const void *what)
{
	json_t *root;
	char *text;
	int result;

	field_begin();
	root = root_of(what);
	text = json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(DIGITS));
	json_decref(root);
	result = field_end();
	if (result == 0)
		fprintf(out, "%s\n", text);
	free(text);
	return result;
}
