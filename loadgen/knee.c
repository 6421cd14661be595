/* --until-saturated: how far each target can be loaded, and in words what came of it. */
#include "loadgen/knee.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "loadgen/complain.h"
#include "loadgen/interrupt.h"
#include "loadgen/list.h"
#include "loadgen/measure.h"

#define PLACE_MAX 64   /* bytes of "20000 connections", and of what was answered there */
#define FIGURE_MAX 24  /* bytes of "45210" */
#define KEPT_SHARE 0.9 /* of the requests due, that a server answers which keeps up with their rate */

static void
begin_search(struct saturate *search, const struct sweep *sweep)
{
	const struct config *config = sweep->config;
	uint64_t highest = sweep->most_connections, first = config->concurrency.values[0], lowest = 1;
	uint64_t requests = (uint64_t)config->requests;

	if (config->warmup_ns > 0) /* all that are under way when it ends count (check_concurrency) */
		requests /= (uint64_t)config->pipeline;

	if (config_open_loop(config)) {
		highest = (uint64_t)CONFIG_RATE_MAX * LIST_RATE_UNIT;
		first = config->rates.values[0];
		lowest = first < LIST_RATE_UNIT ? first : LIST_RATE_UNIT;
	} else if (requests < highest) {
		highest = requests;
	}
	saturate_init(search, first, lowest, highest);
}

static const struct expect *
unmet(const struct row *row)
{
	const struct config *config = row->cell.config;

	return expect_unmet(config->expects, config->expects_len, &row->summary);
}

/* good_answers: a server that refuses quickly is not a fast one. */
static uint64_t
good_answers(const struct summary *summary)
{
	return summary->complete -
	       (summary->errors - summary->failures[FAILURE_CONNECT] - summary->failures[FAILURE_TLS]);
}

double
knee_throughput(const struct row *row)
{
	double seconds = (double)row->summary.duration_ns / (double)NS_PER_SEC;

	return seconds > 0 ? (double)good_answers(&row->summary) / seconds : 0;
}

/*
 * keeps_up tells whether the server answers an open loop as fast as it is asked.  Beyond the rate that it can do, what it
 * answers varies by chance, and the best of these rates would say nothing.  What was due in the last
 * moments can have no answer yet: as many requests as come in the median time of one.
 */
static bool
keeps_up(const struct row *row)
{
	const struct summary *summary = &row->summary;
	double due = (double)(summary->complete + summary->unfinished + summary->missed);
	double recent = summary->rps_due * (double)summary->service_p50_ns / (double)NS_PER_SEC;

	return !row->cell.open_loop || (double)good_answers(summary) + recent >= KEPT_SHARE * due;
}

/* step_of judges what a load came to. */
static struct step
step_of(const struct row *row, uint64_t load)
{
	if (!row->measured || row->broken)
		return (struct step){.load = load};
	return (struct step){
	    .load = load,
	    .throughput = knee_throughput(row),
	    .holds = unmet(row) == NULL && keeps_up(row),
	};
}

double
knee_load(const struct row *row)
{
	return row->cell.open_loop ? row->cell.ramp.from : row->cell.concurrency;
}

static int
compare_loads(const void *a, const void *b)
{
	double left = knee_load(a), right = knee_load(b);

	return (left > right) - (left < right);
}

/* row_of finds the step's row; NULL for no step. */
static const struct row *
row_of(const struct sweep *sweep, const struct knee *knee, const struct step *step)
{
	const struct row *rows = &sweep->rows[knee->first];
	double load;

	if (step == NULL)
		return NULL;
	load = (double)step->load / (sweep->config->rates.len > 0 ? LIST_RATE_UNIT : 1);
	for (size_t i = 0; i < knee->len; i++)
		if (fabs(knee_load(&rows[i]) - load) < 0.5 / LIST_RATE_UNIT)
			return &rows[i];
	return NULL;
}

