/* Unit tests of --json: what is known, and null for what is not. */
#include "tests/unit/loadgen/figures.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>

static void
print(const struct sweep *what, FILE *out)
{
	assert_int_equal(report_json(out, what), 0);
}

/* read parses what is printed; the caller lets go of it. */
static json_t *
read_json(void)
{
	char *text = figures_text(print);
	json_t *root = json_loads(text, 0, NULL);

	assert_non_null(root);
	free(text);
	return root;
}

/* at follows PATH, "cells.0.rate.due", in ROOT. */
static const json_t *
at(const json_t *root, const char *path)
{
	char names[128], *rest = names, *name;

	snprintf(names, sizeof(names), "%s", path);
	while ((name = strsep(&rest, ".")) != NULL)
		root = json_is_array(root) ? json_array_get(root, (size_t)atoi(name)) : json_object_get(root, name);
	if (root == NULL)
		fail_msg("no %s", path);
	return root;
}

static void
assert_number(const json_t *root, const char *path, double expected)
{
	double found = json_number_value(at(root, path));

	if (fabs(found - expected) > 1e-9 * fabs(expected))
		fail_msg("%s is %.12g, not %.12g", path, found, expected);
}

static void
assert_text(const json_t *root, const char *path, const char *expected)
{
	assert_string_equal(json_string_value(at(root, path)), expected);
}

static void
assert_nothing(const json_t *root, const char *path)
{
	if (!json_is_null(at(root, path)))
		fail_msg("%s is not null", path);
}

static void
test_whatever_the_bytes(void **state)
{
	char *argv[] = {"loadgen", "-H", "X: \xff\xfe\"\n", NULL};
	json_t *root;

	(void)state;
	figures_set(1, 2);
	config.argc = 3;
	config.argv = argv;
	rows[0].measured = false;
	sweep.started_ns = 1795237240ULL * NS_PER_SEC;
	root = read_json();
	assert_text(root, "schema", "loopfork.loadgen/2");
	assert_int_equal(json_array_size(json_object_get(root, "cells")), 1);
	assert_text(root, "started", "2026-11-21T05:00:40Z");
	assert_text(root, "command.2", "X: ??\"\n");
	assert_text(root, "load", "closed");
	json_decref(root);
}

static void
test_a_closed_loop(void **state)
{
	json_t *root;

	(void)state;
	figures_set(1, 1);
	for (unsigned i = 0; i < FAILURE_CLASSES; i++)
		rows[0].summary.failures[i] = i + 1;
	rows[0].summary.failed = 28;
	rows[0].summary.non_2xx = 9;
	rows[0].summary.most_open = 5;
	rows[0].summary.cpu_share = 0.25;
	root = read_json();
	assert_text(root, "cells.0.load", "closed");
	assert_nothing(root, "cells.0.sleep_s");
	assert_nothing(root, "cells.0.rate");
	assert_nothing(root, "cells.0.ramp");
	assert_nothing(root, "cells.0.arrivals");
	assert_nothing(root, "cells.0.service_ms");
	assert_nothing(root, "cells.0.delay_ms");
	assert_nothing(root, "cells.0.send_lag_ms");
	assert_nothing(root, "cells.0.tls_ms");
	assert_nothing(root, "cells.0.tls");
	assert_nothing(root, "cells.0.repeats");
	assert_nothing(root, "cells.0.ratio");
	assert_number(root, "cells.0.requests", 100);
	assert_number(root, "cells.0.pipeline", 1);
	assert_number(root, "cells.0.rps", 49.69325);
	assert_number(root, "cells.0.latency_ms.p99", 101.586);
	assert_number(root, "cells.0.intervals_ms.p50.0", 100.4);
	assert_number(root, "cells.0.intervals_ms.p50.1", 100.6);
	assert_nothing(root, "cells.0.intervals_ms.p99");
	assert_number(root, "cells.0.failed", 28);
	assert_number(root, "cells.0.failures.connect", 1);
	assert_number(root, "cells.0.failures.tls", 2);
	assert_number(root, "cells.0.failures.timeout", 3);
	assert_number(root, "cells.0.failures.reset", 4);
	assert_number(root, "cells.0.failures.truncated", 5);
	assert_number(root, "cells.0.failures.malformed", 6);
	assert_number(root, "cells.0.failures.length", 7);
	assert_number(root, "cells.0.failures.status", 9);
	assert_number(root, "cells.0.connections_most_open", 5);
	assert_number(root, "cells.0.client_cpu_share", 0.25);
	json_decref(root);
}

