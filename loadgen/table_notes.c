/* What stands above and below the table of a sweep: what was asked for, and what must be known to read the figures right. */
#include "loadgen/table_notes.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "common/clock.h"
#include "common/version.h"
#include "loadgen/knee.h"
#include "loadgen/paragraph.h"
#include "loadgen/report.h"

#define DOUBTS_MAX 6 /* that are written out */

/* wrap prints a paragraph; its lines after the first are indented. */
static void PRINTF_LIKE(2, 3) wrap(FILE *out, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	paragraph_print(out, text);
}

bool
table_doubt(const struct sweep *sweep, const struct row *row)
{
	return sweep->config->until_saturated ? knee_doubtful(row) : row->summary.checks_failed > 0;
}

/* print_load says what a cell was: its model of load, and what ends it. */
static void
print_load(const struct sweep *sweep, FILE *out)
{
	const struct config *config = sweep->config;
	char text[256], limit[64] = "";

	if (config->requests != CONFIG_UNLIMITED)
		snprintf(limit, sizeof(limit), "%s%" PRIi64 " request%s", config->time_limit_ns > 0 ? " or " : "",
		    config->requests, config->requests == 1 ? "" : "s");
	snprintf(text, sizeof(text), config_open_loop(config) ? "open loop (%s)" : "closed loop",
	    config->arrivals == ARRIVALS_POISSON ? "poisson" : "constant");
	if (config_open_loop(config) && config->concurrency.len == 1)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), ", at most %" PRIu64 " connection%s",
		    config->concurrency.values[0], config->concurrency.values[0] > 1 ? "s" : "");
	if (config->time_limit_ns > 0)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), ", %g s",
		    (double)config->time_limit_ns / (double)NS_PER_SEC);
	else
		strcat(text, ", ");
	snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s a %s", limit,
	    config->until_saturated ? "step" : "cell");
	if (config->warmup_ns > 0)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), " after %g s of warm-up",
		    (double)config->warmup_ns / (double)NS_PER_SEC);
	if (config->repeats > 1)
		snprintf(
		    text + strlen(text), sizeof(text) - strlen(text), ", %" PRIi64 " repetitions", config->repeats);
	wrap(out, "loadgen %s, %s, %" PRIi64 " thread%s%s", LOOPFORK_VERSION, text, config->threads,
	    config->threads > 1 ? "s" : "", config->spec.keep_alive ? ", keep-alive" : "");
}

