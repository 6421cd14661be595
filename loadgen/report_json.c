/* The JSON of a run, schema "loopfork.loadgen/2": docs/loadgen-output.md. */
#include <jansson.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/version.h"
#include "loadgen/report.h"

#define SCHEMA "loopfork.loadgen/2"
#define DIGITS 12 /* significant; more than any figure has, and free of binary noise like 0.10000000000000001 */

static void
add(json_t *object, const char *name, json_t *value)
{
	json_object_set_new(object, name, value);
}

static void
add_count(json_t *object, const char *name, uint64_t count)
{
	add(object, name, json_integer((json_int_t)count));
}

static void
add_ms(json_t *object, const char *name, double ns)
{
	add(object, name, json_real(summary_ms(ns)));
}

/* text_of: bytes off the network or the command line need not be UTF-8, and JSON must. */
static json_t *
text_of(const char *text)
{
	json_t *string = json_string(text);
	char plain[512];
	size_t len = 0;

	if (string != NULL)
		return string;
	for (; len < sizeof(plain) - 1 && text[len] != '\0'; len++)
		plain[len] = text[len];
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)plain[i] > '~')
			plain[i] = '?';
	return json_stringn(plain, len);
}

static json_t *
times_of(const struct distribution *times)
{
	json_t *object = json_object();

	add_ms(object, "min", (double)times->min);
	add_ms(object, "mean", times->mean);
	add_ms(object, "sd", times->sd);
	add_ms(object, "median", (double)times->median);
	add_ms(object, "max", (double)times->max);
	return object;
}

static json_t *
latency_of(const struct summary *summary)
{
	static const int percents[] = SUMMARY_PERCENTS;
	json_t *object = json_object();
	char name[8];

	add_ms(object, "min", (double)summary->total.min);
	add_ms(object, "mean", summary->total.mean);
	add_ms(object, "sd", summary->total.sd);
	for (size_t i = 0; i < ARRAY_LEN(percents); i++) {
		snprintf(name, sizeof(name), "p%d", percents[i]);
		add_ms(object, name, (double)summary->percentiles[percents[i]]);
	}
	add_ms(object, "max", (double)summary->total.max);
	return object;
}

static json_t *
failures_of(const struct summary *summary)
{
	json_t *object = json_object();

	for (unsigned i = 0; i < FAILURE_CLASSES; i++)
		add_count(object, failure_name((enum failure)i), summary->failures[i]);
	return object;
}

static json_t *
bytes_of(const struct summary *summary)
{
	json_t *object = json_object();

	add_count(object, "received", summary->bytes_received);
	add_count(object, "body", summary->bytes_body);
	add_count(object, "sent", summary->bytes_sent);
	return object;
}

static json_t *
cell_of(const struct row *row)
{
	const struct summary *summary = &row->summary;
	const struct cell *cell = &row->cell;
	json_t *object = json_object();

	add(object, "target", json_string(cell->target->url));
	add(object, "sleep_s", cell->has_sleep ? json_real((double)cell->sleep_ns / (double)NS_PER_SEC) : json_null());
	add_count(object, "concurrency", cell->concurrency);
	add_count(object, "requests", (uint64_t)cell->config->requests);
	add_count(object, "complete", summary->complete);
	add_count(object, "failed", summary->failed);
	add(object, "failures", failures_of(summary));
	add_count(object, "write_errors", summary->write_errors);
	add_count(object, "non_2xx", summary->non_2xx);
	add_count(object, "keepalive_requests", summary->kept_alive);
	add_count(object, "unfinished", summary->unfinished);
	add(object, "duration_s", json_real((double)summary->duration_ns / (double)NS_PER_SEC));
	add(object, "rps", json_real(summary->rps));
	add(object, "time_per_request_ms", json_real(summary->time_per_request_ms));
	add(object, "time_per_request_all_ms", json_real(summary->time_per_request_all_ms));
	add(object, "latency_ms", latency_of(summary));
	add(object, "connect_ms", times_of(&summary->connect));
	add(object, "processing_ms", times_of(&summary->processing));
	add(object, "waiting_ms", times_of(&summary->waiting));
	add(object, "bytes", bytes_of(summary));
	add(object, "server_software", text_of(summary->server));
	add(object, "document_path", json_string(cell->path));
	add(object, "document_length", json_integer(summary->document_len > 0 ? summary->document_len : 0));
	add(object, "client_cpu_s", json_real((double)summary->client_cpu_ns / (double)NS_PER_SEC));
	return object;
}

static json_t *
machine(void)
{
	json_t *object = json_object();
	struct utsname names;

	add(object, "kernel", uname(&names) == 0 ? text_of(names.release) : json_null());
	add(object, "cpus", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
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
	json_t *root = json_object(), *command = json_array(), *cells = json_array();

	for (int i = 0; i < sweep->config->argc; i++)
		json_array_append_new(command, text_of(sweep->config->argv[i]));
	for (size_t i = 0; i < sweep->rows_len; i++)
		if (sweep->rows[i].measured)
			json_array_append_new(cells, cell_of(&sweep->rows[i]));
	add(root, "schema", json_string(SCHEMA));
	add(root, "version", json_string(LOOPFORK_VERSION));
	add(root, "started", started(sweep->started_ns));
	add(root, "command", command);
	add(root, "load", json_string("closed"));
	add(root, "threads", json_integer(sweep->config->threads));
	add(root, "machine", machine());
	add(root, "interrupted", json_boolean(sweep->interrupted));
	add(root, "cells", cells);
	json_dumpf(root, out, JSON_INDENT(1) | JSON_REAL_PRECISION(DIGITS));
	fputc('\n', out);
	json_decref(root);
}
