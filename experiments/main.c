/* lab: starts servers, loads them cell by cell, and turns the numbers into tables, plots and answers. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/options.h"
#include "common/version.h"
#include "experiments/compare.h"
#include "experiments/find.h"
#include "experiments/memory.h"
#include "experiments/report.h"
#include "experiments/run.h"
#include "experiments/scheduler.h"
#include "experiments/store.h"
#include "experiments/table.h"

#define RESULTS "results"

struct config {
	struct run_options run;
	int64_t threshold; /* percent */
};

#define ROW_RESULTS \
	{ \
		.type = OPTION_STRING, .name = "results", .argument = "DIR", \
		.help = "Folder of lab.sqlite and the reports (results).", \
		.offset = offsetof(struct config, run.results) \
	}
#define ROW_NO_PLOTS \
	{ \
		.type = OPTION_FLAG, .name = "no-plots", .help = "Draw no plots, and need no gnuplot.", \
		.offset = offsetof(struct config, run.no_plots) \
	}
#define ROWS_END \
	{.type = OPTION_HELP, .short_name = 'h', .name = "help", .help = "Print this and exit."}, \
	    {.type = OPTION_VERSION, .short_name = 'V', .name = "version", .help = "Print the version and exit."}, \
	{ \
		.type = OPTION_END \
	}

static const struct option_row run_rows[] = {
    {.type = OPTION_INT,
	.short_name = 'j',
	.name = "jobs",
	.argument = "N",
	.help = "Cells measured at the same time, 1 to 64 (four a CPU, 16 at most).",
	.offset = offsetof(struct config, run.jobs),
	.min = 1,
	.max = SCHEDULER_JOBS_MAX},
    ROW_RESULTS,
    ROW_NO_PLOTS,
    {.type = OPTION_FLAG,
	.short_name = 'q',
	.name = "quiet",
	.help = "Say nothing of the progress.",
	.offset = offsetof(struct config, run.quiet)},
    ROWS_END,
};

static const struct option_row report_rows[] = {ROW_RESULTS, ROW_NO_PLOTS, ROWS_END};
static const struct option_row list_rows[] = {ROW_RESULTS, ROWS_END};

static const struct option_row compare_rows[] = {
    {.type = OPTION_INT,
	.name = "threshold",
	.argument = "PERCENT",
	.help = "Mark cells that differ by more than this, 0 to 1000 (5).",
	.offset = offsetof(struct config, threshold),
	.min = 0,
	.max = 1000},
    ROW_RESULTS,
    ROWS_END,
};

static const struct option_row lab_rows[] = {ROWS_END};

static const struct options_program lab_program = {
    .name = "lab",
    .synopsis = "run NAME|FILE... | list | report [RUN] | compare RUN RUN",
    .summary = "Measures servers the way an experiment's file says: starts them, loads them with loadgen, stores every "
	       "number, and makes tables, plots and a report.",
    .rows = lab_rows,
    .footer = "Commands, each with its own --help:\n"
	      "  run NAME|FILE...   measure experiments: task7 task8 task9, or all\n"
	      "  list               the experiments there are, and the runs that are stored\n"
	      "  report [RUN]       make the report of a stored run again (the latest)\n"
	      "  compare RUN RUN    two runs beside each other, cell by cell\n\n"
	      "  lab run task7 task8 task9\n",
};

static const struct options_program run_program = {
    .name = "lab run",
    .synopsis = "[options] NAME|FILE... | all",
    .summary = "Measures experiments, stores every cell, prints the tables, and writes a folder with the report.",
    .rows = run_rows,
    .footer = "  lab run task7 task8 task9\n  lab run --jobs 1 task7\n  lab run ./mine.ini\n",
};

static const struct options_program list_program = {
    .name = "lab list",
    .synopsis = "[options]",
    .summary = "Lists the experiments there are, and the runs that are stored.",
    .rows = list_rows,
};

static const struct options_program report_program = {
    .name = "lab report",
    .synopsis = "[options] [RUN]",
    .summary = "Makes the report of a stored run again, of the latest when none is named, and prints its tables.",
    .rows = report_rows,
};

static const struct options_program compare_program = {
    .name = "lab compare",
    .synopsis = "[options] RUN RUN",
    .summary =
	"Prints two stored runs beside each other, cell by cell, with ratios. `latest` names the last one. Exit status "
	"1 when a cell differs by more than the threshold.",
    .rows = compare_rows,
};

/* join writes the command line so that a shell reads the same arguments again. */
static char *
join(int argc, char **argv)
{
	struct text line = {0};

	text_add(&line, "lab");
	for (int i = 1; i < argc; i++) {
		text_add(&line, " ");
		text_add_shell(&line, argv[i]);
	}
	return line.at;
}

static int
command_run(struct config *config, int count, char **what)
{
	if (count == 0)
		options_fail(&run_program, "which experiment? give names or files, or all; lab list shows the names");
	return run_experiments(&config->run, what, (size_t)count);
}

