/* Definitions -> the cells to measure, each once, and the series that tables and plots show. */
#include "experiments/plan.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "experiments/ideal.h"
#include "experiments/memory.h"

static const struct experiment *
find_experiment(const struct plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->experiment_count; i++)
		if (strcmp(plan->experiments[i].name, name) == 0)
			return &plan->experiments[i];
	return NULL;
}

int
plan_add(struct plan *plan, struct experiment *experiment, char *error)
{
	if (find_experiment(plan, experiment->name) != NULL)
		snprintf(error, DEFINITION_ERROR_MAX, "experiment %s was given twice", experiment->name);
	else if (plan->experiment_count == EXPERIMENTS_MAX)
		snprintf(
		    error, DEFINITION_ERROR_MAX, "too many experiments for one run; use at most %d", EXPERIMENTS_MAX);
	else {
		plan->experiments[plan->experiment_count++] = *experiment;
		plan->asked = plan->experiment_count;
		*experiment = (struct experiment){0};
		return 0;
	}
	definition_deinit(experiment);
	return -EINVAL;
}

/* load_lenders loads the experiments that a `from` names and the plan has not. */
static int
load_lenders(struct plan *plan, plan_find_fn *find, void *context, char *error)
{
	for (size_t i = 0; i < plan->asked; i++) {
		const struct experiment *experiment = &plan->experiments[i];

		for (size_t s = 0; s < experiment->server_count; s++) {
			const char *from = experiment->servers[s].from;
			char name[256];
			int result;

			if (from == NULL)
				continue;
			snprintf(name, sizeof(name), "%.*s", (int)strcspn(from, "/"), from);
			if (find_experiment(plan, name) != NULL)
				continue;
			if (plan->experiment_count == EXPERIMENTS_MAX) {
				snprintf(error, DEFINITION_ERROR_MAX,
				    "too many experiments for one run; use at most %d", EXPERIMENTS_MAX);
				return -EINVAL;
			}
			result = find(&plan->experiments[plan->experiment_count], experiment, name, context, error);
			if (result != 0)
				return result;
			plan->experiment_count++;
		}
	}
	return 0;
}

/* find_origin finds the section with the command: SERVER itself, or the one its `from` names. */
static int
find_origin(const struct plan *plan, const struct experiment **experiment, const struct server **server, char *error)
{
	const struct experiment *by = *experiment;
	const struct server *section = *server;
	char name[256];

	if (section->from == NULL)
		return 0;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(section->from, "/"), section->from);
	*experiment = find_experiment(plan, name);
	*server = *experiment != NULL ? definition_server(*experiment, strchr(section->from, '/') + 1) : NULL;
	if (*server != NULL && (*server)->from == NULL)
		return 0;
	snprintf(error, DEFINITION_ERROR_MAX, "%s/%s.ini:%d: from = %s: %s", by->folder, by->name, section->line,
	    section->from,
	    *server == NULL ? "there is no such server" : "that server has a from itself; name the one it takes");
	return -EINVAL;
}

/* add_cell returns the index of the cell, which is new unless the same was there before. */
static size_t
add_cell(struct plan *plan, struct cell cell)
{
	for (size_t i = 0; i < plan->cell_count; i++) {
		const struct cell *other = &plan->cells[i];

		if (other->server == cell.server && other->sleep_s == cell.sleep_s &&
		    other->concurrency == cell.concurrency && other->requests == cell.requests)
			return i;
	}
	plan->cells = memory_grow(plan->cells, plan->cell_count + 1, sizeof(*plan->cells));
	plan->cells[plan->cell_count] = cell;
	result_init(&plan->cells[plan->cell_count].result);
	return plan->cell_count++;
}

static int
add_series(struct plan *plan, const struct experiment *experiment, size_t section, char *error)
{
	const struct experiment *owner = experiment;
	const struct server *server = &experiment->servers[section], *origin = server;
	struct series *series;

	if (find_origin(plan, &owner, &origin, error) != 0)
		return -EINVAL;
	plan->series = memory_grow(plan->series, plan->series_count + 1, sizeof(*plan->series));
	series = &plan->series[plan->series_count++];
	*series = (struct series){.experiment = experiment, .server = server, .origin = origin};
	series->style = (int)(server->style != 0   ? server->style
			      : origin->style != 0 ? origin->style
						   : (int64_t)section + 1);
	series->label = server->label != NULL ? server->label : origin->label;
	for (size_t i = 0; i < experiment->value_count; i++)
		series->cells[i] =
		    add_cell(plan, (struct cell){
				       .experiment = owner,
				       .server = origin,
				       .sleep_s = definition_sleep(experiment, experiment->values[i]),
				       .concurrency = definition_concurrency(experiment, experiment->values[i]),
				       .requests = experiment->requests,
				   });
	return 0;
}

int
plan_complete(struct plan *plan, plan_find_fn *find, void *context, char *error)
{
	int result = load_lenders(plan, find, context, error);

	for (size_t i = 0; result == 0 && i < plan->asked; i++)
		for (size_t s = 0; result == 0 && s < plan->experiments[i].server_count; s++)
			result = add_series(plan, &plan->experiments[i], s, error);
	return result;
}

void
plan_deinit(struct plan *plan)
{
	for (size_t i = 0; i < plan->cell_count; i++)
		result_deinit(&plan->cells[i].result);
	for (size_t i = 0; i < plan->experiment_count; i++)
		definition_deinit(&plan->experiments[i]);
	free(plan->cells);
	free(plan->series);
	*plan = (struct plan){0};
}

const struct cell *
plan_cell(const struct plan *plan, const struct series *series, size_t value)
{
	return &plan->cells[series->cells[value]];
}

const char *
plan_cell_name(const struct cell *cell, char *name, size_t size)
{
	if (cell->experiment->vary == VARY_SLEEP)
		snprintf(name, size, "%s %s S=%g", cell->experiment->name, cell->server->name, cell->sleep_s);
	else
		snprintf(name, size, "%s %s c=%d", cell->experiment->name, cell->server->name, cell->concurrency);
	return name;
}

double
plan_cell_expected_s(const struct cell *cell)
{
	double duration = ideal_duration_s(cell->server, cell->sleep_s, cell->concurrency, cell->requests);

	return isnan(duration) ? ceil((double)cell->requests / cell->concurrency) * cell->sleep_s : duration;
}
