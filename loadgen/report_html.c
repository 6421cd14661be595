/* -w: ab's report as a table in HTML, row by row (httpd 2.4, support/ab.c). */
#include <inttypes.h>
#include <string.h>

#include "common/clock.h"
#include "common/version.h"
#include "loadgen/report.h"

/* The attributes of -x, -y and -z. */
struct style {
	FILE *out;
	const char *table, *row, *cell;
};

void
report_html_begin(FILE *out)
{
	fprintf(out, "<p>\n This is loadgen, Version %s, with the flags and the report of ApacheBench<br>\n</p>\n<p>\n",
	    LOOPFORK_VERSION);
	fflush(out);
}

/* print_text: what a server or a URL says must not become markup. ab lets it. */
static void
print_text(FILE *out, const char *text)
{
	for (; *text != '\0'; text++)
		switch (*text) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		default:
			fputc(*text, out);
		}
}

static void
print_text_row(const struct style *style, const char *name, const char *text)
{
	fprintf(style->out, "<tr %s><th colspan=2 %s>%s:</th><td colspan=2 %s>", style->row, style->cell, name,
	    style->cell);
	print_text(style->out, text);
	fprintf(style->out, "</td></tr>\n");
}

static void
print_count_row(const struct style *style, const char *name, uint64_t count, const char *unit)
{
	fprintf(style->out, "<tr %s><th colspan=2 %s>%s:</th><td colspan=2 %s>%" PRIu64 "%s</td></tr>\n", style->row,
	    style->cell, name, style->cell, count, unit);
}

/* print_rate_row: NAME of NULL leaves the first column empty. */
static void
print_rate_row(const struct style *style, const char *name, double rate, const char *unit)
{
	if (name != NULL)
		fprintf(style->out, "<tr %s><th colspan=2 %s>%s:</th>", style->row, style->cell, name);
	else
		fprintf(style->out, "<tr %s><td colspan=2 %s>&nbsp;</td>", style->row, style->cell);
	fprintf(style->out, "<td colspan=2 %s>%.2f%s</td></tr>\n", style->cell, rate, unit);
}

static void
print_server(const struct style *style, const struct row *row)
{
	const struct summary *summary = &row->summary;
	char server[RESPONSE_SERVER_MAX];

	snprintf(server, sizeof(server), "%.*s", (int)strcspn(summary->server, " "), summary->server); /* as in ab */
	print_text_row(style, "Server Software", server);
	print_text_row(style, "Server Hostname", row->cell.target->host);
	if (row->cell.target->socket != NULL)
		print_text_row(style, "Server Socket", row->cell.target->socket);
	else
		print_count_row(style, "Server Port", row->cell.target->port, "");
	print_text_row(style, "Document Path", row->cell.path);
	if (row->cell.config->variable_length)
		print_text_row(style, "Document Length", "Variable");
	else
		print_count_row(style, "Document Length",
		    summary->document_len > 0 ? (uint64_t)summary->document_len : 0, " bytes");
}

static void
print_failures(const struct style *style, const struct summary *summary)
{
	const uint64_t *failures = summary->failures;

	if (summary->failed == 0)
		return;
	fprintf(style->out,
	    "<tr %s><td colspan=4 %s >   (Connect: %" PRIu64 ", Length: %" PRIu64 ", Exceptions: %" PRIu64
	    ")</td></tr>\n",
	    style->row, style->cell, failures[FAILURE_CONNECT] + failures[FAILURE_TLS],
	    failures[FAILURE_TRUNCATED] + failures[FAILURE_LENGTH], failures[FAILURE_MALFORMED]);
	if (failures[FAILURE_RESET] + failures[FAILURE_TIMEOUT] > 0) /* ab has no place for them here */
		fprintf(style->out,
		    "<tr %s><td colspan=4 %s >   (Receive: %" PRIu64 ", Timeout: %" PRIu64 ")</td></tr>\n", style->row,
		    style->cell, failures[FAILURE_RESET], failures[FAILURE_TIMEOUT]);
}

