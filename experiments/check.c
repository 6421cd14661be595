/* What is looked at before anything starts: requirements, programs, ports. */
#include "experiments/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "experiments/command.h"
#include "experiments/port.h"
#include "experiments/requires.h"

static void
skip_cell(struct cell *cell, const char *why)
{
	cell->result.state = RESULT_SKIPPED;
	snprintf(cell->result.error, sizeof(cell->result.error), "%s", why);
}

/* skip_server skips every cell of SERVER when something that it requires is missing. */
static void
skip_server(struct plan *plan, const struct experiment *experiment, const struct server *server,
    const struct keeper *keeper, const char *bin)
{
	struct text missing = {0};
	char why[RESULT_ERROR_MAX];

	requires_missing(server->requires, keeper, bin, &missing);
	if (missing.len > 0) {
		snprintf(why, sizeof(why), "needs what is not installed; as root: apt-get install %.300s", missing.at);
		fprintf(stderr, "lab: %s: %s is skipped: it %s\n", experiment->name, server->label, why);
		for (size_t i = 0; i < plan->cell_count; i++)
			if (plan->cells[i].server == server)
				skip_cell(&plan->cells[i], why);
	}
	text_deinit(&missing);
}

/* is_pointless: servers of EXPERIMENT have requirements, and every one of those is skipped. */
static bool
is_pointless(const struct plan *plan, const struct experiment *experiment)
{
	size_t requiring = 0, skipped = 0;

	for (size_t i = 0; i < plan->series_count; i++) {
		const struct series *series = &plan->series[i];

		if (series->experiment != experiment || series->origin->requires == NULL)
			continue;
		requiring++;
		skipped += plan_cell(plan, series, 0)->result.state == RESULT_SKIPPED;
	}
	return requiring > 0 && skipped == requiring;
}

/* is_wanted_elsewhere tells whether an experiment that is not pointless shows the cell too. */
static bool
is_wanted_elsewhere(const struct plan *plan, size_t cell)
{
	for (size_t i = 0; i < plan->series_count; i++)
		for (size_t v = 0; v < plan->series[i].experiment->value_count; v++)
			if (plan->series[i].cells[v] == cell && !is_pointless(plan, plan->series[i].experiment))
				return true;
	return false;
}

static void
skip_experiment(struct plan *plan, const struct experiment *experiment)
{
	fprintf(stderr, "lab: %s is skipped: none of the programs that it compares with is there\n", experiment->name);
	for (size_t i = 0; i < plan->series_count; i++)
		for (size_t v = 0; plan->series[i].experiment == experiment && v < experiment->value_count; v++) {
			size_t cell = plan->series[i].cells[v];

			if (plan->cells[cell].result.state == RESULT_NONE && !is_wanted_elsewhere(plan, cell))
				skip_cell(&plan->cells[cell],
				    "skipped with its experiment: nothing is there to compare it with");
		}
}

void
check_requirements(struct plan *plan, const struct keeper *keeper, const char *bin)
{
	for (size_t e = 0; e < plan->experiment_count; e++)
		for (size_t s = 0; s < plan->experiments[e].server_count; s++)
			if (plan->experiments[e].servers[s].requires != NULL)
				skip_server(plan, &plan->experiments[e], &plan->experiments[e].servers[s], keeper, bin);
	for (size_t e = 0; e < plan->asked; e++)
		if (is_pointless(plan, &plan->experiments[e]))
			skip_experiment(plan, &plan->experiments[e]);
}

static int
check_server(const struct cell *cell, const char *bin, char *error)
{
	const struct server *server = cell->server;
	const struct command_values any = {.host = "127.0.0.1", .bin = bin, .experiments = cell->experiment->folder};
	char why[COMMAND_ERROR_MAX];
	char **argv = command_split(server->command, &any, why);
	char *path = argv != NULL ? command_find(argv[0], bin) : NULL;
	int result = 0;

	if (path == NULL) {
		snprintf(error, CHECK_ERROR_MAX,
		    "the program %.300s of [server %s] in %s is not there; look at its command",
		    argv != NULL ? argv[0] : why, server->name, cell->experiment->name);
		result = -ENOENT;
	} else if (server->port != 0 && !port_is_free("127.0.0.1", (int)server->port)) {
		snprintf(error, CHECK_ERROR_MAX,
		    "port %lld, which %s names for %s, is in use; stop what listens there, or take the port away and "
		    "any free one is used",
		    (long long)server->port, cell->experiment->name, server->name);
		result = -EADDRINUSE;
	}
	command_free(argv);
	free(path);
	return result;
}

int
check_world(const struct plan *plan, const char *bin, bool plots, char **loadgen, char *error)
{
	char *gnuplot = plots ? command_find("gnuplot", ".") : NULL;
	bool no_gnuplot = plots && gnuplot == NULL;
	int result = 0;

	free(gnuplot);
	*loadgen = command_find("loadgen", bin);
	if (*loadgen == NULL) {
		snprintf(error, CHECK_ERROR_MAX, "loadgen is neither in %.500s nor in $PATH; build it with make", bin);
		return -ENOENT;
	}
	if (no_gnuplot) {
		snprintf(error, CHECK_ERROR_MAX,
		    "gnuplot is not installed, and draws the plots; as root: apt-get install gnuplot-nox; or leave "
		    "them out with --no-plots");
		return -ENOENT;
	}
	for (size_t i = 0; i < plan->cell_count && result == 0; i++)
		if (plan->cells[i].result.state == RESULT_NONE)
			result = check_server(&plan->cells[i], bin, error);
	return result;
}
