/* Measures one cell of a sweep once, adds the figures to its row, and says why it could not be measured. */
#include "loadgen/measure.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "loadgen/complain.h"
#include "loadgen/dial.h"
#include "loadgen/interrupt.h"
#include "loadgen/repeat.h"
#include "loadgen/report.h"
#include "loadgen/runner.h"

#define PATIENCE_NS (60 * NS_PER_SEC)  /* for what stands in a server's queue, or -s where that is more */
#define IMPATIENCE_NS (2 * NS_PER_SEC) /* for what was waited for in vain before, or where there was no answer yet */

/* explain says why a cell has no figures. Returns whether the run can go on with other targets. */
static bool
explain(const struct cell *cell, const struct result *result)
{
	const char *url = cell->target->url;
	const char *text = result->error == EPROTO ? result->why : complain_text(result->error);
	unsigned long long complete = result->stats.complete;

	switch (result->end) {
	case CELL_DONE:
	case CELL_INTERRUPTED:
		break;
	case CELL_UNREACHABLE:
		if (cell->target->proxy != NULL && result->error != EPROTO)
			complain("%s: cannot connect through the proxy %s:%u: %s%s", url, cell->target->proxy,
			    cell->target->proxy_port, text,
			    result->error == ECONNREFUSED ? "; is the proxy running?" : "");
		else if (result->error == ECONNREFUSED)
			complain("%s: %s; is the server running?", url, text);
		else
			complain("%s: cannot connect: %s%s", url, text, dial_advice(result->error));
		break;
	case CELL_TLS:
		complain("%s: test aborted after 10 failed TLS handshakes in a row (%s); %llu request%s completed", url,
		    text, complete, complete == 1 ? "" : "s");
		break;
	case CELL_BODY:
		complain("%s: cannot read the request's body any more: %s", url, text);
		return false;
	case CELL_CONNECT:
		complain("%s: test aborted after 10 failed connects in a row (%s); %llu request%s completed%s", url,
		    text, complete, complete == 1 ? "" : "s",
		    result->error == ECONNREFUSED ? " (-r goes on after such errors)" : dial_advice(result->error));
		break;
	case CELL_RECEIVE:
		complain("%s: %s; run ended after %llu request%s (-r goes on after such errors)", url, text, complete,
		    complete == 1 ? "" : "s");
		return false;
	case CELL_RESOURCES:
		complain("%s: %s at concurrency %u%s", url, text, cell->concurrency, dial_advice(result->error));
		return false;
	}
	return true;
}

static void
add_pace(struct pace *into, const struct pace *from)
{
	into->gaps += from->gaps;
	into->span_ns += from->span_ns;
}

/* add_figures merges RESULT into what ROW has from repetitions before. Returns 0 or -ENOMEM. */
static int
add_figures(struct row *row, const struct result *result)
{
	const struct summary before = row->summary; /* empty at first */
	struct result all = *result;
	uint32_t most_open = result->stats.most_open;

	if (!row->measured && stats_init(&row->stats) != 0)
		return -ENOMEM;
	if (stats_merge(&row->stats, &result->stats) != 0)
		return -ENOMEM;
	/* Connections of threads add up, those of repetitions do not. */
	row->stats.most_open = before.most_open > most_open ? before.most_open : most_open;
	all.stats = row->stats;
	all.duration_ns += before.duration_ns;
	add_pace(&all.due, &before.due);
	add_pace(&all.left, &before.left);
	if (row->measured && before.document_len >= 0)
		all.document_len = before.document_len;
	summary_make(&row->summary, &row->cell, &all);
	return 0;
}

/* keep_samples adds those of RESULT to what SWEEP has from repetitions before. Returns 0 or -ENOMEM. */
static int
keep_samples(struct sweep *sweep, struct result *result)
{
	size_t len = sweep->samples_len + result->samples_len;
	struct sample *all;

	if (sweep->samples_len == 0) { /* without a copy: there may be millions */
		free(sweep->samples);
		sweep->samples = result->samples;
		result->samples = NULL;
	} else if (result->samples != NULL) {
		all = reallocarray(sweep->samples, len, sizeof(*all));
		if (all == NULL)
			return -ENOMEM;
		memcpy(&all[sweep->samples_len], result->samples, result->samples_len * sizeof(*all));
		sweep->samples = all;
	}
	sweep->samples_len = sweep->samples != NULL ? len : 0;
	return 0;
}

/*
 * has_figures tells whether there is something to report of a run.  One that broke off has what was done until then, where
 * there is nothing else, as if it had been interrupted; but not in a search, to which it says that the load was too much.
 */
static bool
has_figures(const struct sweep *sweep, const struct row *row)
{
	const struct result *result = &sweep->result;
	bool lacking = result->end == CELL_RESOURCES && result->error == ENOMEM; /* -g may not have all requests */

	return cell_end_measured(result->end) ||
	       (result->stats.complete > 0 && !lacking && !row->measured && !sweep->config->until_saturated);
}

