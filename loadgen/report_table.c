/* A sweep as one table of at most 80 columns: what is compared stands in adjacent rows. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "common/clock.h"
#include "loadgen/report.h"
#include "loadgen/table_notes.h"

#define WIDTH TABLE_WIDTH
#define TEXT_MAX 32 /* of one field */

enum column {
	COLUMN_TARGET,
	COLUMN_SLEEP,
	COLUMN_RATE,
	COLUMN_CONCURRENCY,
	COLUMN_COMPLETE,
	COLUMN_FAILED,
	COLUMN_MISSED,
	COLUMN_RPS,
	COLUMN_RPS_HALF,
	COLUMN_MEAN,
	COLUMN_ALL,
	COLUMN_RESPONSE,
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
    [COLUMN_RATE] = {"", "rate"},
    [COLUMN_CONCURRENCY] = {"", "c"},
    [COLUMN_COMPLETE] = {"", "done"},
    [COLUMN_FAILED] = {"requests", "failed"},
    [COLUMN_MISSED] = {"", "missed"},
    [COLUMN_RPS] = {"", "rps"},
    [COLUMN_RPS_HALF] = {"", "+-"},
    [COLUMN_MEAN] = {"", "mean"},
    [COLUMN_ALL] = {"time/request [ms]", "all"},
    [COLUMN_RESPONSE] = {"", "mean"},
    [COLUMN_P50] = {"", "p50"},
    [COLUMN_P99] = {"", "p99"},
    [COLUMN_MAX] = {"latency [ms]", "max"},
    [COLUMN_RATIO] = {"rps", "vs A"},
};

struct table {
	const struct sweep *sweep;
	FILE *out;
	int widths[COLUMNS];  /* 0: the column is left out */
	bool marked[COLUMNS]; /* a figure in it has a mark, so that the others need a blank there */
	int gap;
};

/* figure prints four significant digits, without an exponent. */
static void
figure(char *text, double value)
{
	int digits = value >= 1000 ? 0 : value >= 100 ? 1 : value >= 10 ? 2 : 3;

	snprintf(text, TEXT_MAX, "%.*f", digits, value);
}

/* half prints half of the width of an interval: two digits tell it. */
static void
half(char *text, double value)
{
	snprintf(text, TEXT_MAX, "%.*f", value >= 10 ? 0 : value >= 1 ? 1 : 2, value);
}

/* ratio prints how ROW compares with the first target, and how far that can be trusted: the farther end of the interval. */
static void
ratio(char *text, const struct row *row)
{
	const struct interval *interval = &row->ratio_interval;

	if (row->ratio > 0 && interval->known)
		snprintf(text, TEXT_MAX, "x%.2f +-%.2f", row->ratio,
		    fmax(row->ratio - interval->low, interval->high - row->ratio));
	else if (row->ratio > 0)
		snprintf(text, TEXT_MAX, "x%.2f", row->ratio);
}

/* mark_of returns the mark that ROW has in COLUMN; 0: none. */
static char
mark_of(const struct sweep *sweep, const struct row *row, int column)
{
	const struct summary *summary = &row->summary;

	switch (column) {
	case COLUMN_RPS:
		return table_doubt(sweep, row) ? TABLE_DOUBT : '\0';
	case COLUMN_P50:
		return summary->complete > 0 && !summary->p50_interval.known ? TABLE_FEW : '\0';
	case COLUMN_P99:
		return summary->complete > 0 && !summary->p99_interval.known ? TABLE_FEW : '\0';
	case COLUMN_MAX:
		return report_hides_stall(row) ? TABLE_STALL : '\0';
	default:
		return '\0';
	}
}

/* fill_times leaves dashes where nothing was answered. */
static void
fill_times(const struct summary *summary, char texts[COLUMNS][TEXT_MAX])
{
	if (summary->complete == 0) {
		for (int i = COLUMN_MEAN; i <= COLUMN_MAX; i++)
			strcpy(texts[i], "-");
		return;
	}
	figure(texts[COLUMN_MEAN], summary->time_per_request_ms);
	figure(texts[COLUMN_ALL], summary->time_per_request_all_ms);
	figure(texts[COLUMN_RESPONSE], summary_ms(summary->total.mean));
	figure(texts[COLUMN_P50], summary_ms((double)summary->percentiles[50]));
	figure(texts[COLUMN_P99], summary_ms((double)summary->percentiles[99]));
	figure(texts[COLUMN_MAX], summary_ms((double)summary->total.max));
}

static void
fill(const struct table *table, const struct row *row, char texts[COLUMNS][TEXT_MAX])
{
	const struct summary *summary = &row->summary;
	const struct cell *cell = &row->cell;

	memset(texts, 0, COLUMNS * TEXT_MAX);
	texts[COLUMN_TARGET][0] = (char)('A' + (cell->target - table->sweep->targets));
	if (cell->has_sleep)
		snprintf(texts[COLUMN_SLEEP], TEXT_MAX, "%.6g", (double)cell->sleep_ns / (double)NS_PER_SEC);
	if (cell->ramp.duration_ns > 0)
		snprintf(texts[COLUMN_RATE], TEXT_MAX, "%.8g-%.8g", cell->ramp.from, cell->ramp.to);
	else
		snprintf(texts[COLUMN_RATE], TEXT_MAX, "%.8g", cell->ramp.from);
	snprintf(texts[COLUMN_CONCURRENCY], TEXT_MAX, "%" PRIu32, cell->concurrency);
	snprintf(texts[COLUMN_COMPLETE], TEXT_MAX, "%" PRIu64, summary->complete);
	snprintf(texts[COLUMN_FAILED], TEXT_MAX, "%" PRIu64, summary->failed);
	snprintf(texts[COLUMN_MISSED], TEXT_MAX, "%" PRIu64, summary->missed);
	figure(texts[COLUMN_RPS], summary->rps);
	if (row->rps.known)
		half(texts[COLUMN_RPS_HALF], (row->rps.high - row->rps.low) / 2);
	fill_times(summary, texts);
	ratio(texts[COLUMN_RATIO], row);
	for (int i = 0; i < COLUMNS; i++) {
		char mark = mark_of(table->sweep, row, i);

		if (table->marked[i])
			snprintf(texts[i] + strlen(texts[i]), 2, "%c", mark != '\0' ? mark : ' ');
	}
}