static void
print_counts(const struct style *style, const struct row *row)
{
	const struct summary *summary = &row->summary;
	const struct config *config = row->cell.config;

	print_count_row(style, "Concurrency Level", row->cell.concurrency, "");
	fprintf(style->out,
	    "<tr %s><th colspan=2 %s>Time taken for tests:</th><td colspan=2 %s>%.3f seconds</td></tr>\n", style->row,
	    style->cell, style->cell, (double)summary->duration_ns / (double)NS_PER_SEC);
	print_count_row(style, "Complete requests", summary->complete, "");
	print_count_row(style, "Failed requests", summary->failed, "");
	print_failures(style, summary);
	if (summary->non_2xx > 0)
		print_count_row(style, "Non-2xx responses", summary->non_2xx, "");
	if (config->spec.keep_alive)
		print_count_row(style, "Keep-Alive requests", summary->kept_alive, "");
	print_count_row(style, "Total transferred", summary->bytes_received, " bytes");
	if (report_sends_body(row))
		print_count_row(style, "Total body sent", summary->bytes_sent, "");
	print_count_row(style, "HTML transferred", summary->bytes_body, " bytes");
}

static void
print_rates(const struct style *style, const struct row *row)
{
	const struct summary *summary = &row->summary;
	double kib_seconds = 1024 * (double)summary->duration_ns / (double)NS_PER_SEC;

	if (summary->duration_ns == 0)
		return;
	print_rate_row(style, "Requests per second", summary->rps, "");
	print_rate_row(style, "Transfer rate", (double)summary->bytes_received / kib_seconds, " kb/s received");
	if (!report_sends_body(row))
		return;
	print_rate_row(style, NULL, (double)summary->bytes_sent / kib_seconds, " kb/s sent");
	print_rate_row(
	    style, NULL, (double)(summary->bytes_received + summary->bytes_sent) / kib_seconds, " kb/s total");
}

static void
print_times_row(const struct style *style, const char *name, const struct distribution *times)
{
	fprintf(style->out, "<tr %s><th %s>%s:</th><td %s>%5ld</td><td %s>%5ld</td><td %s>%5ld</td></tr>\n", style->row,
	    style->cell, name, style->cell, summary_whole_ms((double)times->min), style->cell,
	    summary_whole_ms(times->mean), style->cell, summary_whole_ms((double)times->max));
}

static void
print_times(const struct style *style, const struct row *row)
{
	const struct summary *summary = &row->summary;

	fprintf(style->out, "<tr %s><th %s colspan=4>Connection Times (ms)</th></tr>\n", style->row, style->cell);
	fprintf(style->out, "<tr %s><th %s>&nbsp;</th> <th %s>min</th>   <th %s>avg</th>   <th %s>max</th></tr>\n",
	    style->row, style->cell, style->cell, style->cell, style->cell);
	if (row->cell.open_loop)
		print_times_row(style, "Delay", &summary->delay);
	print_times_row(style, "Connect", &summary->connect);
	print_times_row(style, "Processing", &summary->processing);
	print_times_row(style, "Total", &summary->total);
}

static void
print_remark(FILE *out, const char *text)
{
	fputs("<p>", out);
	print_text(out, text);
	fputs("</p>\n", out);
}

static void
print_row(const struct style *style, const struct row *row)
{
	fprintf(style->out, "\n\n<table %s>\n", style->table);
	print_server(style, row);
	print_counts(style, row);
	print_rates(style, row);
	if (row->summary.complete > 0)
		print_times(style, row);
	fprintf(style->out, "</table>\n");
	report_remarks(row, style->out, print_remark);
}

void
report_html(const struct sweep *sweep, FILE *out)
{
	const struct config *config = sweep->config;
	const struct style style = {
	    .out = out,
	    .table = config->html_table != NULL ? config->html_table : "",
	    .row = config->html_row != NULL ? config->html_row : "",
	    .cell = config->html_cell != NULL ? config->html_cell : "bgcolor=white", /* as in ab */
	};

	for (size_t i = 0; i < sweep->rows_len; i++)
		if (sweep->rows[i].measured)
			print_row(&style, &sweep->rows[i]);
}
