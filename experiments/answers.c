/* The lab's questions, answered by sentences that are computed from the numbers just measured. */
#include "experiments/answers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "experiments/ideal.h"
#include "experiments/memory.h"
#include "experiments/points.h"
#include "experiments/text.h"

/* Exponents k of y ~ x^k: from here on y grows about as x does, and up to here it stays as it is. */
#define PROPORTIONAL 0.8
#define FLAT 0.2
/* A request's time for each second more of waiting: up to here it pays for its own wait only. */
#define OWN_WAIT_ONLY 1.5
#define HARDLY_ANY_WAIT 0.2
/* Of the whole queue's waits: from here on it pays for all of them. */
#define WHOLE_QUEUE 0.8
/* Two throughputs this close are the same. */
#define SAME 0.05

static void
add_rps(struct text *text, double rps)
{
	text_add(text, rps < 100 ? "%.2f" : "%.1f", rps);
}

static void
add_ms(struct text *text, double ms)
{
	text_add(text, ms < 1000 ? "%.1f ms" : "%.0f ms", ms);
}

/* tidy makes a number that would be printed as -0.00 a plain zero. */
static double
tidy(double number)
{
	return fabs(number) < 0.005 ? 0 : number;
}

/* growth_word says how y follows x, by the exponent. */
static const char *
growth_word(double exponent)
{
	if (exponent >= 1 / PROPORTIONAL)
		return "grows more than in proportion";
	if (exponent >= PROPORTIONAL)
		return "grows almost in proportion";
	if (exponent >= FLAT)
		return "grows, but less than in proportion";
	if (exponent > -FLAT)
		return "stays about the same";
	return "falls";
}

static const char *
concurrency_conclusion(double rps_exponent, double time_exponent)
{
	if (rps_exponent <= -FLAT)
		return "More concurrency harms it.";
	if (rps_exponent >= FLAT && time_exponent < FLAT)
		return "The requests wait at the same time: more of them at once means more throughput, at hardly more "
		       "time each.";
	if (rps_exponent < FLAT && time_exponent >= PROPORTIONAL)
		return "The requests stand in a queue: more concurrency makes the queue longer, and nothing faster.";
	if (rps_exponent >= FLAT)
		return "More concurrency buys throughput, and each request pays for it with time.";
	return "More concurrency changes little here.";
}

/* formula names the ideal's formula, as the guide to the lab has it. */
static const char *
formula(const struct server *server)
{
	if (server->ideal == IDEAL_LOOP)
		return "n / (ceil(n/c) S)";
	if (server->ideal == IDEAL_WORKERS)
		return server->workers == 1 ? "w / S" : "n / (ceil(n/m) S), m = min(w, c)";
	return "1 / S";
}

/* add_ideal says what part of the ideal the last point reaches. */
static void
add_ideal(struct text *text, const struct points *points, const struct series *series, const char *where)
{
	size_t last = points->count - 1;

	if (isnan(points->ideal_rps[last]))
		return;
	text_add(
	    text, " At %s it reaches %.1f%% of the ideal ", where, 100 * points->rps[last] / points->ideal_rps[last]);
	add_rps(text, points->ideal_rps[last]);
	text_add(text, " requests per second (%s).", formula(series->origin));
}

static void
answer_concurrency(struct text *text, const struct points *points, const struct series *series)
{
	size_t last = points->count - 1;
	double rps_exponent = points_exponent(points->x, points->rps, points->count);
	double time_exponent = points_exponent(points->x, points->time_ms, points->count);
	char where[64];

	text_add(text, "Throughput %s: ", growth_word(rps_exponent));
	add_rps(text, points->rps[0]);
	text_add(text, " requests per second at concurrency %g, ", points->x[0]);
	add_rps(text, points->rps[last]);
	text_add(text, " at %g (%.1f times the concurrency, %.2f times the throughput; fitted exponent %.2f).",
	    points->x[last], points->x[last] / points->x[0], points->rps[last] / points->rps[0], tidy(rps_exponent));
	text_add(text, " The mean time per request %s, from ", growth_word(time_exponent));
	add_ms(text, points->time_ms[0]);
	text_add(text, " to ");
	add_ms(text, points->time_ms[last]);
	text_add(
	    text, " (exponent %.2f). %s", tidy(time_exponent), concurrency_conclusion(rps_exponent, time_exponent));
	snprintf(where, sizeof(where), "concurrency %g", points->x[last]);
	add_ideal(text, points, series, where);
}

