/* ab's report of one cell, line by line (httpd 2.4, support/ab.c). */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "common/clock.h"
#include "common/version.h"
#include "loadgen/progress.h"
#include "loadgen/report.h"

void
report_ab_begin(const struct sweep *sweep, FILE *out)
{
	const struct config *config = sweep->config;
	const struct target *target = &sweep->targets[0];

	fprintf(out, "This is loadgen, Version %s, with the flags and the report of ApacheBench\n\n", LOOPFORK_VERSION);
	fprintf(out, "Benchmarking %s ", target->host);
	if (target->proxy != NULL)
		fprintf(out, "[through %s:%" PRIu16 "] ", target->proxy, target->proxy_port);
	fprintf(out, "(be patient)%s", progress_choose(config, true) == PROGRESS_NONE ? "..." : "\n");
	fflush(out);
}

/* print_tls: nothing where there was no TLS. */
static void
print_tls(FILE *out, const struct tls_facts *facts)
{
	if (facts->protocol[0] == '\0')
		return;
	fprintf(out, "SSL/TLS Protocol:       %s,%s,%d,%d\n", facts->protocol, facts->cipher, facts->bits,
	    facts->cipher_bits);
	if (facts->temp_key[0] != '\0')
		fprintf(out, "Server Temp Key:        %s\n", facts->temp_key);
	if (facts->server_name[0] != '\0')
		fprintf(out, "TLS Server Name:        %s\n", facts->server_name);
}

static void
print_server(FILE *out, const struct row *row)
{
	const struct summary *summary = &row->summary;

	fprintf(out, "\n\n");
	/* Of "Apache/2.4 (Debian)" ab shows the first word. */
	fprintf(out, "Server Software:        %.*s\n", (int)strcspn(summary->server, " "), summary->server);
	fprintf(out, "Server Hostname:        %s\n", row->cell.target->host);
	if (row->cell.target->socket != NULL)
		fprintf(out, "Server Socket:          %s\n", row->cell.target->socket);
	else
		fprintf(out, "Server Port:            %" PRIu16 "\n", row->cell.target->port);
	print_tls(out, &summary->tls_facts);
	fprintf(out, "\nDocument Path:          %s\n", row->cell.path);
	if (row->cell.config->variable_length)
		fprintf(out, "Document Length:        Variable\n\n");
	else
		fprintf(out, "Document Length:        %" PRIi64 " bytes\n\n",
		    summary->document_len > 0 ? summary->document_len : 0);
}

static void
print_counts(FILE *out, const struct row *row)
{
	const struct summary *summary = &row->summary;
	const struct config *config = row->cell.config;
	const uint64_t *failures = summary->failures;

	fprintf(out, "Concurrency Level:      %" PRIu32 "\n", row->cell.concurrency);
	fprintf(out, "Time taken for tests:   %.3f seconds\n", (double)summary->duration_ns / (double)NS_PER_SEC);
	fprintf(out, "Complete requests:      %" PRIu64 "\n", summary->complete);
	fprintf(out, "Failed requests:        %" PRIu64 "\n", summary->failed);
	if (summary->failed > 0)
		fprintf(out,
		    "   (Connect: %" PRIu64 ", Receive: %" PRIu64 ", Length: %" PRIu64 ", Exceptions: %" PRIu64 ")\n",
		    failures[FAILURE_CONNECT] + failures[FAILURE_TLS], failures[FAILURE_RESET],
		    failures[FAILURE_TRUNCATED] + failures[FAILURE_LENGTH], failures[FAILURE_MALFORMED]);
	if (failures[FAILURE_TIMEOUT] > 0) /* ab ends the run at the first one, so it has no line for it */
		fprintf(out, "Timed out requests:     %" PRIu64 "\n", failures[FAILURE_TIMEOUT]);
	if (summary->write_errors > 0)
		fprintf(out, "Write errors:           %" PRIu64 "\n", summary->write_errors);
	if (summary->non_2xx > 0)
		fprintf(out, "Non-2xx responses:      %" PRIu64 "\n", summary->non_2xx);
	if (config->spec.keep_alive)
		fprintf(out, "Keep-Alive requests:    %" PRIu64 "\n", summary->kept_alive);
	fprintf(out, "Total transferred:      %" PRIu64 " bytes\n", summary->bytes_received);
	if (report_sends_body(row))
		fprintf(out, "Total body sent:        %" PRIu64 "\n", summary->bytes_sent);
	fprintf(out, "HTML transferred:       %" PRIu64 " bytes\n", summary->bytes_body);
}

