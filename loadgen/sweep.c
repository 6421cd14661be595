/* All cells of a run: every target at every sleep, rate and concurrency, one after the other. */
#include "loadgen/sweep.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/clock.h"
#include "loadgen/complain.h"
#include "loadgen/interrupt.h"
#include "loadgen/knee.h"
#include "loadgen/measure.h"
#include "loadgen/progress.h"
#include "loadgen/repeat.h"
#include "loadgen/report.h"
#include "loadgen/route.h"
#include "loadgen/runner.h"
#include "loadgen/trace.h"

/* Open files besides the connections. */
#define FILES_ALONE 5    /* the standard streams, one for signals, one that threads tell their end by */
#define FILES_A_THREAD 4 /* epoll, libevent's two for signals, one to be stopped by; in an open loop a timer, too */
#define FILES_SPARE 32 /* what was inherited, and libraries open for a moment: where there is room, but not asked for */

/* status_of returns the exit status for RESULT: a mistake on the command line is 2, and all that the machine refuses 1. */
static int
status_of(int result)
{
	return result == 0 ? 0 : result == -EINVAL ? 2 : 1;
}

static int
init_targets(struct sweep *sweep)
{
	const struct config *config = sweep->config;
	char error[512];
	int result;

	if (config->urls_len > SWEEP_TARGETS_MAX) {
		complain("%d URLs; %d are the most", config->urls_len, SWEEP_TARGETS_MAX);
		return 2;
	}
	for (int i = 0; i < config->urls_len; i++) {
		result = target_parse(&sweep->targets[i], config->urls[i], error, sizeof(error));
		if (result != 0) {
			complain("%s: %s", *config->urls[i] != '\0' ? config->urls[i] : "\"\"", error);
			return status_of(result);
		}
		sweep->targets_len++;
		result = route_choose(&sweep->targets[i], config, error, sizeof(error));
		if (result != 0) {
			complain("%s", error);
			return status_of(result);
		}
		if (config->listed.len > 0 && strcmp(sweep->targets[i].path, "/") != 0) {
			complain(
			    "%s: the paths come from %s; give the server alone", config->urls[i], config->urls_file);
			return 2;
		}
	}
	if (source_check(&config->source, error, sizeof(error)) != 0) {
		complain("-B or --source: %s", error);
		return 1;
	}
	for (size_t i = 0; i < sweep->targets_len; i++)
		if (route_resolve(&sweep->targets[i], config, error, sizeof(error)) != 0) {
			complain("%s", error);
			return 1;
		}
	return 0;
}

static int
init_variants(struct sweep *sweep)
{
	const struct config *config = sweep->config;
	size_t sleeps = config->sleeps.len > 0 ? config->sleeps.len : 1;

	sweep->variants = calloc(sleeps * sweep->targets_len, sizeof(*sweep->variants));
	if (sweep->variants == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < sleeps; i++)
		for (size_t j = 0; j < sweep->targets_len; j++) {
			const uint64_t *sleep_ns = config->sleeps.len > 0 ? &config->sleeps.values[i] : NULL;
			int result =
			    variant_init(&sweep->variants[sweep->variants_len++], config, &sweep->targets[j], sleep_ns);

			if (result != 0)
				return result;
		}
	return 0;
}

static struct ramp
constant_rate(uint64_t thousandths)
{
	double rate = (double)thousandths / LIST_RATE_UNIT;

	return (struct ramp){.from = rate, .to = rate};
}

/* init_cell makes the cell of a row that has none yet. RATE is in thousandths, as in a list; 0: the ramp, or a closed loop. */
static void
init_cell(struct sweep *sweep, struct row *row, size_t variant, uint64_t concurrency, uint64_t rate)
{
	const struct config *config = sweep->config;

	row->cell = (struct cell){
	    .config = config,
	    .target = &sweep->targets[variant % sweep->targets_len],
	    .requests = &sweep->variants[variant].requests,
	    .path = sweep->variants[variant].path,
	    .has_sleep = config->sleeps.len > 0,
	    .sleep_ns = config->sleeps.values[variant / sweep->targets_len],
	    .concurrency = (uint32_t)concurrency,
	    .open_loop = config_open_loop(config),
	    .ramp = rate > 0 ? constant_rate(rate) : config->ramp,
	    .seed = (uint64_t)config->seed,
	};
}

struct row *
sweep_add_row(struct sweep *sweep, size_t variant, uint64_t concurrency, uint64_t rate)
{
	struct row *row = &sweep->rows[sweep->rows_len];

	assert(sweep->rows_len < sweep->rows_size);
	init_cell(sweep, row, variant, concurrency, rate);
	row->repeats = &sweep->repeats[sweep->rows_len * (size_t)sweep->config->repeats];
	sweep->order[sweep->rows_len] = sweep->rows_len;
	sweep->rows_len++;
	return row;
}

