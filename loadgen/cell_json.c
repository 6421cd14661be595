/* One measured cell as JSON: docs/loadgen-output.md. */
#include "loadgen/cell_json.h"

#include <math.h>

#include "common/clock.h"
#include "loadgen/expect.h"
#include "loadgen/field.h"

#define MS (double)NS_PER_MS

/* add_ms adds a figure of TIMES, NS nanoseconds; null where there were none. */
static void
add_ms(json_t *object, const char *name, const struct distribution *times, double ns)
{
	field_ms(object, name, summary_known(times, ns));
}

static json_t *
times_of(const struct distribution *times)
{
	json_t *object = json_object();

	add_ms(object, "min", times, (double)times->min);
	add_ms(object, "mean", times, times->mean);
	add_ms(object, "sd", times, times->sd);
	add_ms(object, "median", times, (double)times->median);
	add_ms(object, "max", times, (double)times->max);
	return object;
}

/* add_open_loop_times: null in a closed loop, where they would say nothing new. */
static void
add_open_loop_times(
    json_t *object, const char *name, const struct row *row, const struct distribution *times, uint64_t p99)
{
	json_t *value;

	if (!row->cell.open_loop) {
		field_add(object, name, json_null());
		return;
	}
	value = times_of(times);
	add_ms(value, "p99", times, (double)p99);
	field_add(object, name, value);
}

static json_t *
latency_of(const struct summary *summary)
{
	static const int percents[] = SUMMARY_PERCENTS;
	json_t *object = json_object();
	char name[8];

	add_ms(object, "min", &summary->total, (double)summary->total.min);
	add_ms(object, "mean", &summary->total, summary->total.mean);
	add_ms(object, "sd", &summary->total, summary->total.sd);
	for (size_t i = 0; i < ARRAY_LEN(percents); i++) {
		snprintf(name, sizeof(name), "p%d", percents[i]);
		add_ms(object, name, &summary->total, (double)summary->percentiles[percents[i]]);
	}
	add_ms(object, "p99.9", &summary->total, (double)summary->p99_9_ns);
	add_ms(object, "max", &summary->total, (double)summary->total.max);
	return object;
}

static json_t *
intervals_of(const struct summary *summary)
{
	json_t *object = json_object();

	field_interval(object, "p50", &summary->p50_interval, MS);
	field_interval(object, "p90", &summary->p90_interval, MS);
	field_interval(object, "p99", &summary->p99_interval, MS);
	field_interval(object, "p99.9", &summary->p99_9_interval, MS);
	return object;
}

static json_t *
failures_of(const struct summary *summary)
{
	json_t *object = json_object();

	for (unsigned i = 0; i < FAILURE_CLASSES; i++)
		field_count(object, failure_name((enum failure)i), summary->failures[i]);
	field_count(object, "status", summary->non_2xx);
	return object;
}

/* failure_reasons_of: what was wrong the first time; null where it never was. */
static json_t *
failure_reasons_of(const struct summary *summary)
{
	json_t *object = json_object();

	for (unsigned i = 0; i < FAILURE_CLASSES; i++)
		field_add(object, failure_name((enum failure)i),
		    summary->whys[i][0] != '\0' ? field_text(summary->whys[i]) : json_null());
	return object;
}

static json_t *
bytes_of(const struct summary *summary)
{
	json_t *object = json_object();

	field_count(object, "received", summary->bytes_received);
	field_count(object, "body", summary->bytes_body);
	field_count(object, "sent", summary->bytes_sent);
	return object;
}

static json_t *
ramp_of(const struct ramp *ramp)
{
	json_t *object = json_object();

	field_real(object, "from", ramp->from);
	field_real(object, "to", ramp->to);
	field_real(object, "seconds", (double)ramp->duration_ns / (double)NS_PER_SEC);
	return object;
}

