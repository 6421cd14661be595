/* The CSV of a run, a row for each cell: docs/loadgen-output.md. */
#include <inttypes.h>
#include <string.h>

#include "common/clock.h"
#include "loadgen/report.h"

/* Columns are only ever added, at the end. */
static const char header[] =
    "target,sleep_s,concurrency,requests,failed,rps,time_per_request_ms,time_per_request_all_ms,p50_ms,p90_ms,p99_ms,"
    "max_ms,"
    "complete,duration_s,min_ms,mean_ms,sd_ms,p95_ms,failed_connect,failed_receive,failed_length,failed_exceptions,"
    "failed_timeout,non_2xx,keepalive_requests,bytes_received,client_cpu_s,server_software\n";

/* print_text quotes what would break the row (RFC 4180). */
static void
print_text(FILE *out, const char *text)
{
	if (strpbrk(text, ",\"") == NULL) {
		fputs(text, out);
		return;
	}
	fputc('"', out);
	for (; *text != '\0'; text++) {
		if (*text == '"')
			fputc('"', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

static void
print_ms(FILE *out, double ns)
{
	fprintf(out, ",%.6f", summary_ms(ns));
}

static void
print_row(FILE *out, const struct row *row)
{
	const struct summary *summary = &row->summary;

	print_text(out, row->cell.target->url);
	fputc(',', out);
	if (row->cell.has_sleep)
		fprintf(out, "%.9g", (double)row->cell.sleep_ns / (double)NS_PER_SEC);
	fprintf(out, ",%" PRIu32 ",%" PRIi64 ",%" PRIu64, row->cell.concurrency, row->cell.config->requests,
	    summary->failed);
	fprintf(out, ",%.3f,%.6f,%.6f", summary->rps, summary->time_per_request_ms, summary->time_per_request_all_ms);
	print_ms(out, (double)summary->percentiles[50]);
	print_ms(out, (double)summary->percentiles[90]);
	print_ms(out, (double)summary->percentiles[99]);
	print_ms(out, (double)summary->total.max);
	fprintf(out, ",%" PRIu64 ",%.6f", summary->complete, (double)summary->duration_ns / (double)NS_PER_SEC);
	print_ms(out, (double)summary->total.min);
	print_ms(out, summary->total.mean);
	print_ms(out, summary->total.sd);
	print_ms(out, (double)summary->percentiles[95]);
	fprintf(out, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64,
	    summary->failures[FAILURE_CONNECT] + summary->failures[FAILURE_TLS], summary->failures[FAILURE_RESET],
	    summary->failures[FAILURE_TRUNCATED] + summary->failures[FAILURE_LENGTH],
	    summary->failures[FAILURE_MALFORMED], summary->failures[FAILURE_TIMEOUT]);
	fprintf(out, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%.6f,", summary->non_2xx, summary->kept_alive,
	    summary->bytes_received, (double)summary->client_cpu_ns / (double)NS_PER_SEC);
	print_text(out, summary->server);
	fputc('\n', out);
}

void
report_csv(FILE *out, const void *what)
{
	const struct sweep *sweep = what;

	fputs(header, out);
	for (size_t i = 0; i < sweep->rows_len; i++)
		if (sweep->rows[i].measured)
			print_row(out, &sweep->rows[i]);
}
