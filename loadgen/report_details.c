/* What loadgen has to add below ab's report of one cell: microseconds, intervals, repetitions, remarks. */
#include <inttypes.h>

#include "common/clock.h"
#include "loadgen/paragraph.h"
#include "loadgen/report.h"

static double
us(double ns)
{
	return ns / 1e3;
}

/* print_times prints nothing where there were no such times. */
static void
print_times(FILE *out, const char *label, const struct distribution *times, bool deviation)
{
	if (times->count == 0)
		return;
	fprintf(out, "%-11s %9.0f %11.1f ", label, us((double)times->min), us(times->mean));
	if (deviation)
		fprintf(out, "%10.1f %9.0f ", us(times->sd), us((double)times->median));
	fprintf(out, "%9.0f\n", us((double)times->max));
}

/* print_microseconds: what ab's whole milliseconds hide. */
static void
print_microseconds(FILE *out, const struct row *row)
{
	const struct summary *summary = &row->summary;
	bool deviation = !row->cell.config->no_deviation, open = row->cell.open_loop;

	fprintf(out, "\nConnection Times (us)\n");
	fprintf(out, deviation ? "                  min        mean    [+/-sd]    median       max\n"
			       : "                  min         avg       max\n");
	if (open)
		print_times(out, "Delay:", &summary->delay, deviation);
	print_times(out, "Connect:", &summary->connect, deviation);
	if (row->cell.target->tls)
		print_times(out, "  TLS:", &summary->tls, deviation);
	print_times(out, "Processing:", &summary->processing, deviation);
	print_times(out, "Waiting:", &summary->waiting, deviation);
	if (open)
		print_times(out, "Service:", &summary->service, deviation);
	print_times(out, open ? "Response:" : "Total:", &summary->total, deviation);
	if (open)
		print_times(out, "Send lag:", &summary->lag, deviation);
	if (row->cell.target->tls)
		fprintf(out, "Connect is TCP's handshake and that of TLS, and 0 on an open connection;\n"
			     "TLS is the latter, of the requests that had one.\n");
	if (open)
		fprintf(out, "Response counts from when a request was due, Service from when it was sent;\n"
			     "Delay lies between.  Send lag is the delay of those that had a connection free:\n"
			     "loadgen's own.\n");
}

static void
print_percentile(
    FILE *out, const char *label, double percent, uint64_t ns, const struct interval *interval, const struct row *row)
{
	fprintf(out, " %5s %10.0f", label, us((double)ns));
	if (row->cell.config->no_deviation)
		fputc('\n', out);
	else if (interval->known)
		fprintf(out, "   %.0f to %.0f\n", us(interval->low), us(interval->high));
	else
		fprintf(out, "   not certain: that takes %" PRIu64 " requests\n", interval_samples(percent));
}

static void
print_percentiles(FILE *out, const struct row *row)
{
	const struct summary *summary = &row->summary;

	fprintf(out, "\nPercentiles of the %s (us)%s\n", row->cell.open_loop ? "response" : "total time",
	    row->cell.config->no_deviation ? "" : ", and where the true ones lie (95% confidence)");
	print_percentile(out, "50%", 50, summary->percentiles[50], &summary->p50_interval, row);
	print_percentile(out, "90%", 90, summary->percentiles[90], &summary->p90_interval, row);
	print_percentile(out, "99%", 99, summary->percentiles[99], &summary->p99_interval, row);
	print_percentile(out, "99.9%", 99.9, summary->p99_9_ns, &summary->p99_9_interval, row);
}

static void
print_rate(FILE *out, const struct row *row)
{
	const struct cell *cell = &row->cell;
	const struct summary *summary = &row->summary;

	if (!cell->open_loop)
		return;
	if (cell->ramp.duration_ns > 0)
		fprintf(out, "\nOpen loop: from %.9g to %.9g requests per second within %g s", cell->ramp.from,
		    cell->ramp.to, (double)cell->ramp.duration_ns / (double)NS_PER_SEC);
	else
		fprintf(
		    out, "\nOpen loop: %.9g request%s per second", cell->ramp.from, cell->ramp.from == 1 ? "" : "s");
	fprintf(out, ", %s\n", cell->config->arrivals == ARRIVALS_POISSON ? "Poisson arrivals" : "constant gaps");
	fprintf(out, "  due %.2f/s, sent %.2f/s, answered %.2f/s; at most %" PRIu32 " connection%s open\n",
	    summary->rps_due, summary->rps_started, summary->rps, summary->most_open,
	    summary->most_open == 1 ? "" : "s");
}

static void
print_mean(FILE *out, const char *name, const struct interval *interval, double unit, const char *after)
{
	if (interval->known)
		fprintf(out, "  %-6s %12.3f %s   %.3f to %.3f\n", name, (interval->low + interval->high) / 2 / unit,
		    after, interval->low / unit, interval->high / unit);
}

static void
print_repeats(FILE *out, const struct row *row)
{
	const struct config *config = row->cell.config;
	int64_t measured = 0;

	if (config->repeats < 2 || row->repeats == NULL)
		return;
	for (int64_t i = 0; i < config->repeats; i++)
		measured += row->repeats[i].measured;
	fprintf(out, "\nMeans of %" PRIi64 " repetition%s, and where the true ones lie (95%% confidence)\n", measured,
	    measured == 1 ? "" : "s");
	print_mean(out, "rate", &row->rps, 1, "/s");
	print_mean(out, "mean", &row->mean, (double)NS_PER_MS, "ms");
	print_mean(out, "50%", &row->p50, (double)NS_PER_MS, "ms");
	print_mean(out, "99%", &row->p99, (double)NS_PER_MS, "ms");
}

static void
print_remark(FILE *out, const char *text)
{
	fputc('\n', out);
	paragraph_print(out, text);
}

void
report_details(const struct row *row, FILE *out)
{
	const struct config *config = row->cell.config;

	if (row->summary.complete > 1 && !config->no_percentiles) {
		print_microseconds(out, row);
		print_percentiles(out, row);
	}
	if (config->pipeline > 1)
		fprintf(out, "\nPipelining: %" PRIi64 " requests under way on each connection\n", config->pipeline);
	print_rate(out, row);
	print_repeats(out, row);
	if (row->summary.warmup_ns > 0)
		fprintf(out, "\nWarm-up: what ended in the first %.3f s%s is not counted\n",
		    (double)row->summary.warmup_ns / (double)NS_PER_SEC,
		    row->cell.ramp.duration_ns > 0 ? ", before the ramp began," : "");
	report_remarks(row, out, print_remark);
}