static void
test_an_open_loop(void **state)
{
	json_t *root;

	(void)state;
	figures_set(1, 1);
	figures_open();
	config.requests = CONFIG_UNLIMITED;
	root = read_json();
	assert_text(root, "load", "open");
	assert_text(root, "cells.0.load", "open");
	assert_nothing(root, "cells.0.requests");
	assert_number(root, "cells.0.rate.asked", 50);
	assert_number(root, "cells.0.rate.due", 50);
	assert_number(root, "cells.0.rate.started", 49.9);
	assert_number(root, "cells.0.rate.achieved", 49.69325);
	assert_text(root, "cells.0.arrivals", "constant");
	assert_number(root, "cells.0.service_ms.p99", 91.9);
	assert_number(root, "cells.0.delay_ms.max", 3);
	assert_number(root, "cells.0.send_lag_ms.p99", 0.0039);
	json_decref(root);
	config.arrivals = ARRIVALS_POISSON;
	rows[0].cell.ramp = (struct ramp){.from = 1, .to = 2, .duration_ns = NS_PER_SEC};
	root = read_json();
	assert_text(root, "cells.0.arrivals", "poisson");
	assert_nothing(root, "cells.0.rate.asked");
	assert_number(root, "cells.0.ramp.to", 2);
	assert_number(root, "cells.0.ramp.seconds", 1);
	json_decref(root);
}

static void
test_without_an_answer_the_times_are_null(void **state)
{
	static const char *const times[] = {"latency_ms.min", "latency_ms.mean", "latency_ms.sd", "latency_ms.p50",
	    "latency_ms.p99", "latency_ms.max", "connect_ms.min", "connect_ms.mean", "connect_ms.sd",
	    "connect_ms.median", "connect_ms.max", "tls_ms.mean", "processing_ms.mean", "waiting_ms.mean",
	    "service_ms.mean", "service_ms.p99", "delay_ms.p99", "send_lag_ms.p99", "time_per_request_ms",
	    "time_per_request_all_ms"};
	json_t *root;

	(void)state;
	figures_set(1, 1);
	figures_open();
	sweep.targets[0].tls = true;
	figures_none();
	root = read_json();
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		char path[64];

		snprintf(path, sizeof(path), "cells.0.%s", times[i]);
		assert_nothing(root, path);
	}
	assert_number(root, "cells.0.rps", 0);
	assert_number(root, "cells.0.complete", 0);
	json_decref(root);
}

static void
test_tls_repetitions_and_a_ratio(void **state)
{
	struct repeat repeats[] = {{.rps = 3, .p99_ns = 2e6, .measured = true}, {.measured = false}};
	json_t *root;

	(void)state;
	figures_set(1, 1);
	sweep.targets[0].tls = true;
	rows[0].summary.tls = (struct distribution){.count = 1, .mean = 5e6};
	rows[0].summary.tls_facts = (struct tls_facts){.protocol = "TLSv1.3", .bits = 2048};
	config.repeats = 2;
	rows[0].repeats = repeats;
	rows[0].rps = (struct interval){.low = 2, .high = 4, .known = true};
	rows[0].ratio = 1.5;
	root = read_json();
	assert_number(root, "cells.0.tls_ms.mean", 5);
	assert_text(root, "cells.0.tls.protocol", "TLSv1.3");
	assert_number(root, "cells.0.tls.key_bits", 2048);
	assert_int_equal(json_array_size(at(root, "cells.0.repeats.single")), 1);
	assert_number(root, "cells.0.repeats.single.0.p99_ms", 2);
	assert_number(root, "cells.0.repeats.rps.1", 4);
	assert_nothing(root, "cells.0.repeats.p99_ms");
	assert_number(root, "cells.0.ratio.rps", 1.5);
	assert_nothing(root, "cells.0.ratio.interval");
	json_decref(root);
}