/* keep_figures takes the figures of a run. Returns 0 or -ENOMEM. */
static int
keep_figures(struct sweep *sweep, struct row *row, int64_t repetition)
{
	struct result *result = &sweep->result;
	struct summary single;

	/* What was broken off before anything was done says nothing, but for the report that is there anyway. */
	if (result->end == CELL_INTERRUPTED && result->stats.complete == 0 && !report_is_ab(sweep))
		return 0;
	summary_make(&single, &row->cell, result);
	if (cell_end_measured(result->end))
		row->repeats[repetition] = repeat_figures(&single);
	if (add_figures(row, result) != 0)
		return -ENOMEM;
	row->measured = true;
	return keep_samples(sweep, result);
}

/*
 * ask sends the request of CELL once, and waits for its answer for PATIENCE_NS, which PROGRESS shows.  Returns whether nothing
 * stands before it any more: something was answered, or there is nobody to serve a queue; the next cell says so.
 */
static bool
ask(struct sweep *sweep, const struct cell *cell, uint64_t patience_ns, struct progress *progress)
{
	struct config config = *sweep->config;
	struct result result;
	struct cell once = *cell;
	bool done;

	config.requests = 1;
	config.threads = 1;
	config.pipeline = 1;
	config.warmup_ns = 0;
	config.time_limit_ns = 0;
	config.timeout_ns = patience_ns;
	config.verbosity = 1;
	config.samples_file = NULL;
	once.config = &config;
	once.concurrency = 1;
	once.open_loop = false;
	progress_await(progress, cell->target->url);
	done = runner_run(&once, sweep->tls, progress, &result) == 0 &&
	       (result.stats.bytes_received > 0 || (result.end == CELL_UNREACHABLE && result.error == ECONNREFUSED));
	runner_free(&result);
	progress_await(progress, NULL);
	return done;
}

/*
 * settle waits until the targets have served what cells before left unanswered, which stands in the servers' queues before
 * what comes, and would count against the next cell: also against one of another target, which may be the same server.
 */
static void
settle(struct sweep *sweep, struct progress *progress)
{
	const uint64_t own_ns = sweep->config->timeout_ns;
	const uint64_t long_ns = own_ns > PATIENCE_NS ? own_ns : PATIENCE_NS;

	for (size_t i = 0; i < sweep->targets_len && !interrupt_seen(); i++) {
		struct leftover *leftover = &sweep->leftovers[i];
		uint64_t patience_ns = leftover->stuck ? IMPATIENCE_NS : long_ns;

		if (leftover->cell == NULL || sweep->down[i])
			continue;
		if (ask(sweep, leftover->cell, patience_ns, progress)) {
			*leftover = (struct leftover){0};
		} else if (!interrupt_seen()) {
			leftover->stuck = true;
			progress_clear(progress);
			complain("%s: what a cell left in the server's queue may count against the next one: "
				 "a request behind it failed, or had no answer within %g s",
			    sweep->targets[i].url, (double)patience_ns / (double)NS_PER_SEC);
		}
	}
}

/* start_advice says what helps where threads and their memory cannot be had. */
static const char *
start_advice(int error)
{
	switch (error) {
	case EAGAIN:
		return "; lower --threads, or raise the limits of threads and memory (ulimit -u, -v)";
	case ENOMEM:
		return "; lower --threads, -c or --pipeline, or raise the limit of memory (ulimit -v)";
	default:
		return dial_advice(error);
	}
}

bool
measure_row(struct sweep *sweep, struct row *row, int64_t repetition, struct progress *progress)
{
	struct result *result = &sweep->result;
	size_t target = (size_t)(row->cell.target - sweep->targets);
	int status;

	if (sweep->down[target])
		return true;
	runner_free(result);
	/* Arrivals differ between repetitions, and are the same for all that is compared within one. */
	row->cell.seed = (uint64_t)sweep->config->seed + (uint64_t)repetition;
	settle(sweep, progress);
	if (interrupt_seen())
		return false;
	progress_cell_begin(progress, &row->cell);
	status = runner_run(&row->cell, sweep->tls, progress, result);
	if (result->stats.unfinished + result->stats.failures[FAILURE_TIMEOUT] > 0)
		sweep->leftovers[target] = (struct leftover){
		    .cell = &row->cell,
		    .stuck = sweep->leftovers[target].stuck || result->stats.bytes_received == 0,
		};
	if (status == 0 && has_figures(sweep, row))
		status = keep_figures(sweep, row, repetition);
	if (status == 0 && cell_end_measured(result->end))
		return !interrupt_seen();
	progress_clear(progress);
	row->broken = true;
	sweep->down[target] = true;
	if (status == 0)
		return explain(&row->cell, result) && !interrupt_seen();
	complain("%s: cannot measure: %s%s", row->cell.target->url, complain_text(-status), start_advice(-status));
	return false;
}
