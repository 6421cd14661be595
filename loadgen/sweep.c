/* All cells of a run: every target at every sleep and concurrency, one after the other. */
#include "loadgen/sweep.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/clock.h"
#include "loadgen/complain.h"
#include "loadgen/interrupt.h"
#include "loadgen/progress.h"
#include "loadgen/report.h"
#include "loadgen/runner.h"
#include "loadgen/trace.h"

#define FILES_BESIDE 32 /* open files besides the connections: streams, event bases, ... */
#define FILES_A_THREAD 4

/* error_text: strerror, but in the middle of a sentence. */
static const char *
error_text(int error)
{
	static char text[128];

	snprintf(text, sizeof(text), "%s", strerror(error));
	if (islower((unsigned char)text[1]))
		text[0] = (char)tolower((unsigned char)text[0]);
	return text;
}

static int
init_targets(struct sweep *sweep)
{
	const struct config *config = sweep->config;
	char error[256];

	if (config->urls_len > SWEEP_TARGETS_MAX) {
		complain("%d URLs; %d are the most", config->urls_len, SWEEP_TARGETS_MAX);
		return 2;
	}
	for (int i = 0; i < config->urls_len; i++) {
		if (target_parse(&sweep->targets[i], config->urls[i], error, sizeof(error)) != 0) {
			complain("%s: %s", config->urls[i], error);
			return 2;
		}
		sweep->targets_len++;
	}
	for (size_t i = 0; i < sweep->targets_len; i++)
		if (target_resolve(&sweep->targets[i], error, sizeof(error)) != 0) {
			complain("%s: cannot resolve %s: %s", sweep->targets[i].url, sweep->targets[i].host, error);
			return 1;
		}
	return 0;
}

/* path_with_sleep adds sleep=SECONDS to the query of PATH. The caller frees it; NULL: no memory. */
static char *
path_with_sleep(const char *path, uint64_t sleep_ns)
{
	char *with;

	if (asprintf(&with, "%s%csleep=%.9g", path, strchr(path, '?') != NULL ? '&' : '?',
		(double)sleep_ns / (double)NS_PER_SEC) < 0)
		return NULL;
	return with;
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
			const struct target *target = &sweep->targets[j];
			struct variant *variant = &sweep->variants[sweep->variants_len++];

			int result;

			variant->path = config->sleeps.len > 0 ? path_with_sleep(target->path, config->sleeps.values[i])
							       : strdup(target->path);
			variant->requests.items = calloc(1, sizeof(*variant->requests.items));
			if (variant->path == NULL || variant->requests.items == NULL)
				return -ENOMEM;
			result = request_build(&variant->requests.items[0], &config->spec, target, variant->path);
			if (result != 0)
				return result;
			variant->requests.len = 1;
		}
	return 0;
}

static struct ramp
constant_rate(uint64_t thousandths)
{
	double rate = (double)thousandths / LIST_RATE_UNIT;

	return (struct ramp){.from = rate, .to = rate};
}

static int
init_rows(struct sweep *sweep)
{
	const struct config *config = sweep->config;
	size_t len = config_cells(config);

	sweep->rows = calloc(len, sizeof(*sweep->rows));
	if (sweep->rows == NULL)
		return -ENOMEM;
	for (sweep->rows_len = 0; sweep->rows_len < len; sweep->rows_len++) {
		size_t target = sweep->rows_len % sweep->targets_len;
		size_t concurrency = sweep->rows_len / sweep->targets_len % config->concurrency.len;
		size_t rates = config->rates.len > 0 ? config->rates.len : 1;
		size_t rate = sweep->rows_len / sweep->targets_len / config->concurrency.len % rates;
		size_t sleep = sweep->rows_len / sweep->targets_len / config->concurrency.len / rates;
		const struct variant *variant = &sweep->variants[sleep * sweep->targets_len + target];

		sweep->rows[sweep->rows_len].cell = (struct cell){
		    .config = config,
		    .target = &sweep->targets[target],
		    .requests = &variant->requests,
		    .path = variant->path,
		    .has_sleep = config->sleeps.len > 0,
		    .sleep_ns = config->sleeps.values[sleep],
		    .concurrency = (uint32_t)config->concurrency.values[concurrency],
		    .open_loop = config_open_loop(config),
		    .ramp = config->rates.len > 0 ? constant_rate(config->rates.values[rate]) : config->ramp,
		    .seed = (uint64_t)config->seed,
		};
	}
	return 0;
}

/* raise_file_limit makes room for the largest number of connections. Returns 0, or 1 after saying what is too low. */
static int
raise_file_limit(const struct config *config)
{
	struct rlimit limit;
	rlim_t need = 0;

	for (size_t i = 0; i < config->concurrency.len; i++)
		if (config->concurrency.values[i] > need)
			need = config->concurrency.values[i];
	need += FILES_BESIDE + FILES_A_THREAD * (rlim_t)config->threads;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= need)
		return 0;
	limit.rlim_cur = need < limit.rlim_max ? need : limit.rlim_max;
	if (limit.rlim_cur >= need && setrlimit(RLIMIT_NOFILE, &limit) == 0)
		return 0;
	complain("this needs %llu open files and the limit is %llu: raise it with ulimit -n, or lower -c",
	    (unsigned long long)need, (unsigned long long)limit.rlim_max);
	return 1;
}

