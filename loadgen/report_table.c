/* A sweep as one table of at most 80 columns: what is compared stands in adjacent rows. */
#include <inttypes.h>
#include <string.h>

#include "common/clock.h"
#include "common/version.h"
#include "loadgen/report.h"

#define WIDTH 80
#define TEXT_MAX 16 /* of one field */

enum column {
	COLUMN_TARGET,
	COLUMN_SLEEP,
	COLUMN_CONCURRENCY,
	COLUMN_COMPLETE,
	COLUMN_FAILED,
	COLUMN_RPS,
	COLUMN_MEAN,
	COLUMN_ALL,
	COLUMN_P50,
	COLUMN_P99,
	COLUMN_MAX,
	COLUMN_RATIO,
	COLUMNS,
};

struct head {
	const char *group; /* ends above this column; may reach over those to the left */
	const char *name;
};

static const struct head heads[COLUMNS] = {
    [COLUMN_TARGET] = {"", ""},
    [COLUMN_SLEEP] = {"", "sleep"},
    [COLUMN_CONCURRENCY] = {"", "c"},
    [COLUMN_COMPLETE] = {"", "done"},
    [COLUMN_FAILED] = {"requests", "failed"},
    [COLUMN_RPS] = {"", "rps"},
    [COLUMN_MEAN] = {"", "mean"},
    [COLUMN_ALL] = {"time/request [ms]", "all"},
    [COLUMN_P50] = {"", "p50"},
    [COLUMN_P99] = {"", "p99"},
    [COLUMN_MAX] = {"latency [ms]", "max"},
    [COLUMN_RATIO] = {"rps", "vs A"},
};

struct table {
	const struct sweep *sweep;
	FILE *out;
	int widths[COLUMNS]; /* 0: the column is left out */
	int gap;
};

/* figure prints four significant digits, without an exponent. */
static void
figure(char *text, double value)
{
	int digits = value >= 1000 ? 0 : value >= 100 ? 1 : value >= 10 ? 2 : 3;

	snprintf(text, TEXT_MAX, "%.*f", digits, value);
}

/* baseline returns the row of the first target that ROW is compared with; NULL: none, or it is that row itself. */
static const struct row *
baseline(const struct sweep *sweep, const struct row *row)
{
	const struct row *first = row - (row - sweep->rows) % (ptrdiff_t)sweep->targets_len;

	return first != row && first->measured && first->summary.rps > 0 ? first : NULL;
}

static void
fill(const struct sweep *sweep, const struct row *row, char texts[COLUMNS][TEXT_MAX])
{
	const struct summary *summary = &row->summary;
	const struct row *base = baseline(sweep, row);

	memset(texts, 0, COLUMNS * TEXT_MAX);
	texts[COLUMN_TARGET][0] = (char)('A' + (row->cell.target - sweep->targets));
	if (row->cell.has_sleep)
		snprintf(texts[COLUMN_SLEEP], TEXT_MAX, "%.6g", (double)row->cell.sleep_ns / (double)NS_PER_SEC);
	snprintf(texts[COLUMN_CONCURRENCY], TEXT_MAX, "%" PRIu32, row->cell.concurrency);
	snprintf(texts[COLUMN_COMPLETE], TEXT_MAX, "%" PRIu64, summary->complete);
	snprintf(texts[COLUMN_FAILED], TEXT_MAX, "%" PRIu64, summary->failed);
	figure(texts[COLUMN_RPS], summary->rps);
	figure(texts[COLUMN_MEAN], summary->time_per_request_ms);
	figure(texts[COLUMN_ALL], summary->time_per_request_all_ms);
	figure(texts[COLUMN_P50], summary_ms((double)summary->percentiles[50]));
	figure(texts[COLUMN_P99], summary_ms((double)summary->percentiles[99]));
	figure(texts[COLUMN_MAX], summary_ms((double)summary->total.max));
	if (base != NULL)
		snprintf(texts[COLUMN_RATIO], TEXT_MAX, "x%.2f", summary->rps / base->summary.rps);
}

static bool
is_wanted(const struct sweep *sweep, int column)
{
	switch (column) {
	case COLUMN_TARGET:
	case COLUMN_RATIO:
		return sweep->targets_len > 1;
	case COLUMN_SLEEP:
		return sweep->config->sleeps.len > 0;
	default:
		return true;
	}
}

/* total_width returns how wide a line is with GAP blanks between columns. */
static int
total_width(const struct table *table, int gap)
{
	int total = -gap;

	for (int i = 0; i < COLUMNS; i++)
		total += table->widths[i] > 0 ? table->widths[i] + gap : 0;
	return total;
}

/* fit_columns makes the lines short enough: narrower gaps first, then without the columns that say least. */
static void
fit_columns(struct table *table)
{
	static const enum column spare[] = {COLUMN_RATIO, COLUMN_P50, COLUMN_ALL};

	table->gap = total_width(table, 2) <= WIDTH ? 2 : 1;
	for (size_t i = 0; i < ARRAY_LEN(spare) && total_width(table, table->gap) > WIDTH; i++)
		table->widths[spare[i]] = 0;
}