/* add_wait_conclusion: COST is what each millisecond of waiting adds to a request's time. */
static void
add_wait_conclusion(struct text *text, double cost, int64_t concurrency)
{
	if (cost < -HARDLY_ANY_WAIT)
		text_add(text, "A longer wait makes its requests faster: something other than the wait decides here.");
	else if (cost < HARDLY_ANY_WAIT)
		text_add(text, "The wait hardly shows.");
	else if (cost <= OWN_WAIT_ONLY)
		text_add(text, "A request pays for its own wait and nobody else's: the waits of the others pass at the "
			       "same time.");
	else if (cost >= WHOLE_QUEUE * (double)concurrency)
		text_add(text, "A request pays for the waits of all %lld requests in the queue, one after another.",
		    (long long)concurrency);
	else
		text_add(text,
		    "A request pays for its own wait %.1f times: some waits pass at the same time, others queue.",
		    cost);
}

static void
answer_wait(struct text *text, const struct points *points, const struct series *series)
{
	size_t last = points->count - 1;
	double cost = points_slope(points->x, points->time_ms, points->count) / 1000;
	double ideal = points_slope(points->x, points->ideal_time_ms, points->count) / 1000;
	char where[64];

	text_add(text, "As the wait grows from %g to %g s, the mean time per request goes from ", points->x[0],
	    points->x[last]);
	add_ms(text, points->time_ms[0]);
	text_add(text, " to ");
	add_ms(text, points->time_ms[last]);
	text_add(text, ": each 100 ms more of waiting cost %.1f ms", 100 * cost);
	if (!isnan(ideal))
		text_add(text, " (ideal: %.1f ms)", 100 * ideal);
	text_add(text, ". Throughput goes from ");
	add_rps(text, points->rps[0]);
	text_add(text, " to ");
	add_rps(text, points->rps[last]);
	text_add(text, " requests per second (fitted exponent %.2f). ",
	    tidy(points_exponent(points->x, points->rps, points->count)));
	add_wait_conclusion(text, cost, series->experiment->concurrency);
	snprintf(where, sizeof(where), "a wait of %g s", points->x[last]);
	add_ideal(text, points, series, where);
}

/* series_of_kind finds the series number NTH (or the last before it) of EXPERIMENT with the ideal KIND; NULL: none. */
static const struct series *
series_of_kind(const struct plan *plan, const struct experiment *experiment, enum ideal_kind kind, size_t nth)
{
	const struct series *found = NULL;

	for (size_t i = 0, seen = 0; i < plan->series_count && seen <= nth; i++)
		if (plan->series[i].experiment == experiment && plan->series[i].origin->ideal == kind) {
			found = &plan->series[i];
			seen++;
		}
	return found;
}

/* last_shared finds the largest x that both have; false when there is none. */
static bool
last_shared(const struct points *a, const struct points *b, size_t *in_a, size_t *in_b)
{
	for (size_t i = a->count; i-- > 0;)
		for (size_t j = b->count; j-- > 0;)
			if (a->x[i] == b->x[j]) {
				*in_a = i;
				*in_b = j;
				return true;
			}
	return false;
}

/* add_beside_loop compares the blocked loop with the same loop that is not blocked. */
static void
add_beside_loop(struct text *text, const struct points *blocked, const struct points *loop)
{
	size_t b, l;
	double fewer;

	if (!last_shared(blocked, loop, &b, &l)) {
		text_add(text, "There is no cell of the unblocked loop to compare with.");
		return;
	}
	fewer = loop->rps[l] / blocked->rps[b];
	if (fewer < 1 + SAME)
		text_add(text, "The blocking call did not slow the event loop: at concurrency %g it answers ",
		    blocked->x[b]);
	else if (fewer < 2)
		text_add(text, "The blocking call slows the event loop: at concurrency %g it answers ", blocked->x[b]);
	else
		text_add(text,
		    "A blocking call stops the whole event loop while it lasts: at concurrency %g it answers ",
		    blocked->x[b]);
	add_rps(text, blocked->rps[b]);
	text_add(text, " requests per second, and ");
	add_rps(text, loop->rps[l]);
	text_add(text, " without it (%.1f times as many); a request takes ", fewer);
	add_ms(text, blocked->time_ms[b]);
	text_add(text, ", and ");
	add_ms(text, loop->time_ms[l]);
	text_add(text, " without it.");
}

/* add_beside_workers compares the blocked loop with blocking workers. */
static void
add_beside_workers(
    struct text *text, const struct points *blocked, const struct points *workers, const struct series *series)
{
	size_t b, w;
	double more;