static bool
any_missed(const struct sweep *sweep)
{
	for (size_t r = 0; r < sweep->rows_len; r++)
		if (sweep->rows[r].measured && sweep->rows[r].summary.missed > 0)
			return true;
	return false;
}

static bool
is_wanted(const struct sweep *sweep, int column)
{
	const struct config *config = sweep->config;
	bool open = config_open_loop(config);

	switch (column) {
	case COLUMN_TARGET:
		return sweep->targets_len > 1;
	case COLUMN_RATIO:
		return sweep->targets_len > 1 && !config->until_saturated;
	case COLUMN_SLEEP:
		return config->sleeps.len > 0;
	case COLUMN_RATE:
	case COLUMN_RESPONSE:
		return open;
	case COLUMN_CONCURRENCY:
		return !open || config->concurrency.len > 1;
	case COLUMN_MEAN:
	case COLUMN_ALL:
		return !open;
	case COLUMN_MISSED:
		return any_missed(sweep);
	case COLUMN_RPS_HALF:
		return config->repeats > 1;
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
	static const enum column spare[] = {COLUMN_ALL, COLUMN_MEAN, COLUMN_RESPONSE, COLUMN_P50, COLUMN_RPS_HALF,
	    COLUMN_RATIO, COLUMN_MISSED, COLUMN_COMPLETE};

	table->gap = total_width(table, 2) <= WIDTH ? 2 : 1;
	for (size_t i = 0; i < ARRAY_LEN(spare) && total_width(table, table->gap) > WIDTH; i++)
		table->widths[spare[i]] = 0;
}

/* measure_columns finds how wide each column must be. */
static void
measure_columns(struct table *table)
{
	const struct sweep *sweep = table->sweep;
	char texts[COLUMNS][TEXT_MAX];

	for (size_t r = 0; r < sweep->rows_len; r++)
		for (int i = 0; i < COLUMNS; i++)
			table->marked[i] |= sweep->rows[r].measured && mark_of(sweep, &sweep->rows[r], i) != '\0';
	for (int i = 0; i < COLUMNS; i++)
		table->widths[i] = is_wanted(sweep, i) ? (int)strlen(heads[i].name) + table->marked[i] : 0;
	table->widths[COLUMN_TARGET] = is_wanted(sweep, COLUMN_TARGET);
	for (size_t r = 0; r < sweep->rows_len; r++) {
		if (!sweep->rows[r].measured)
			continue;
		fill(table, &sweep->rows[r], texts);
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
		start = end - table->marked[i] - (int)strlen(heads[i].group);
		if (start < used)
			start = used;
		used += snprintf(line + used, sizeof(line) - (size_t)used, "%*s%s ", start - used, "", heads[i].group);
	}
	fprintf(table->out, "%.*s\n", used - 1, line);
}

/* print_line prints the texts of a line, and no blanks behind the last one. */
static void
print_line(const struct table *table, char texts[COLUMNS][TEXT_MAX])
{
	char line[4 * WIDTH];
	size_t used = 0;

	for (int i = 0; i < COLUMNS; i++)
		if (table->widths[i] > 0)
			used += (size_t)snprintf(line + used, sizeof(line) - used, "%*s%*s", used > 0 ? table->gap : 0,
			    "", table->widths[i], texts[i]);
	while (used > 0 && line[used - 1] == ' ')
		used--;
	fprintf(table->out, "%.*s\n", (int)used, line);
}

static void
print_names(const struct table *table)
{
	char texts[COLUMNS][TEXT_MAX];

	for (int i = 0; i < COLUMNS; i++)
		snprintf(texts[i], TEXT_MAX, "%s%s", heads[i].name, table->marked[i] ? " " : "");
	print_line(table, texts);
}

/* is_group_start: what is compared stands together; the steps of a search are one group. */
static bool
is_group_start(const struct sweep *sweep, size_t r)
{
	if (!sweep->config->until_saturated)
		return sweep->targets_len > 1 && r % sweep->targets_len == 0;
	for (size_t i = 0; i < sweep->knees_len; i++)
		if (sweep->knees[i].first == r)
			return true;
	return false;
}

static void
print_rows(const struct table *table)
{
	const struct sweep *sweep = table->sweep;
	char texts[COLUMNS][TEXT_MAX];
	bool begun = false, gap = false;

	print_groups(table);
	print_names(table);
	for (size_t r = 0; r < sweep->rows_len; r++) {
		gap |= is_group_start(sweep, r);
		if (!sweep->rows[r].measured)
			continue;
		if (begun && gap)
			fputc('\n', table->out);
		begun = true;
		gap = false;
		fill(table, &sweep->rows[r], texts);
		print_line(table, texts);
	}
}

void
report_table(const struct sweep *sweep, FILE *out)
{
	struct table table = {.sweep = sweep, .out = out};

	table_head(sweep, out);
	measure_columns(&table);
	print_rows(&table);
	table_notes(sweep, out);
}