/* init_rows makes a row for each cell; those of a search come as it goes on. */
static int
init_rows(struct sweep *sweep)
{
	const struct config *config = sweep->config;
	const struct list none = {.values = {0}, .len = 1};
	const struct list *rates = config->rates.len > 0 ? &config->rates : &none;

	sweep->rows_size = config->until_saturated ? sweep->variants_len * SATURATE_STEPS_MAX : config_cells(config);
	sweep->rows = calloc(sweep->rows_size, sizeof(*sweep->rows));
	sweep->order = calloc(sweep->rows_size, sizeof(*sweep->order));
	sweep->repeats = calloc(sweep->rows_size * (size_t)config->repeats, sizeof(*sweep->repeats));
	sweep->knees = calloc(sweep->variants_len, sizeof(*sweep->knees));
	if (sweep->rows == NULL || sweep->order == NULL || sweep->repeats == NULL || sweep->knees == NULL)
		return -ENOMEM;
	if (config->until_saturated)
		return 0;
	for (size_t first = 0; first < sweep->variants_len; first += sweep->targets_len)
		for (size_t i = 0; i < rates->len; i++)
			for (size_t j = 0; j < config->concurrency.len; j++)
				for (size_t target = 0; target < sweep->targets_len; target++)
					sweep_add_row(
					    sweep, first + target, config->concurrency.values[j], rates->values[i]);
	return 0;
}

/* files_beside counts the open files that CONNECTIONS come on top of. */
static rlim_t
files_beside(const struct config *config, rlim_t connections)
{
	rlim_t threads = (rlim_t)config->threads < connections ? (rlim_t)config->threads : connections;

	return FILES_ALONE + (FILES_A_THREAD + config_open_loop(config)) * threads + config->listed.files.len +
	       (config->spec.body_file != NULL);
}

/*
 * raise_file_limit makes room for the largest number of connections, or for as many as there can
 * be where a search decides about it.  Returns 0, or 1 after saying what is too low.
 */
static int
raise_file_limit(struct sweep *sweep)
{
	const struct config *config = sweep->config;
	struct rlimit limit;
	rlim_t need = 0, most = config->until_saturated ? CONFIG_CONCURRENCY_MAX : 0, beside, room;

	for (size_t i = 0; i < config->concurrency.len; i++)
		if (config->concurrency.values[i] > need)
			need = config->concurrency.values[i];
	if (most < need)
		most = need;
	beside = files_beside(config, most);
	sweep->most_connections = (uint32_t)most;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= most + beside + FILES_SPARE)
		return 0;
	limit.rlim_cur = most + beside + FILES_SPARE < limit.rlim_max ? most + beside + FILES_SPARE : limit.rlim_max;
	if (limit.rlim_cur >= need + beside && setrlimit(RLIMIT_NOFILE, &limit) == 0) {
		room = limit.rlim_cur - beside;
		room -= room >= need + FILES_SPARE ? FILES_SPARE : room - need;
		sweep->most_connections = (uint32_t)(room < most ? room : most);
		return 0;
	}
	complain("%llu open files are needed, and the limit is %llu: raise ulimit -n, or lower -c",
	    (unsigned long long)(need + beside), (unsigned long long)limit.rlim_max);
	return 1;
}

static int
init_tls(struct sweep *sweep)
{
	char error[256];
	const struct tls_options *options = &sweep->config->tls;
	/* What they say is looked at where no target needs it, too. */
	bool wanted = options->protocol != NULL || options->ciphers != NULL || options->certificate != NULL;
	int result = 0;

	for (size_t i = 0; i < sweep->targets_len; i++)
		wanted |= sweep->targets[i].tls;
	if (wanted)
		result = tls_context_open(&sweep->tls, options, error, sizeof(error));
	if (result != 0)
		complain("%s", error);
	return status_of(result);
}

int
sweep_init(struct sweep *sweep, const struct config *config)
{
	int status;

	*sweep = (struct sweep){.config = config, .started_ns = clock_wall_ns()};
	status = init_targets(sweep);
	if (status != 0)
		return status;
	status = init_tls(sweep);
	if (status != 0)
		return status;
	status = init_variants(sweep);
	if (status == 0)
		status = init_rows(sweep);
	if (status != 0) {
		complain("cannot build the requests: %s", complain_text(-status));
		return 1;
	}
	return raise_file_limit(sweep);
}