static void
test_checks_and_expectations(void **state)
{
	char error[256];
	json_t *root;

	(void)state;
	figures_set(1, 1);
	assert_int_equal(expect_parse(&config.expects[config.expects_len++], "p50<50ms", error, sizeof(error)), 0);
	assert_int_equal(expect_parse(&config.expects[config.expects_len++], "rps>1", error, sizeof(error)), 0);
	rows[0].summary.checks[CHECK_CPU] = (struct check){.state = CHECK_FAILED, .measured = 0.99, .limit = 0.95};
	rows[0].summary.checks[CHECK_LAG] = (struct check){.state = CHECK_OK, .measured = 0.1, .limit = 1};
	root = read_json();
	assert_int_equal(json_array_size(at(root, "cells.0.checks")), CHECK_KINDS);
	assert_text(root, "cells.0.checks.0.name", "cpu");
	assert_text(root, "cells.0.checks.0.state", "failed");
	assert_number(root, "cells.0.checks.0.measured", 0.99);
	assert_number(root, "cells.0.checks.0.limit", 0.95);
	assert_true(json_string_length(at(root, "cells.0.checks.0.sentence")) > 10);
	assert_text(root, "cells.0.checks.1.name", "send_lag");
	assert_text(root, "cells.0.checks.1.state", "ok");
	assert_nothing(root, "cells.0.checks.1.sentence");
	assert_text(root, "cells.0.checks.2.state", "none");
	assert_nothing(root, "cells.0.checks.2.measured");
	assert_text(root, "cells.0.expectations.0.expect", "p50<50ms");
	assert_true(json_is_false(at(root, "cells.0.expectations.0.met")));
	assert_number(root, "cells.0.expectations.0.measured", 100.9);
	assert_true(json_is_true(at(root, "cells.0.expectations.1.met")));
	json_decref(root);
}

static void
test_seconds(void **state)
{
	struct series *series = &rows[0].stats.series;
	json_t *root;

	(void)state;
	figures_set(1, 1);
	assert_int_equal(series_init(series), 0);
	series_begin(series, 5 * NS_PER_SEC);
	series_record(series, 6 * NS_PER_SEC + 1, 20 * NS_PER_MS, 100, true);
	root = read_json();
	assert_int_equal(json_array_size(at(root, "cells.0.series")), 2);
	assert_number(root, "cells.0.series.0.complete", 0);
	assert_nothing(root, "cells.0.series.0.p99_ms");
	assert_number(root, "cells.0.series.1.t", 1);
	assert_number(root, "cells.0.series.1.complete", 1);
	assert_number(root, "cells.0.series.1.failed", 1);
	assert_number(root, "cells.0.series.1.bytes", 100);
	assert_number(root, "cells.0.series.1.max_ms", 20);
	json_decref(root);
	series_deinit(series);
}

static size_t lack; /* which allocation of jansson's fails, from 1 on */

static void *
lacking(size_t size)
{
	return lack > 0 && --lack == 0 ? NULL : malloc(size);
}

/* Whichever field there is no memory for: a report with holes would look like a report without them. */
static void
test_without_memory_there_is_no_report(void **state)
{
	struct repeat repeats[] = {{.rps = 3, .measured = true}, {.measured = true}};
	size_t nth = 0;
	int result;

	(void)state;
	figures_set(1, 1);
	config.repeats = 2;
	rows[0].repeats = repeats;
	json_set_alloc_funcs(lacking, free);
	do {
		char *text;
		size_t len;
		FILE *out = open_memstream(&text, &len);

		assert_non_null(out);
		lack = ++nth;
		result = report_json(out, &sweep);
		fclose(out);
		assert_true(result == 0 || (result == -ENOMEM && len == 0));
		assert_true(result != 0 || (len > 1000 && lack > 0));
		free(text);
	} while (result != 0);
	assert_true(nth > 100);
	json_set_alloc_funcs(malloc, free);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_whatever_the_bytes),
	    cmocka_unit_test(test_a_closed_loop),
	    cmocka_unit_test(test_an_open_loop),
	    cmocka_unit_test(test_without_an_answer_the_times_are_null),
	    cmocka_unit_test(test_tls_repetitions_and_a_ratio),
	    cmocka_unit_test(test_checks_and_expectations),
	    cmocka_unit_test(test_seconds),
	    cmocka_unit_test(test_without_memory_there_is_no_report),
	};

	return cmocka_run_group_tests_name("loadgen/report_json", tests, NULL, NULL);
}