static void
print_rates(FILE *out, const struct row *row)
{
	const struct summary *summary = &row->summary;
	double kib_seconds = 1024 * (double)summary->duration_ns / (double)NS_PER_SEC;

	if (summary->complete == 0 || summary->duration_ns == 0)
		return;
	fprintf(out, "Requests per second:    %.2f [#/sec] (mean)\n", summary->rps);
	fprintf(out, "Time per request:       %.3f [ms] (mean)\n", summary->time_per_request_ms);
	fprintf(out, "Time per request:       %.3f [ms] (mean, across all concurrent requests)\n",
	    summary->time_per_request_all_ms);
	fprintf(
	    out, "Transfer rate:          %.2f [Kbytes/sec] received\n", (double)summary->bytes_received / kib_seconds);
	if (!report_sends_body(row))
		return;
	fprintf(out, "                        %.2f kb/s sent\n", (double)summary->bytes_sent / kib_seconds);
	fprintf(out, "                        %.2f kb/s total\n",
	    (double)(summary->bytes_received + summary->bytes_sent) / kib_seconds);
}

static void
print_times_row(FILE *out, const char *label, const struct distribution *times, bool deviation)
{
	if (deviation)
		fprintf(out, "%-11s %5ld %4ld %5.1f %6ld %7ld\n", label, summary_whole_ms((double)times->min),
		    summary_whole_ms(times->mean), summary_ms(times->sd), summary_whole_ms((double)times->median),
		    summary_whole_ms((double)times->max));
	else
		fprintf(out, "%-11s %5ld %5ld%5ld\n", label, summary_whole_ms((double)times->min),
		    summary_whole_ms(times->mean), summary_whole_ms((double)times->max));
}

/* print_doubt warns as ab does where mean and median lie apart. */
static void
print_doubt(FILE *out, const char *what, const struct distribution *times)
{
	double apart = fabs(times->mean - (double)times->median);

	if (apart > 2 * times->sd)
		fprintf(out,
		    "ERROR: The median and mean for %s are more than twice the standard\n"
		    "       deviation apart. These results are NOT reliable.\n",
		    what);
	else if (apart > times->sd)
		fprintf(out,
		    "WARNING: The median and mean for %s are not within a normal deviation\n"
		    "        These results are probably not that reliable.\n",
		    what);
}

static void
print_times(FILE *out, const struct row *row)
{
	const struct summary *summary = &row->summary;
	bool deviation = !row->cell.config->no_deviation;

	fprintf(out, "\nConnection Times (ms)\n");
	fprintf(out, deviation ? "              min  mean[+/-sd] median   max\n" : "              min   avg   max\n");
	if (row->cell.open_loop) /* the rows add up: due, begun, connected, answered */
		print_times_row(out, "Delay:", &summary->delay, deviation);
	print_times_row(out, "Connect:", &summary->connect, deviation);
	print_times_row(out, "Processing:", &summary->processing, deviation);
	print_times_row(out, "Waiting:", &summary->waiting, deviation);
	print_times_row(out, "Total:", &summary->total, deviation);
	if (!deviation)
		return;
	print_doubt(out, "the initial connection time", &summary->connect);
	print_doubt(out, "the processing time", &summary->processing);
	print_doubt(out, "the waiting time", &summary->waiting);
	print_doubt(out, "the total time", &summary->total);
}

static void
print_percentiles(FILE *out, const struct summary *summary)
{
	static const int percents[] = SUMMARY_PERCENTS;

	fprintf(out, "\nPercentage of the requests served within a certain time (ms)\n");
	for (size_t i = 0; i < ARRAY_LEN(percents); i++)
		fprintf(
		    out, "  %d%%  %5ld\n", percents[i], summary_whole_ms((double)summary->percentiles[percents[i]]));
	fprintf(out, " 100%%  %5ld (longest request)\n", summary_whole_ms((double)summary->percentiles[100]));
}

void
report_ab(const struct sweep *sweep, FILE *out)
{
	const struct row *row = &sweep->rows[0];

	print_server(out, row);
	print_counts(out, row);
	print_rates(out, row);
	if (row->summary.complete > 0)
		print_times(out, row);
	if (!sweep->config->no_percentiles && row->summary.complete > 1)
		print_percentiles(out, &row->summary);
	report_details(row, out);
}