void
sweep_deinit(struct sweep *sweep)
{
	for (size_t i = 0; i < sweep->variants_len; i++)
		variant_deinit(&sweep->variants[i]);
	tls_context_close(sweep->tls);
	for (size_t i = 0; i < sweep->targets_len; i++)
		target_deinit(&sweep->targets[i]);
	runner_free(&sweep->result);
	for (size_t i = 0; i < sweep->rows_len; i++)
		stats_deinit(&sweep->rows[i].stats);
	free(sweep->variants);
	free(sweep->rows);
	free(sweep->order);
	free(sweep->repeats);
	free(sweep->knees);
	free(sweep->samples);
}

/* run_cells measures each row as often as is asked for. Several times: in each repetition all of them in a new order. */
static void
run_cells(struct sweep *sweep, struct progress *progress)
{
	const struct config *config = sweep->config;
	bool go_on = true;

	for (int64_t i = 0; i < config->repeats && go_on; i++) {
		if (config->repeats > 1)
			repeat_shuffle(sweep->order, sweep->rows_len, (uint64_t)config->seed, (uint64_t)i);
		for (size_t j = 0; j < sweep->rows_len && go_on; j++) {
			go_on = measure_row(sweep, &sweep->rows[sweep->order[j]], i, progress);
			progress_cell_end(progress);
		}
	}
}

/* compare_rows works out intervals, and how each row compares with that of the first target. */
static void
compare_rows(struct sweep *sweep)
{
	for (size_t i = 0; i < sweep->rows_len; i++) {
		size_t first = i - i % sweep->targets_len;

		repeat_judge(&sweep->rows[i], first != i ? &sweep->rows[first] : NULL, sweep->config->repeats);
	}
}

/* tell says which expectations and which checks of ROW were not met, where no report does. */
static void
tell(const struct row *row)
{
	const struct config *config = row->cell.config;
	char what[CELL_TEXT_MAX], text[CHECK_SENTENCE_MAX];
	double measured;

	cell_describe(&row->cell, what);
	for (size_t i = 0; i < config->expects_len; i++) {
		if (expect_holds(&config->expects[i], &row->summary, &measured))
			continue;
		expect_format(&config->expects[i], measured, text, sizeof(text));
		complain(
		    "%s, %s: expected %s, but it was %s", row->cell.target->url, what, config->expects[i].text, text);
	}
	for (unsigned i = 0; i < CHECK_KINDS; i++) {
		if (row->summary.checks[i].state != CHECK_FAILED)
			continue;
		check_sentence((enum check_kind)i, &row->summary.checks[i], text, sizeof(text));
		complain("%s, %s: %s", row->cell.target->url, what, text);
	}
}

/* tell_silence: a server that answers nothing makes no request fail before time is up, and is no success all the same. */
static bool
tell_silence(const struct row *row)
{
	const struct summary *summary = &row->summary;
	char what[CELL_TEXT_MAX];

	if (summary->end != CELL_DONE || summary->complete > 0 || summary->unfinished + summary->missed == 0)
		return false;
	cell_describe(&row->cell, what);
	complain("%s, %s: no request was answered before time was up", row->cell.target->url, what);
	return true;
}

/* judge takes note of what decides about the exit status. */
static void
judge(struct sweep *sweep)
{
	const struct config *config = sweep->config;

	for (size_t i = 0; i < sweep->rows_len; i++) {
		const struct row *row = &sweep->rows[i];

		sweep->failed |= row->broken;
		if (!row->measured)
			continue;
		sweep->failed |= row->summary.failed > 0;
		sweep->failed |= tell_silence(row);
		sweep->doubtful |= row->summary.checks_failed > 0;
		sweep->unmet |= expect_unmet(config->expects, config->expects_len, &row->summary) != NULL;
		if (config->data_on_stdout)
			tell(row);
	}
}

void
sweep_run(struct sweep *sweep)
{
	const struct config *config = sweep->config;
	struct progress progress;

	progress_init(&progress, progress_choose(config, report_is_ab(sweep)), stderr, config, sweep->rows_len);
	if (config->verbosity >= TRACE_HEADERS)
		for (size_t i = 0; i < sweep->variants_len; i++)
			trace_request(config->data_on_stdout ? stderr : stdout, &sweep->variants[i].requests.items[0]);
	if (config->until_saturated)
		knee_find_all(sweep, &progress);
	else
		run_cells(sweep, &progress);
	progress_end(&progress);
	if (!config->until_saturated) {
		compare_rows(sweep);
		judge(sweep);
	}
	if (interrupt_seen() && sweep_measured(sweep) == 0)
		complain("interrupted before any request was answered");
	interrupt_close(); /* a report that cannot be written (a pipe that nobody reads) can be broken off */
	sweep->interrupted = interrupt_seen();
}

size_t
sweep_measured(const struct sweep *sweep)
{
	size_t measured = 0;

	for (size_t i = 0; i < sweep->rows_len; i++)
		measured += sweep->rows[i].measured;
	return measured;
}