/* add_load: how the requests were to come. */
static void
add_load(json_t *object, const struct row *row)
{
	const struct cell *cell = &row->cell;
	const struct config *config = cell->config;
	bool ramp = cell->open_loop && cell->ramp.duration_ns > 0;
	json_t *rate = cell->open_loop ? json_object() : json_null();

	field_add(object, "load", json_string(cell->open_loop ? "open" : "closed"));
	field_count(object, "concurrency", cell->concurrency);
	field_count(object, "pipeline", (uint64_t)config->pipeline);
	field_add(object, "requests",
	    config->requests == CONFIG_UNLIMITED ? json_null() : json_integer((json_int_t)config->requests));
	if (cell->open_loop) {
		field_add(rate, "asked", ramp ? json_null() : json_real(cell->ramp.from));
		field_real(rate, "due", row->summary.rps_due);
		field_real(rate, "started", row->summary.rps_started);
		field_real(rate, "achieved", row->summary.rps);
	}
	field_add(object, "rate", rate);
	field_add(object, "ramp", ramp ? ramp_of(&cell->ramp) : json_null());
	field_add(object, "arrivals",
	    !cell->open_loop ? json_null()
			     : json_string(config->arrivals == ARRIVALS_POISSON ? "poisson" : "constant"));
	field_real(object, "warmup_s", (double)row->summary.warmup_ns / (double)NS_PER_SEC);
}

static void
add_counts(json_t *object, const struct summary *summary)
{
	field_count(object, "complete", summary->complete);
	field_count(object, "failed", summary->failed);
	field_add(object, "failures", failures_of(summary));
	field_add(object, "failure_reasons", failure_reasons_of(summary));
	field_count(object, "write_errors", summary->write_errors);
	field_count(object, "non_2xx", summary->non_2xx);
	field_count(object, "errors", summary->errors);
	field_count(object, "keepalive_requests", summary->kept_alive);
	field_count(object, "unfinished", summary->unfinished);
	field_count(object, "overdue", summary->overdue);
	field_count(object, "missed", summary->missed);
	field_count(object, "queued", summary->queued);
}

static void
add_times(json_t *object, const struct row *row)
{
	const struct summary *summary = &row->summary;

	field_add(object, "latency_ms", latency_of(summary));
	field_add(object, "intervals_ms", intervals_of(summary));
	field_add(object, "connect_ms", times_of(&summary->connect));
	field_add(object, "tls_ms", row->cell.target->tls ? times_of(&summary->tls) : json_null());
	field_add(object, "processing_ms", times_of(&summary->processing));
	field_add(object, "waiting_ms", times_of(&summary->waiting));
	add_open_loop_times(object, "service_ms", row, &summary->service, summary->service_p99_ns);
	add_open_loop_times(object, "delay_ms", row, &summary->delay, summary->delay_p99_ns);
	add_open_loop_times(object, "send_lag_ms", row, &summary->lag, summary->lag_p99_ns);
}

static json_t *
tls_of(const struct tls_facts *facts)
{
	json_t *object;

	if (facts->protocol[0] == '\0')
		return json_null();
	object = json_object();
	field_add(object, "protocol", field_text(facts->protocol));
	field_add(object, "cipher", field_text(facts->cipher));
	field_add(object, "key_bits", json_integer(facts->bits));
	field_add(object, "cipher_bits", json_integer(facts->cipher_bits));
	field_add(object, "temp_key", field_text(facts->temp_key));
	field_add(object, "server_name", field_text(facts->server_name));
	return object;
}

/* repeats_of: each repetition, and the intervals of their means; null for a single one. */
static json_t *
repeats_of(const struct row *row)
{
	json_t *object, *single, *list;

	if (row->cell.config->repeats < 2 || row->repeats == NULL)
		return json_null();
	object = json_object();
	list = json_array();
	for (int64_t i = 0; i < row->cell.config->repeats; i++) {
		const struct repeat *repeat = &row->repeats[i];

		if (!repeat->measured)
			continue;
		single = json_object();
		field_real(single, "rps", repeat->rps);
		field_ms(single, "mean_ms", repeat->mean_ns);
		field_ms(single, "p50_ms", (double)repeat->p50_ns);
		field_ms(single, "p99_ms", (double)repeat->p99_ns);
		field_count(single, "failed", repeat->failed);
		json_array_append_new(list, single);
	}
	field_add(object, "single", list);
	field_interval(object, "rps", &row->rps, 1);
	field_interval(object, "mean_ms", &row->mean, MS);
	field_interval(object, "p50_ms", &row->p50, MS);
	field_interval(object, "p99_ms", &row->p99, MS);
	return object;
}

static json_t *
ratio_of(const struct row *row)
{
	json_t *object;

	if (!(row->ratio > 0))
		return json_null();
	object = json_object();
	field_real(object, "rps", row->ratio);
	field_interval(object, "interval", &row->ratio_interval, 1);
	return object;
}