/* measure_columns finds how wide each column must be. */
static void
measure_columns(struct table *table)
{
	char texts[COLUMNS][TEXT_MAX];

	for (int i = 0; i < COLUMNS; i++)
		table->widths[i] = is_wanted(table->sweep, i) ? (int)strlen(heads[i].name) : 0;
	table->widths[COLUMN_TARGET] = is_wanted(table->sweep, COLUMN_TARGET);
	for (size_t r = 0; r < table->sweep->rows_len; r++) {
		if (!table->sweep->rows[r].measured)
			continue;
		fill(table->sweep, &table->sweep->rows[r], texts);
		for (int i = 0; i < COLUMNS; i++)
			if (table->widths[i] > 0 && (int)strlen(texts[i]) > table->widths[i])
				table->widths[i] = (int)strlen(texts[i]);
	}
	fit_columns(table);
}

/* print_groups prints the upper line of the head: each group's name ends above its last column. */
static void
print_groups(const struct table *table)
{
	char line[4 * WIDTH];
	int end = 0, used = 0;

	for (int i = 0; i < COLUMNS; i++) {
		int start;

		if (table->widths[i] == 0)
			continue;
		end += (end > 0 ? table->gap : 0) + table->widths[i];
		if (heads[i].group[0] == '\0' || end >= (int)sizeof(line))
			continue;
		start = end - (int)strlen(heads[i].group);
		if (start < used)
			start = used;
		used += snprintf(line + used, sizeof(line) - (size_t)used, "%*s%s ", start - used, "", heads[i].group);
	}
	fprintf(table->out, "%.*s\n", used - 1, line);
}

static void
print_line(const struct table *table, const char *const texts[COLUMNS])
{
	bool first = true;

	for (int i = 0; i < COLUMNS; i++) {
		if (table->widths[i] == 0)
			continue;
		/* Nothing behind the last text of a line. */
		if (i == COLUMN_RATIO && texts[i][0] == '\0')
			break;
		fprintf(table->out, "%*s%*s", first ? 0 : table->gap, "", table->widths[i], texts[i]);
		first = false;
	}
	fputc('\n', table->out);
}

static void
print_rows(const struct table *table)
{
	const struct sweep *sweep = table->sweep;
	const char *line[COLUMNS];
	bool begun = false;

	for (int i = 0; i < COLUMNS; i++)
		line[i] = heads[i].name;
	print_groups(table);
	print_line(table, line);
	for (size_t r = 0; r < sweep->rows_len; r++) {
		char texts[COLUMNS][TEXT_MAX];

		if (begun && sweep->targets_len > 1 && r % sweep->targets_len == 0)
			fputc('\n', table->out);
		begun = sweep->rows[r].measured;
		if (!begun)
			continue;
		fill(sweep, &sweep->rows[r], texts);
		for (int i = 0; i < COLUMNS; i++)
			line[i] = texts[i];
		print_line(table, line);
	}
}

/* print_targets names the targets: the table itself has room for a letter only. */
static void
print_targets(const struct sweep *sweep, FILE *out)
{
	for (size_t i = 0; i < sweep->targets_len; i++) {
		const char *url = sweep->targets[i].url, *server = "";
		int room = WIDTH - 3;

		for (size_t r = i; r < sweep->rows_len; r += sweep->targets_len)
			if (server[0] == '\0' && sweep->rows[r].measured)
				server = sweep->rows[r].summary.server;
		if (sweep->targets_len > 1)
			fprintf(out, "%c  ", (char)('A' + i));
		if ((int)(strlen(url) + 2 + strlen(server)) > room)
			server = "";
		if ((int)strlen(url) > room)
			fprintf(out, "%.*s...\n", room - 3, url);
		else
			fprintf(out, "%s%s%s\n", url, server[0] != '\0' ? "  " : "", server);
	}
}

/* print_troubles adds up what went wrong; the single cells are in the JSON. */
static void
print_troubles(const struct sweep *sweep, FILE *out)
{
	uint64_t failures[FAILURE_CLASSES] = {0}, non_2xx = 0, failed = 0;
	const char *before = "\nFailed: ";

	for (size_t r = 0; r < sweep->rows_len; r++) {
		if (!sweep->rows[r].measured)
			continue;
		for (size_t i = 0; i < FAILURE_CLASSES; i++)
			failures[i] += sweep->rows[r].summary.failures[i];
		failed += sweep->rows[r].summary.failed;
		non_2xx += sweep->rows[r].summary.non_2xx;
	}
	for (size_t i = 0; failed > 0 && i < FAILURE_CLASSES; i++) {
		if (failures[i] == 0)
			continue;
		fprintf(out, "%s%s %" PRIu64, before, failure_name((enum failure)i), failures[i]);
		before = ", ";
	}
	if (failed > 0)
		fputc('\n', out);
	if (non_2xx > 0)
		fprintf(out, "%sNon-2xx responses: %" PRIu64 "\n", failed > 0 ? "" : "\n", non_2xx);
	if (sweep->interrupted)
		fprintf(out, "\nInterrupted: %zu of %zu cells, the last one perhaps in part.\n", sweep_measured(sweep),
		    sweep->rows_len);
}

void
report_table(const struct sweep *sweep, FILE *out)
{
	const struct config *config = sweep->config;
	struct table table = {.sweep = sweep, .out = out};

	fprintf(out, "loadgen %s, closed loop, ", LOOPFORK_VERSION);
	if (config->time_limit_ns > 0)
		fprintf(out, "%g s or ", (double)config->time_limit_ns / (double)NS_PER_SEC);
	fprintf(out, "%" PRIi64 " requests a cell, %" PRIi64 " thread%s%s\n", config->requests, config->threads,
	    config->threads > 1 ? "s" : "", config->spec.keep_alive ? ", keep-alive" : "");
	print_targets(sweep, out);
	fputc('\n', out);
	measure_columns(&table);
	print_rows(&table);
	print_troubles(sweep, out);
}
