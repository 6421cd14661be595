/* What must be known to read a cell's figures right, a line each. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>

#include "common/clock.h"
#include "loadgen/report.h"

/*
 * A closed loop hides a stall when its longest time stands far above what nearly all requests took, is long enough that in an
 * open loop more than 1% of all requests would have met it, and is none of the hiccups that any machine has.
 */
#define STALL_TIMES_P90 5
#define STALL_SHARE 0.01
#define STALL_MIN (10 * NS_PER_MS) /* a busy CPU's scheduler makes shorter ones */
#define STALL_REQUESTS 20          /* of fewer, too many are the first on their connection */
#define TIME_TEXT_MAX 32

struct remarks {
	FILE *out;
	remark_fn *print;
};

static void PRINTF_LIKE(2, 3) remark(const struct remarks *remarks, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	remarks->print(remarks->out, text);
}

static const char *
were(uint64_t requests)
{
	return requests == 1 ? "request was" : "requests were";
}

static void
tell_uncounted(const struct remarks *remarks, const struct row *row)
{
	const struct summary *summary = &row->summary;

	if (summary->unfinished > 0)
		remark(remarks, "%" PRIu64 " %s under way when time was up", summary->unfinished,
		    were(summary->unfinished));
	if (summary->missed > 0)
		remark(remarks, "%" PRIu64 " %s due and had not begun when time was up", summary->missed,
		    were(summary->missed));
	if (summary->overdue > 0 && summary->complete > 0)
		remark(remarks,
		    "%" PRIu64
		    " of these had waited longer than any answer took: %s have them with their age, the other times "
		    "do not",
		    summary->overdue,
		    row->cell.open_loop ? "the delays, and the total times and their percentiles,"
					: "the total times and their percentiles");
	if (summary->queued > 0)
		remark(remarks,
		    "%" PRIu64 " %s due while all connections were busy, and waited for one; more connections "
		    "(-c) would show what the server does with more at a time",
		    summary->queued, were(summary->queued));
}

/* tell_failures names the classes, which ab's line puts together, and what was wrong the first time. */
static void
tell_failures(const struct remarks *remarks, const struct summary *summary)
{
	char text[1024];
	size_t used = 0;

	for (unsigned i = 0; i < FAILURE_CLASSES; i++) {
		const char *why = summary->whys[i];

		if (summary->failures[i] == 0 || used >= sizeof(text))
			continue;
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s %" PRIu64 "%s%s%s",
		    used > 0 ? ", " : "", failure_name((enum failure)i), summary->failures[i],
		    why[0] != '\0' ? " (" : "", why, why[0] != '\0' ? ")" : "");
	}
	if (used > 0)
		remark(remarks, "Failed: %s", text);
}

bool
report_hides_stall(const struct row *row)
{
	const struct summary *summary = &row->summary;
	double max = (double)summary->total.max, p90 = (double)summary->percentiles[90];

	return !row->cell.open_loop && summary->complete >= STALL_REQUESTS && max >= (double)STALL_MIN &&
	       max >= STALL_TIMES_P90 * p90 && max >= STALL_SHARE * (double)summary->duration_ns;
}

/* brief writes a time in microseconds where milliseconds would hide it. */
static const char *
brief(double ns, char text[TIME_TEXT_MAX])
{
	if (ns < (double)NS_PER_MS)
		snprintf(text, TIME_TEXT_MAX, "%.0f us", ns / (double)NS_PER_US);
	else
		snprintf(text, TIME_TEXT_MAX, "%.1f ms", summary_ms(ns));
	return text;
}

static void
tell_stall(const struct remarks *remarks, const struct row *row)
{
	const struct summary *summary = &row->summary;
	char p90[TIME_TEXT_MAX];

	if (!report_hides_stall(row))
		return;
	remark(remarks,
	    "The slowest request took %.1f ms, and 90%% took %s or less.  In this closed loop a connection that "
	    "waits asks for nothing, so a stall of the server is counted once for each connection, however many "
	    "requests it "
	    "would have kept waiting.  An open loop shows them: --rate %.0f",
	    summary_ms((double)summary->total.max), brief((double)summary->percentiles[90], p90),
	    fmax(1, floor(summary->rps)));
}

static void
tell_expectations(const struct remarks *remarks, const struct row *row)
{
	const struct config *config = row->cell.config;

	for (size_t i = 0; i < config->expects_len; i++) {
		const struct expect *expect = &config->expects[i];
		double measured;
		char text[64];

		if (expect_holds(expect, &row->summary, &measured))
			continue;
		expect_format(expect, measured, text, sizeof(text));
		remark(remarks, "Not as expected: %s, but it was %s", expect->text, text);
	}
}

void
report_remarks(const struct row *row, FILE *out, remark_fn *print)
{
	const struct remarks remarks = {.out = out, .print = print};
	const struct summary *summary = &row->summary;

	if (row->broken)
		remark(&remarks, row->summary.end > CELL_INTERRUPTED
				     ? "The run broke off: these figures are of what was done until then"
				     : "A repetition broke off, and is not in these figures");
	tell_failures(&remarks, summary);
	tell_uncounted(&remarks, row);
	tell_stall(&remarks, row);
	for (unsigned i = 0; i < CHECK_KINDS; i++) {
		char sentence[CHECK_SENTENCE_MAX];

		if (summary->checks[i].state != CHECK_FAILED)
			continue;
		check_sentence((enum check_kind)i, &summary->checks[i], sentence, sizeof(sentence));
		remark(&remarks, "Check failed (%s): %s", check_name((enum check_kind)i), sentence);
	}
	tell_expectations(&remarks, row);
}