static void
print_run(void *context, const char *name, const char *state, int cells, const char *experiments)
{
	int *count = context;

	if ((*count)++ == 0)
		printf("\n%-24s %-12s %5s  %s\n", "Run", "State", "Cells", "Experiments");
	printf("%-24s %-12s %5d  %s\n", name, state, cells, experiments);
}

/* open_store opens the store of RESULTS; where there is none yet, that is told. */
static struct store *
open_store(const char *results, char *error)
{
	char *path = memory_print("%s/lab.sqlite", results);
	struct store *store = store_open(path, false, error);

	free(path);
	return store;
}

static int
command_list(struct config *config, int count, char **what)
{
	char error[DEFINITION_ERROR_MAX];
	char *bin, *folder, **names;
	struct store *store;
	size_t names_count;
	int runs = 0, status = EXIT_OK;

	if (count > 0)
		options_fail(&list_program, "takes no names; lab run %s runs it", what[0]);
	bin = find_bin();
	folder = find_experiments(bin);
	names = find_names(folder, &names_count);
	printf("%-24s %s\n", "Experiment", "Title");
	for (size_t i = 0; i < names_count; i++) {
		struct experiment experiment;
		int found = find_definition(&experiment, folder, names[i], error);

		printf("%-24s %s\n", names[i], found == 0 ? experiment.title : error);
		if (found == 0)
			definition_deinit(&experiment);
		free(names[i]);
	}
	free(names);
	free(folder);
	free(bin);
	store = open_store(config->run.results, error);
	if (store != NULL && store_list(store, print_run, &runs, error) != 0) {
		fprintf(stderr, "lab: %s\n", error);
		status = EXIT_WORLD;
	}
	store_close(store);
	return status;
}

/* load_run loads the stored run NAME into RECORD, or says why it cannot. */
static int
load_run(const struct config *config, const char *name, struct record *record)
{
	char error[STORE_ERROR_MAX];
	struct store *store = open_store(config->run.results, error);
	int result = store != NULL ? store_load_run(store, name, record, error) : -ENOENT;

	if (result != 0)
		fprintf(stderr, "lab: %s\n", error);
	store_close(store);
	return result == 0 ? EXIT_OK : result == -ENOENT ? EXIT_CALLER : EXIT_WORLD;
}

static int
command_report(struct config *config, int count, char **what)
{
	struct keeper keeper = {0};
	struct text tables = {0};
	struct record *record;
	char error[REPORT_ERROR_MAX];
	int status;

	if (count > 1)
		options_fail(&report_program, "one run at a time; lab list shows the runs");
	record = memory_new(1, sizeof(*record));
	status = load_run(config, count == 1 ? what[0] : "latest", record);
	if (status == EXIT_OK &&
	    report_write(record, &keeper, config->run.results, !config->run.no_plots, error) != 0) {
		fprintf(stderr, "lab: %s\n", error);
		status = EXIT_WORLD;
	}
	if (status == EXIT_OK) {
		table_add_run(&tables, record);
		printf("%sReport: %s/%s/report.html\n", text_string(&tables), config->run.results, record->name);
		text_deinit(&tables);
	}
	record_deinit(record);
	free(record);
	return status;
}

static int
command_compare(struct config *config, int count, char **what)
{
	struct record *a, *b;
	struct text table = {0};
	size_t shared, marked;
	int status;

	if (count != 2)
		options_fail(&compare_program,
		    "give two runs, as in lab compare 2026-11-21_10-00-00 latest; lab list shows the runs");
	a = memory_new(1, sizeof(*a));
	b = memory_new(1, sizeof(*b));
	status = load_run(config, what[0], a);
	if (status == EXIT_OK)
		status = load_run(config, what[1], b);
	if (status == EXIT_OK) {
		marked = compare_add(&table, a, b, (double)config->threshold / 100, &shared);
		fputs(text_string(&table), stdout);
		status = marked > 0 || shared == 0 ? EXIT_WORLD : EXIT_OK;
	}
	text_deinit(&table);
	record_deinit(a);
	record_deinit(b);
	free(a);
	free(b);
	return status;
}

static const struct command {
	const char *name;
	const struct options_program *program;
	int (*run)(struct config *config, int count, char **what);
} commands[] = {
    {"run", &run_program, command_run},
    {"list", &list_program, command_list},
    {"report", &report_program, command_report},
    {"compare", &compare_program, command_compare},
};

int
main(int argc, char **argv)
{
	char *command = join(argc, argv);
	struct config config = {.run = {.results = RESULTS, .command = command}, .threshold = 5};
	int status;

	for (size_t i = 0; argc > 1 && i < ARRAY_LEN(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0) {
			int first = options_parse(commands[i].program, &config, argc - 1, argv + 1) + 1;

			status = commands[i].run(&config, argc - first, argv + first);
			free(command);
			return status;
		}
	options_parse(&lab_program, &config, argc, argv);
	if (argc > 1)
		options_fail(&lab_program, "unknown command %s; use run, list, report or compare", argv[1]);
	options_fail(
	    &lab_program, "which command? use run, list, report or compare; lab run task7 task8 task9 runs the lab");
}