static void
conclude(struct sweep *sweep, struct knee *knee, const struct saturate *search)
{
	qsort(&sweep->rows[knee->first], knee->len, sizeof(*sweep->rows), compare_loads);
	knee->end = interrupt_seen() ? SATURATE_CLIMBING : search->end;
	knee->row = row_of(sweep, knee, saturate_knee(search));
	knee->best = row_of(sweep, knee, saturate_best(search));
	knee->beyond = row_of(sweep, knee, saturate_beyond(search));
}

/* find_knee searches for one. Returns whether the run goes on. */
static bool
find_knee(struct sweep *sweep, size_t variant, struct progress *progress)
{
	const struct config *config = sweep->config;
	size_t target = variant % sweep->targets_len;
	struct knee *knee = &sweep->knees[sweep->knees_len];
	struct saturate search;
	bool go_on = true, any = true;
	uint64_t load;

	if (sweep->down[target])
		return true;
	begin_search(&search, sweep);
	knee->first = sweep->rows_len;
	while (any && !interrupt_seen() && (load = saturate_next(&search)) != 0) {
		struct row *row = config_open_loop(config)
				      ? sweep_add_row(sweep, variant, config->concurrency.values[0], load)
				      : sweep_add_row(sweep, variant, load, 0);
		struct step step;

		go_on = measure_row(sweep, row, 0, progress);
		progress_cell_end(progress);
		step = step_of(row, load);
		if (!interrupt_seen())
			saturate_record(&search, &step);
		/* Where the server broke down under more than it could take before, the search goes on below. */
		any = !row->broken || search.len > 1;
		if (row->broken && any) {
			sweep->down[target] = false;
			go_on = true;
		}
	}
	knee->len = sweep->rows_len - knee->first;
	sweep->knees_len++;
	conclude(sweep, knee, &search);
	return go_on && !interrupt_seen();
}

bool
knee_doubtful(const struct row *row)
{
	const struct check *checks = row->summary.checks;

	return checks[CHECK_CPU].state == CHECK_FAILED || checks[CHECK_LAG].state == CHECK_FAILED ||
	       checks[CHECK_PAUSED].state == CHECK_FAILED;
}

/* judge takes note of what decides about the exit status, and says it where no report does. */
static void
judge(struct sweep *sweep, const struct knee *knee)
{
	char text[KNEE_TEXT_MAX];

	if (knee->end == SATURATE_CLIMBING)
		return;
	if (knee->row != NULL) {
		sweep->failed |= knee->row->summary.failed > 0;
		sweep->doubtful |= knee_doubtful(knee->row) || knee_doubtful(knee->best);
		return;
	}
	if (knee->beyond != NULL && knee->beyond->measured)
		sweep->unmet = true;
	else
		sweep->failed = true;
	if (sweep->config->data_on_stdout) {
		knee_describe(sweep, knee, text);
		complain("%s: %s", knee_cell(sweep, knee)->target->url, text);
	}
}

void
knee_find_all(struct sweep *sweep, struct progress *progress)
{
	bool go_on = true;

	for (size_t i = 0; i < sweep->variants_len && go_on; i++)
		go_on = find_knee(sweep, i, progress);
	for (size_t i = 0; i < sweep->knees_len; i++)
		judge(sweep, &sweep->knees[i]);
}

const struct cell *
knee_cell(const struct sweep *sweep, const struct knee *knee)
{
	return &sweep->rows[knee->first].cell;
}

const char *
knee_end_name(const struct knee *knee)
{
	switch (knee->end) {
	case SATURATE_CLIMBING:
		break;
	case SATURATE_FLAT:
		return "flat";
	case SATURATE_BROKEN:
		return "broken";
	case SATURATE_LIMIT:
		return "limit";
	}
	return "interrupted";
}

/* place writes the load of ROW: "1 connection", "300 requests/s". */
static const char *
place(const struct row *row, char text[PLACE_MAX])
{
	double load = knee_load(row);

	snprintf(text, PLACE_MAX, "%.9g %s", load,
	    row->cell.open_loop ? "requests/s"
	    : load > 1          ? "connections"
				: "connection");
	return text;
}