/* print_targets names the targets: the table itself has room for a letter only. */
static void
print_targets(const struct sweep *sweep, FILE *out)
{
	for (size_t i = 0; i < sweep->targets_len; i++) {
		const char *url = sweep->targets[i].url, *server = "";
		int room = TABLE_WIDTH - 3;

		for (size_t r = 0; r < sweep->rows_len; r++)
			if (server[0] == '\0' && sweep->rows[r].measured &&
			    sweep->rows[r].cell.target == &sweep->targets[i])
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

void
table_head(const struct sweep *sweep, FILE *out)
{
	print_load(sweep, out);
	print_targets(sweep, out);
	fputc('\n', out);
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
	if (sweep->interrupted && sweep->config->until_saturated)
		fprintf(out, "\nInterrupted after %zu step%s, the last one perhaps in part.\n", sweep_measured(sweep),
		    sweep_measured(sweep) == 1 ? "" : "s");
	else if (sweep->interrupted)
		fprintf(out, "\nInterrupted: %zu of %zu cells, the last one perhaps in part.\n", sweep_measured(sweep),
		    sweep->rows_len);
}

/* name writes how a row or a knee is called below the table, with a colon: "A, c 10: ". */
static void
name(const struct sweep *sweep, const struct cell *cell, bool load, char text[CELL_TEXT_MAX + 8])
{
	size_t letter = (size_t)(cell->target - sweep->targets);
	char what[CELL_TEXT_MAX] = "";

	if (load)
		cell_describe(cell, what);
	else if (cell->has_sleep)
		snprintf(what, sizeof(what), "sleep %.9g s", (double)cell->sleep_ns / (double)NS_PER_SEC);
	text[0] = '\0';
	if (sweep->targets_len > 1)
		snprintf(text, CELL_TEXT_MAX + 8, "%c%s", (char)('A' + letter), what[0] != '\0' ? ", " : "");
	strcat(text, what);
	if (text[0] != '\0')
		strcat(text, ": ");
}

static void
print_knees(const struct sweep *sweep, FILE *out)
{
	char text[KNEE_TEXT_MAX], of[CELL_TEXT_MAX + 8];

	for (size_t i = 0; i < sweep->knees_len; i++) {
		if (i == 0)
			fputc('\n', out);
		knee_describe(sweep, &sweep->knees[i], text);
		name(sweep, knee_cell(sweep, &sweep->knees[i]), false, of);
		wrap(out, "%s%s", of, text);
	}
}

static void
print_doubts(const struct sweep *sweep, FILE *out)
{
	char sentence[CHECK_SENTENCE_MAX], of[CELL_TEXT_MAX + 8];
	size_t doubts = 0;

	for (size_t r = 0; r < sweep->rows_len; r++) {
		const struct row *row = &sweep->rows[r];

		if (!row->measured || !table_doubt(sweep, row))
			continue;
		for (unsigned i = 0; i < CHECK_KINDS; i++) {
			if (row->summary.checks[i].state != CHECK_FAILED || doubts++ >= DOUBTS_MAX)
				continue;
			check_sentence((enum check_kind)i, &row->summary.checks[i], sentence, sizeof(sentence));
			name(sweep, &row->cell, true, of);
			wrap(out, "%c %s%s", TABLE_DOUBT, of, sentence);
		}
	}
	if (doubts > DOUBTS_MAX)
		fprintf(
		    out, "%c ... and %zu more of the kind; --json has them all\n", TABLE_DOUBT, doubts - DOUBTS_MAX);
}

/* print_broken says which rows are not all that was asked for. */
static void
print_broken(const struct sweep *sweep, FILE *out)
{
	char of[CELL_TEXT_MAX + 8];
	bool begun = false;

	for (size_t r = 0; r < sweep->rows_len; r++) {
		const struct row *row = &sweep->rows[r];

		if (!row->measured || !row->broken)
			continue;
		name(sweep, &row->cell, true, of);
		fputs(begun ? "" : "\n", out);
		wrap(out, "%s%s", of,
		    row->summary.end > CELL_INTERRUPTED
			? "the run broke off; these figures are of what was done until then"
			: "a repetition broke off, and is not in these figures");
		begun = true;
	}
}

/* print_unmet says which expectations do not hold; those of a search are in its sentence. */
static void
print_unmet(const struct sweep *sweep, FILE *out)
{
	const struct config *config = sweep->config;
	char figure[EXPECT_FIGURE_MAX], of[CELL_TEXT_MAX + 8];
	bool begun = false;
	double measured;

	for (size_t r = 0; r < sweep->rows_len && !config->until_saturated; r++) {
		const struct row *row = &sweep->rows[r];

		for (size_t i = 0; row->measured && i < config->expects_len; i++) {
			if (expect_holds(&config->expects[i], &row->summary, &measured))
				continue;
			expect_format(&config->expects[i], measured, figure, sizeof(figure));
			name(sweep, &row->cell, true, of);
			fputs(begun ? "" : "\n", out);
			wrap(out, "Not as expected: %s%s, but it was %s", of, config->expects[i].text, figure);
			begun = true;
		}
	}
}

/* print_marks explains the marks that stand in the table. */
static void
print_marks(const struct sweep *sweep, FILE *out)
{
	bool few_p50 = false, few_p99 = false, stall = false, doubt = false, ratios = false;

	for (size_t r = 0; r < sweep->rows_len; r++) {
		const struct row *row = &sweep->rows[r];

		if (!row->measured)
			continue;
		few_p50 |= row->summary.complete > 0 && !row->summary.p50_interval.known;
		few_p99 |= row->summary.complete > 0 && !row->summary.p99_interval.known;
		stall |= report_hides_stall(row);
		doubt |= table_doubt(sweep, row);
		ratios |= row->ratio > 0;
	}
	if (few_p50 || few_p99 || stall || doubt || ratios || sweep->config->repeats > 1)
		fputc('\n', out);
	if (few_p99)
		wrap(out, "%c p99 of fewer than %" PRIu64 " requests: the true one may lie above them all", TABLE_FEW,
		    interval_samples(99));
	if (few_p50)
		wrap(out, "%c p50 of fewer than %" PRIu64 " requests: the true one may lie beyond them all", TABLE_FEW,
		    interval_samples(50));
	if (stall)
		wrap(out,
		    "%c a pause, in which a closed loop asks for nothing: of requests that do not wait "
		    "for each other, more than 1%% would have met the pause; an open loop (--rate) shows them",
		    TABLE_STALL);
	if (doubt)
		print_doubts(sweep, out);
	if (sweep->config->repeats > 1)
		wrap(out, "+- 95%% intervals, of %" PRIi64 " repetitions in random order (Student's t)",
		    sweep->config->repeats);
	if (ratios && sweep->config->repeats > 1)
		wrap(out,
		    "vs A: the geometric mean of the repetitions' ratios, not the ratio of the rps above, which are of "
		    "all repetitions together");
	else if (ratios)
		wrap(out, "Ratios of single runs: --repeat 5 says how far they can be trusted");
}

void
table_notes(const struct sweep *sweep, FILE *out)
{
	print_troubles(sweep, out);
	print_broken(sweep, out);
	print_unmet(sweep, out);
	print_knees(sweep, out);
	print_marks(sweep, out);
}