static int
init_tls(struct sweep *sweep)
{
	char error[256];
	bool wanted = false;

	for (size_t i = 0; i < sweep->targets_len; i++)
		wanted |= sweep->targets[i].tls;
	if (!wanted || tls_context_open(&sweep->tls, &sweep->config->tls, error, sizeof(error)) == 0)
		return 0;
	complain("%s", error);
	return 2;
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
		complain("cannot build the requests: %s", error_text(-status));
		return 1;
	}
	return raise_file_limit(config);
}

void
sweep_deinit(struct sweep *sweep)
{
	for (size_t i = 0; i < sweep->variants_len; i++) {
		struct request_list *requests = &sweep->variants[i].requests;

		for (size_t j = 0; j < requests->len; j++)
			request_deinit(&requests->items[j]);
		free(requests->items);
		free(sweep->variants[i].path);
	}
	tls_context_close(sweep->tls);
	for (size_t i = 0; i < sweep->targets_len; i++)
		target_deinit(&sweep->targets[i]);
	runner_free(&sweep->result);
	free(sweep->variants);
	free(sweep->rows);
}

/* explain says why a cell has no figures. Returns whether the run can go on with other targets. */
static bool
explain(const struct cell *cell, const struct result *result)
{
	const char *url = cell->target->url, *text = error_text(result->error);
	unsigned long long complete = result->stats.complete;

	switch (result->end) {
	case CELL_DONE:
	case CELL_INTERRUPTED:
		break;
	case CELL_UNREACHABLE:
		if (result->error == ECONNREFUSED)
			complain("%s: %s; is the server running?", url, text);
		else
			complain("%s: cannot connect: %s", url, text);
		break;
	case CELL_TLS:
		complain("%s: test aborted after 10 failed TLS handshakes in a row (%s); %llu requests completed", url,
		    text, complete);
		break;
	case CELL_BODY:
		complain("%s: cannot read the request's body any more: %s", url, text);
		return false;
	case CELL_CONNECT:
		complain("%s: test aborted after 10 failed connects in a row (%s); %llu requests completed", url, text,
		    complete);
		break;
	case CELL_RECEIVE:
		complain("%s: %s; run ended after %llu requests (-r goes on after such errors)", url, text, complete);
		return false;
	case CELL_RESOURCES:
		complain("%s: %s at concurrency %u%s", url, text, cell->concurrency,
		    result->error == EMFILE          ? "; raise the limit of open files with ulimit -n"
		    : result->error == EADDRNOTAVAIL ? "; out of local ports: widen "
						       "net.ipv4.ip_local_port_range, or spread with --source"
						     : "");
		return false;
	}
	return true;
}

/* run_row measures one cell. Returns whether the run goes on. */
static bool
run_row(struct sweep *sweep, struct row *row, struct progress *progress)
{
	size_t target = (size_t)(row->cell.target - sweep->targets);
	bool go_on = true;
	int status;

	if (sweep->down[target])
		return true;
	runner_free(&sweep->result);
	progress_cell_begin(progress, &row->cell);
	status = runner_run(&row->cell, sweep->tls, progress, &sweep->result);
	if (status != 0) {
		progress_clear(progress);
		complain("%s: cannot start the load: %s", row->cell.target->url, error_text(-status));
		sweep->failed = true;
		return false;
	}
	summary_make(&row->summary, &row->cell, &sweep->result);
	sweep->doubtful |= row->summary.checks_failed > 0;
	row->measured = cell_end_measured(sweep->result.end) && (row->summary.complete > 0 || sweep->rows_len == 1);
	sweep->failed |= row->summary.failed > 0 || !cell_end_measured(sweep->result.end);
	if (!cell_end_measured(sweep->result.end)) {
		progress_clear(progress);
		sweep->down[target] = true;
		go_on = explain(&row->cell, &sweep->result);
	}
	return go_on && !interrupt_seen();
}

void
sweep_run(struct sweep *sweep)
{
	const struct config *config = sweep->config;
	struct progress progress;
	bool go_on = true;

	progress_init(&progress, progress_choose(config, report_is_ab(sweep)), stderr, config, sweep->rows_len);
	if (config->verbosity >= TRACE_HEADERS)
		for (size_t i = 0; i < sweep->variants_len; i++)
			trace_request(config->data_on_stdout ? stderr : stdout, request_method_name(&config->spec),
			    &sweep->variants[i].requests.items[0]);
	for (size_t i = 0; i < sweep->rows_len && go_on; i++) {
		go_on = run_row(sweep, &sweep->rows[i], &progress);
		progress_cell_end(&progress);
	}
	progress_end(&progress);
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
