/* The CSV of a run, a row for each cell: docs/loadgen-output.md. */
#include <inttypes.h>
#include <math.h>

#include "common/clock.h"
#include "loadgen/csv.h"
#include "loadgen/report.h"

/* Columns are only ever added, at the end: a block for each time that some were. */
static const char header[] =
    "target,sleep_s,concurrency,requests,failed,rps,time_per_request_ms,time_per_request_all_ms,p50_ms,p90_ms,p99_ms,"
    "max_ms,"
    "complete,duration_s,min_ms,mean_ms,sd_ms,p95_ms,failed_connect,failed_receive,failed_length,failed_exceptions,"
    "failed_timeout,non_2xx,keepalive_requests,bytes_received,client_cpu_s,server_software,"
    "load,rate,ramp,arrivals,pipeline,warmup_s,rps_due,rps_started,unfinished,overdue,missed,queued,failed_tls,"
    "failed_truncated,write_errors,bytes_sent,p99_9_ms,p50_low_ms,p50_high_ms,p90_low_ms,p90_high_ms,p99_low_ms,"
    "p99_high_ms,p99_9_low_ms,p99_9_high_ms,connect_mean_ms,tls_mean_ms,processing_mean_ms,waiting_mean_ms,"
    "service_p50_ms,service_p99_ms,delay_p99_ms,send_lag_p99_ms,connections_most_open,client_cpu_share,"
    "repeats,rps_low,rps_high,ratio,ratio_low,ratio_high,checks_failed\n";

static void
print_known(FILE *out, double value)
{
	if (isnan(value))
		fputc(',', out);
	else
		fprintf(out, ",%.6f", value);
}

/* print_ms prints a figure of TIMES, NS nanoseconds, in milliseconds. */
static void
print_ms(FILE *out, const struct distribution *times, double ns)
{
	print_known(out, summary_ms(summary_known(times, ns)));
}

static void
print_seconds(FILE *out, uint64_t ns)
{
	fprintf(out, ",%.6f", (double)ns / (double)NS_PER_SEC);
}

static void
print_count(FILE *out, uint64_t count)
{
	fprintf(out, ",%" PRIu64, count);
}

/* print_interval leaves both columns empty where the interval is not known. */
static void
print_interval(FILE *out, const struct interval *interval, double unit)
{
	if (interval->known)
		fprintf(out, ",%.6f,%.6f", interval->low / unit, interval->high / unit);
	else
		fputs(",,", out);
}

static void
print_first_columns(FILE *out, const struct row *row)
{
	const struct summary *summary = &row->summary;
	const uint64_t *failures = summary->failures;

	csv_text(out, row->cell.target->url);
	fputc(',', out);
	if (row->cell.has_sleep)
		fprintf(out, "%.9g", (double)row->cell.sleep_ns / (double)NS_PER_SEC);
	fprintf(out, ",%" PRIu32 ",", row->cell.concurrency);
	if (row->cell.config->requests != CONFIG_UNLIMITED)
		fprintf(out, "%" PRIi64, row->cell.config->requests);
	print_count(out, summary->failed);
	fprintf(out, ",%.3f", summary->rps);
	print_known(out, summary->time_per_request_ms);
	print_known(out, summary->time_per_request_all_ms);
	print_ms(out, &summary->total, (double)summary->percentiles[50]);
	print_ms(out, &summary->total, (double)summary->percentiles[90]);
	print_ms(out, &summary->total, (double)summary->percentiles[99]);
	print_ms(out, &summary->total, (double)summary->total.max);
	print_count(out, summary->complete);
	print_seconds(out, summary->duration_ns);
	print_ms(out, &summary->total, (double)summary->total.min);
	print_ms(out, &summary->total, summary->total.mean);
	print_ms(out, &summary->total, summary->total.sd);
	print_ms(out, &summary->total, (double)summary->percentiles[95]);
	/* ab's four, and timeouts */
	print_count(out, failures[FAILURE_CONNECT] + failures[FAILURE_TLS]);
	print_count(out, failures[FAILURE_RESET]);
	print_count(out, failures[FAILURE_TRUNCATED] + failures[FAILURE_LENGTH]);
	print_count(out, failures[FAILURE_MALFORMED]);
	print_count(out, failures[FAILURE_TIMEOUT]);
	print_count(out, summary->non_2xx);
	print_count(out, summary->kept_alive);
	print_count(out, summary->bytes_received);
	print_seconds(out, summary->client_cpu_ns);
	fputc(',', out);
	csv_text(out, summary->server);
}

