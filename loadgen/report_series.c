/* --series: what happened in each second of each cell, as CSV: docs/loadgen-output.md. */
#include <inttypes.h>

#include "common/clock.h"
#include "loadgen/csv.h"
#include "loadgen/report.h"

static void
print_ms(FILE *out, uint64_t ns, bool known)
{
	if (known)
		fprintf(out, ",%.3f", summary_ms((double)ns));
	else
		fputc(',', out);
}

static void
print_second(FILE *out, const struct row *row, size_t second)
{
	const struct series *series = &row->stats.series;
	const struct cell *cell = &row->cell;
	struct series_figures figures;
	bool some;

	series_figures(&series, 1, second, 1, &figures);
	some = figures.complete > 0;
	csv_text(out, cell->target->url);
	fputc(',', out);
	if (cell->has_sleep)
		fprintf(out, "%.9g", (double)cell->sleep_ns / (double)NS_PER_SEC);
	fprintf(out, ",%" PRIu32 ",", cell->concurrency);
	if (cell->open_loop && cell->ramp.duration_ns == 0)
		fprintf(out, "%.10g", cell->ramp.from);
	fprintf(out, ",%zu,%" PRIu64 ",%" PRIu64 ",%" PRIu64, second, figures.complete, figures.failed,
	    figures.bytes_received);
	print_ms(out, figures.p50_ns, some);
	print_ms(out, figures.p90_ns, some);
	print_ms(out, figures.p99_ns, some);
	print_ms(out, figures.max_ns, some);
	fputc('\n', out);
}

int
report_series(FILE *out, const void *what)
{
	const struct sweep *sweep = what;

	fputs("target,sleep_s,concurrency,rate,t_s,complete,failed,bytes_received,p50_ms,p90_ms,p99_ms,max_ms\n", out);
	for (size_t i = 0; i < sweep->rows_len; i++) {
		size_t len = series_len(&sweep->rows[i].stats.series);

		for (size_t second = 0; sweep->rows[i].measured && second < len; second++)
			print_second(out, &sweep->rows[i], second);
	}
	return 0;
}