static json_t *
checks_of(const struct summary *summary)
{
	static const char *const states[] = {[CHECK_NONE] = "none", [CHECK_OK] = "ok", [CHECK_FAILED] = "failed"};
	json_t *list = json_array();
	char sentence[CHECK_SENTENCE_MAX];

	for (unsigned i = 0; i < CHECK_KINDS; i++) {
		const struct check *check = &summary->checks[i];
		json_t *object = json_object();

		field_add(object, "name", json_string(check_name((enum check_kind)i)));
		field_add(object, "state", json_string(states[check->state]));
		field_real(object, "measured", check->state != CHECK_NONE ? check->measured : (double)NAN);
		field_real(object, "limit", check->state != CHECK_NONE ? check->limit : (double)NAN);
		check_sentence((enum check_kind)i, check, sentence, sizeof(sentence));
		field_add(object, "sentence", check->state == CHECK_FAILED ? field_text(sentence) : json_null());
		json_array_append_new(list, object);
	}
	return list;
}

static json_t *
expectations_of(const struct row *row)
{
	const struct config *config = row->cell.config;
	json_t *list = json_array();

	for (size_t i = 0; i < config->expects_len; i++) {
		json_t *object = json_object();
		double measured = 0;
		bool met = expect_holds(&config->expects[i], &row->summary, &measured);

		field_add(object, "expect", field_text(config->expects[i].text));
		field_add(object, "met", json_boolean(met));
		field_real(object, "measured", measured);
		json_array_append_new(list, object);
	}
	return list;
}

static void
add_figure(json_t *object, const char *name, uint64_t ns, bool known)
{
	field_add(object, name, known ? json_real(summary_ms((double)ns)) : json_null());
}

static json_t *
series_of(const struct series *series)
{
	size_t len = series_len(series);
	json_t *list = json_array();

	for (size_t second = 0; second < len; second++) {
		struct series_figures figures;
		json_t *object = json_object();

		series_figures(&series, 1, second, 1, &figures);
		field_count(object, "t", second);
		field_count(object, "complete", figures.complete);
		field_count(object, "failed", figures.failed);
		field_count(object, "bytes", figures.bytes_received);
		add_figure(object, "p50_ms", figures.p50_ns, figures.complete > 0);
		add_figure(object, "p90_ms", figures.p90_ns, figures.complete > 0);
		add_figure(object, "p99_ms", figures.p99_ns, figures.complete > 0);
		add_figure(object, "max_ms", figures.max_ns, figures.complete > 0);
		json_array_append_new(list, object);
	}
	return list;
}

json_t *
cell_json(const struct row *row)
{
	const struct summary *summary = &row->summary;
	const struct cell *cell = &row->cell;
	json_t *object = json_object();

	field_add(object, "target", field_text(cell->target->url));
	field_add(
	    object, "sleep_s", cell->has_sleep ? json_real((double)cell->sleep_ns / (double)NS_PER_SEC) : json_null());
	add_load(object, row);
	add_counts(object, summary);
	field_add(object, "broken", json_boolean(row->broken));
	field_real(object, "duration_s", (double)summary->duration_ns / (double)NS_PER_SEC);
	field_real(object, "rps", summary->rps);
	field_real(object, "time_per_request_ms", summary->time_per_request_ms);
	field_real(object, "time_per_request_all_ms", summary->time_per_request_all_ms);
	add_times(object, row);
	field_add(object, "bytes", bytes_of(summary));
	field_add(object, "server_software", field_text(summary->server));
	field_add(object, "tls", tls_of(&summary->tls_facts));
	field_add(object, "document_path", field_text(cell->path));
	field_count(object, "document_length", summary->document_len > 0 ? (uint64_t)summary->document_len : 0);
	field_count(object, "connections_most_open", summary->most_open);
	field_real(object, "client_cpu_s", (double)summary->client_cpu_ns / (double)NS_PER_SEC);
	field_real(object, "client_cpu_share", summary->cpu_share);
	field_add(object, "repeats", repeats_of(row));
	field_add(object, "ratio", ratio_of(row));
	field_add(object, "checks", checks_of(summary));
	field_add(object, "expectations", expectations_of(row));
	field_add(object, "series", series_of(&row->stats.series));
	return object;
}