static void
print_load(FILE *out, const struct row *row)
{
	const struct cell *cell = &row->cell;
	const struct ramp *ramp = &cell->ramp;
	const struct summary *summary = &row->summary;

	if (!cell->open_loop)
		fputs(",closed,,,", out);
	else if (ramp->duration_ns > 0)
		fprintf(out, ",open,,%.10g:%.10g:%.10g,", ramp->from, ramp->to,
		    (double)ramp->duration_ns / (double)NS_PER_SEC);
	else
		fprintf(out, ",open,%.10g,,", ramp->from);
	if (cell->open_loop)
		fputs(cell->config->arrivals == ARRIVALS_POISSON ? "poisson" : "constant", out);
	fprintf(out, ",%" PRIi64, cell->config->pipeline);
	print_seconds(out, summary->warmup_ns);
	if (cell->open_loop)
		fprintf(out, ",%.3f,%.3f", summary->rps_due, summary->rps_started);
	else
		fputs(",,", out);
}

static void
print_further_times(FILE *out, const struct row *row)
{
	const struct summary *summary = &row->summary;

	print_ms(out, &summary->total, (double)summary->p99_9_ns);
	print_interval(out, &summary->p50_interval, (double)NS_PER_MS);
	print_interval(out, &summary->p90_interval, (double)NS_PER_MS);
	print_interval(out, &summary->p99_interval, (double)NS_PER_MS);
	print_interval(out, &summary->p99_9_interval, (double)NS_PER_MS);
	print_ms(out, &summary->connect, summary->connect.mean);
	print_ms(out, &summary->tls, summary->tls.mean);
	print_ms(out, &summary->processing, summary->processing.mean);
	print_ms(out, &summary->waiting, summary->waiting.mean);
	if (!row->cell.open_loop) {
		fputs(",,,,", out);
		return;
	}
	print_ms(out, &summary->service, (double)summary->service_p50_ns);
	print_ms(out, &summary->service, (double)summary->service_p99_ns);
	print_ms(out, &summary->delay, (double)summary->delay_p99_ns);
	print_ms(out, &summary->lag, (double)summary->lag_p99_ns);
}

static void
print_judgements(FILE *out, const struct row *row)
{
	const struct summary *summary = &row->summary;
	const char *before = "";

	fprintf(out, ",%" PRIu32 ",%.4f,%" PRIi64, summary->most_open, summary->cpu_share, row->cell.config->repeats);
	print_interval(out, &row->rps, 1);
	if (row->ratio > 0)
		fprintf(out, ",%.6f", row->ratio);
	else
		fputc(',', out);
	print_interval(out, &row->ratio_interval, 1);
	fputc(',', out);
	for (unsigned i = 0; i < CHECK_KINDS; i++) {
		if (summary->checks[i].state != CHECK_FAILED)
			continue;
		fprintf(out, "%s%s", before, check_name((enum check_kind)i));
		before = " ";
	}
}

static void
print_row(FILE *out, const struct row *row)
{
	const struct summary *summary = &row->summary;

	print_first_columns(out, row);
	print_load(out, row);
	print_count(out, summary->unfinished);
	print_count(out, summary->overdue);
	print_count(out, summary->missed);
	print_count(out, summary->queued);
	print_count(out, summary->failures[FAILURE_TLS]);
	print_count(out, summary->failures[FAILURE_TRUNCATED]);
	print_count(out, summary->write_errors);
	print_count(out, summary->bytes_sent);
	print_further_times(out, row);
	print_judgements(out, row);
	fputc('\n', out);
}

int
report_csv(FILE *out, const void *what)
{
	const struct sweep *sweep = what;

	fputs(header, out);
	for (size_t i = 0; i < sweep->rows_len; i++)
		if (sweep->rows[i].measured)
			print_row(out, &sweep->rows[i]);
	return 0;
}