/* figure writes four digits of VALUE, or all that stand before the point: "198.2", "45210". */
static const char *
figure(double value, char text[FIGURE_MAX])
{
	snprintf(text, FIGURE_MAX, value >= 1000 ? "%.0f" : "%.4g", value);
	return text;
}

/* all_good tells whether each answer of ROW was a good one, so that nothing needs to be said of the kind. */
static bool
all_good(const struct row *row)
{
	return good_answers(&row->summary) == row->summary.complete;
}

/* answered writes how many good answers ROW got: "198.2 requests/s". */
static const char *
answered(const struct row *row, char text[PLACE_MAX])
{
	char rps[FIGURE_MAX];

	figure(knee_throughput(row), rps);
	if (row->cell.open_loop)
		snprintf(text, PLACE_MAX, "%s of them answered%s", rps, all_good(row) ? "" : " with 2xx");
	else
		snprintf(text, PLACE_MAX, "%s requests/s%s", rps, all_good(row) ? "" : " answered with 2xx");
	return text;
}

/* describe_beyond writes why the step BEYOND does not count, behind the words BEFORE. Returns how long that is. */
static int
describe_beyond(const struct row *beyond, const char *before, char *text, size_t size)
{
	const struct expect *expect = beyond->measured ? unmet(beyond) : NULL;
	char where[PLACE_MAX], rps[FIGURE_MAX], was[EXPECT_FIGURE_MAX];
	double measured;

	place(beyond, where);
	if (expect == NULL && beyond->measured && !beyond->broken)
		return snprintf(text, size, "%sthe server does not keep up with %s: it answered %s of them%s.", before,
		    where, figure(knee_throughput(beyond), rps), all_good(beyond) ? "" : " with 2xx");
	if (expect == NULL)
		return snprintf(text, size, "%sthe run broke off at %s.", before, where);
	(void)expect_holds(expect, &beyond->summary, &measured);
	expect_format(expect, measured, was, sizeof(was));
	return snprintf(text, size, "%s%s does not hold at %s: it was %s.", before, expect->text, where, was);
}

static void
describe_none(const struct sweep *sweep, const struct knee *knee, char *text)
{
	const struct row *last = &sweep->rows[knee->first + knee->len - 1];
	char where[PLACE_MAX];

	if (knee->end == SATURATE_CLIMBING)
		snprintf(text, KNEE_TEXT_MAX, "The search for the knee was interrupted.");
	else if (knee->beyond != NULL)
		describe_beyond(knee->beyond, "No knee: ", text, KNEE_TEXT_MAX);
	else
		snprintf(text, KNEE_TEXT_MAX, "No knee: no answer was good (2xx), up to %s.", place(last, where));
}

void
knee_describe(const struct sweep *sweep, const struct knee *knee, char *text)
{
	const struct row *row = knee->row;
	const char *more = row != NULL && row->cell.open_loop ? "Higher rates" : "More connections";
	char where[PLACE_MAX], rate[PLACE_MAX], p99[FIGURE_MAX];
	int len;

	if (row == NULL || knee->end == SATURATE_CLIMBING) {
		describe_none(sweep, knee, text);
		return;
	}
	len = snprintf(text, KNEE_TEXT_MAX, "Knee at %s: %s, p99 %s ms.", place(row, where), answered(row, rate),
	    figure(summary_ms((double)row->summary.percentiles[99]), p99));
	text += len;
	if (knee->end == SATURATE_LIMIT)
		snprintf(text, KNEE_TEXT_MAX - (size_t)len,
		    " Throughput still grew at %s, the most that could be tried: the true knee may lie higher.",
		    place(&sweep->rows[knee->first + knee->len - 1], where));
	else if (knee->end == SATURATE_BROKEN && knee->beyond != NULL)
		describe_beyond(knee->beyond, " Beyond, ", text, KNEE_TEXT_MAX - (size_t)len);
	else if (knee->best == row)
		snprintf(text, KNEE_TEXT_MAX - (size_t)len, " %s bring no more.", more);
	else
		snprintf(text, KNEE_TEXT_MAX - (size_t)len, " %s bring no more than %s (at %s).", more,
		    answered(knee->best, rate), place(knee->best, where));
}
