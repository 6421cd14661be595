/* Sweeps with known figures, and what reports print of them. */
#ifndef TESTS_UNIT_LOADGEN_FIGURES_H
#define TESTS_UNIT_LOADGEN_FIGURES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "loadgen/report.h"

static struct config config;
static struct sweep sweep;
static struct row rows[8];

/* figures_set makes TARGETS targets and as many rows as concurrencies for each, all with the same figures. */
static inline void
figures_set(size_t targets, size_t concurrencies)
{
	static char *urls[] = {"http://127.0.0.1:8088/", "http://127.0.0.1:8089/"};

	config = (struct config){.requests = 100, .threads = 1, .pipeline = 1, .repeats = 1, .spec = {.body_fd = -1}};
	sweep = (struct sweep){
	    .config = &config, .rows = rows, .targets_len = targets, .rows_len = targets * concurrencies};
	for (size_t i = 0; i < targets; i++)
		sweep.targets[i] =
		    (struct target){.url = urls[i], .host = "127.0.0.1", .path = "/", .port = (uint16_t)(8088 + i)};
	for (size_t i = 0; i < sweep.rows_len; i++) {
		struct summary *summary = &rows[i].summary;

		rows[i] = (struct row){
		    .cell = {.config = &config,
			.target = &sweep.targets[i % targets],
			.path = "/",
			.concurrency = 5U << (i / targets)},
		    .measured = true,
		    .summary = {.complete = 100,
			.bytes_received = 15500,
			.bytes_body = 1600,
			.bytes_sent = 9300,
			.duration_ns = 2012345678,
			.document_len = 16,
			.rps = 49.69325,
			.time_per_request_ms = 100.6172839,
			.time_per_request_all_ms = 20.12345678,
			.connect =
			    {.count = 100, .min = 40000, .median = 51000, .max = 1600000, .mean = 60000, .sd = 70000},
			.processing = {.count = 100,
			    .min = 100100000,
			    .median = 100400000,
			    .max = 101499999,
			    .mean = 100500000,
			    .sd = 300000},
			.waiting = {.count = 100,
			    .min = 100100000,
			    .median = 100400000,
			    .max = 101400000,
			    .mean = 100490000,
			    .sd = 300000},
			.total = {.count = 100,
			    .min = 100200000,
			    .median = 100500000,
			    .max = 101600000,
			    .mean = 100600000,
			    .sd = 310000},
			.p50_interval = {.low = 100400000, .high = 100600000, .known = true},
			.p90_interval = {.low = 101400000, .high = 101500000, .known = true},
			.p99_9_ns = 101600000},
		};
		strcpy(summary->server, "toy/1");
		for (uint64_t percent = 0; percent <= 100; percent++)
			summary->percentiles[percent] = 100200000 + percent * 14000;
	}
}

/* figures_open makes the first row that of an open loop of 50 requests per second. */
static inline void
figures_open(void)
{
	struct summary *summary = &rows[0].summary;

	config.rates = (struct list){.values = {50000}, .len = 1};
	rows[0].cell.open_loop = true;
	rows[0].cell.ramp = (struct ramp){.from = 50, .to = 50};
	summary->rps_due = 50;
	summary->rps_started = 49.9;
	summary->most_open = 7;
	summary->delay =
	    (struct distribution){.count = 100, .min = 1000, .median = 2000, .max = 3000000, .mean = 2500, .sd = 500};
	summary->service = (struct distribution){
	    .count = 100, .min = 90000000, .median = 91000000, .max = 92000000, .mean = 91500000, .sd = 100};
	summary->lag =
	    (struct distribution){.count = 100, .min = 1000, .median = 1500, .max = 4000, .mean = 1600, .sd = 300};
	summary->service_p50_ns = 91000000;
	summary->service_p99_ns = 91900000;
	summary->delay_p99_ns = 2900000;
	summary->lag_p99_ns = 3900;
}

/* figures_none makes the first row that of a cell in which nothing was answered. */
static inline void
figures_none(void)
{
	struct result nothing = {.document_len = -1, .duration_ns = NS_PER_SEC};

	assert_int_equal(stats_init(&nothing.stats), 0);
	summary_make(&rows[0].summary, &rows[0].cell, &nothing);
	stats_deinit(&nothing.stats);
}

/* Reports come in both shapes: of a sweep, and to be written to a file. */
typedef void print_fn(const struct sweep *what, FILE *out);

static inline char *
figures_text(print_fn *print)
{
	static char *text; /* static, for gcc 12 takes what it points to for a local */
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	print(&sweep, out);
	fclose(out);
	return text;
}

static inline void
assert_prints(print_fn *print, const char *expected)
{
	char *text = figures_text(print);

	assert_string_equal(text, expected);
	free(text);
}

static inline void
assert_holds(print_fn *print, const char *part, bool holds)
{
	char *text = figures_text(print);

	if ((strstr(text, part) != NULL) != holds)
		fail_msg("%s%s in: %s", holds ? "not " : "", part, text);
	free(text);
}

#endif