	if (!last_shared(blocked, workers, &b, &w))
		return;
	more = blocked->rps[b] / workers->rps[w] - 1;
	text_add(text, " %s with %lld worker%s answers ", series->label, (long long)series->origin->workers,
	    series->origin->workers == 1 ? "" : "s");
	add_rps(text, workers->rps[w]);
	if (fabs(more) <= SAME)
		text_add(text, ", the same within %.1f%%: a blocked event loop is one blocking worker.",
		    ceil(1000 * fabs(more)) / 10);
	else
		text_add(text, ": the blocked loop answers %.0f%% %s.", 100 * fabs(more), more > 0 ? "more" : "fewer");
}

static void
answer_blocking(
    struct text *text, const struct plan *plan, const struct series *series, const struct points *blocked, size_t nth)
{
	const struct series *loop = series_of_kind(plan, series->experiment, IDEAL_LOOP, nth);
	const struct series *workers = series_of_kind(plan, series->experiment, IDEAL_WORKERS, nth);
	double exponent = points_exponent(blocked->x, blocked->rps, blocked->count);
	struct points other = {0};
	size_t last = blocked->count - 1;

	if (loop != NULL)
		points_of(&other, plan, loop);
	add_beside_loop(text, blocked, &other);
	if (series->experiment->vary == VARY_CONCURRENCY && !isnan(exponent)) {
		text_add(text, " Its throughput %s with concurrency (", growth_word(exponent));
		add_rps(text, blocked->rps[0]);
		text_add(text, " at %g, ", blocked->x[0]);
		add_rps(text, blocked->rps[last]);
		text_add(text, " at %g; exponent %.2f), as %s does.", blocked->x[last], tidy(exponent),
		    fabs(exponent) < FLAT ? "a queue with one server" : "no queue with one server");
	}
	if (workers != NULL) {
		points_of(&other, plan, workers);
		add_beside_workers(text, blocked, &other, workers);
	}
}

struct answers {
	struct answer *at;
	size_t count;
};

/*
 * add_answer takes QUESTION and TEXT. Two experiments that show the same cells would answer the
 * same twice: once will do.
 */
static void
add_answer(struct answers *answers, char *question, struct text *text)
{
	struct answer answer = {.question = question, .text = memory_copy(text_string(text))};

	text_deinit(text);
	for (size_t i = 0; i < answers->count; i++)
		if (strcmp(answers->at[i].question, answer.question) == 0 &&
		    strcmp(answers->at[i].text, answer.text) == 0) {
			free(answer.question);
			free(answer.text);
			return;
		}
	answers->at = memory_grow(answers->at, answers->count + 1, sizeof(*answers->at));
	answers->at[answers->count++] = answer;
}

/* answer_series answers one question about one series. */
static void
answer_series(
    struct answers *answers, const struct plan *plan, const struct series *series, unsigned question, size_t nth)
{
	const char *label = series->label;
	struct points points;
	struct text text = {0};

	points_of(&points, plan, series);
	if (points.count < 2 && !(question == QUESTION_BLOCKING && points.count == 1))
		text_add(&text,
		    "This run cannot tell: only %zu of %zu cells of %s %s measured without a failed request.",
		    points.count, series->experiment->value_count, label, points.count == 1 ? "was" : "were");
	else if (question == QUESTION_CONCURRENCY)
		answer_concurrency(&text, &points, series);
	else if (question == QUESTION_WAIT)
		answer_wait(&text, &points, series);
	else
		answer_blocking(&text, plan, series, &points, nth);
	add_answer(answers,
	    question == QUESTION_CONCURRENCY ? memory_print("How does %s behave as concurrency grows?", label)
	    : question == QUESTION_WAIT      ? memory_print("How does %s behave as the I/O wait grows?", label)
					: memory_print("What does a blocking call do to the event loop (%s)?", label),
	    &text);
}

struct answer *
answers_make(const struct plan *plan, size_t *count)
{
	struct answers answers = {0};

	for (size_t e = 0; e < plan->asked; e++) {
		const struct experiment *experiment = &plan->experiments[e];

		for (unsigned question = QUESTION_CONCURRENCY; question <= QUESTION_BLOCKING; question <<= 1) {
			size_t blocked = 0;

			for (size_t i = 0; i < plan->series_count && (experiment->questions & question); i++) {
				const struct series *series = &plan->series[i];

				if (series->experiment != experiment ||
				    plan_cell(plan, series, 0)->result.state == RESULT_SKIPPED ||
				    (question == QUESTION_BLOCKING ? series->origin->ideal != IDEAL_BLOCKED_LOOP
								   : series->server->hidden))
					continue;
				answer_series(&answers, plan, series, question, blocked);
				blocked += question == QUESTION_BLOCKING;
			}
		}
	}
	*count = answers.count;
	return answers.at;
}

void
answers_free(struct answer *answers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(answers[i].question);
		free(answers[i].text);
	}
	free(answers);
}
