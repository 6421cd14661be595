/* --plot of one cell: its seconds, and its latency by percentile. */
#include "loadgen/plot_cell.h"

#include <math.h>

#include "common/clock.h"
#include "common/version.h"
#include "loadgen/plot_script.h"

#define SHORTEST_S 0.2   /* of the last second that still makes a point: less says little about a rate */
#define LEVELS_A_HALF 10 /* points for each halving of the distance to 100% */

/* repetitions lie upon each other in the series. */
static double
repetitions(const struct row *row)
{
	return row->cell.config->repeats > 1 ? (double)row->cell.config->repeats : 1;
}

/* end_of returns how many seconds ROW took: each of its repetitions. */
static double
end_of(const struct row *row)
{
	return (double)row->summary.duration_ns / (double)NS_PER_SEC / repetitions(row);
}

static void
print_seconds(FILE *out, const struct row *row)
{
	const struct series *series = &row->stats.series;
	double end = end_of(row);
	size_t len = series_len(series);

	fprintf(out, "$seconds << EOD\n");
	if (len == 0) /* gnuplot wants a point, or a range of its own */
		fprintf(out, "0 0 NaN NaN NaN NaN\n");
	for (size_t second = 0; second < len; second++) {
		double width = fmin(1, end - (double)second);
		struct series_figures figures;

		series_figures(&series, 1, second, 1, &figures);
		if (second > 0 && width < SHORTEST_S)
			continue;
		fprintf(out, "%.10g %.10g", (double)second + fmin(1, fmax(0, width)) / 2,
		    width > 0 ? (double)figures.complete / width / repetitions(row) : 0);
		if (figures.complete > 0)
			fprintf(out, " %.10g %.10g %.10g %.10g\n", summary_ms((double)figures.p50_ns),
			    summary_ms((double)figures.p90_ns), summary_ms((double)figures.p99_ns),
			    summary_ms((double)figures.max_ns));
		else
			fprintf(out, " NaN NaN NaN NaN\n");
	}
	fprintf(out, "EOD\n");
}

/* print_levels: the latency against 1 / (1 - percentile), up to the last request. */
static void
print_levels(FILE *out, const struct histogram *histogram)
{
	double last = fmax(2, (double)histogram->count), factor = exp2(1.0 / LEVELS_A_HALF);

	fprintf(out, "$levels << EOD\n");
	if (histogram->count == 0) {
		fprintf(out, "1 NaN\nEOD\n");
		return;
	}
	for (double inverse = 1; inverse < last * factor; inverse *= factor) {
		double at = fmin(inverse, last);

		fprintf(
		    out, "%.10g %.10g\n", at, summary_ms((double)histogram_percentile(histogram, 100 * (1 - 1 / at))));
	}
	fprintf(out, "%.10g %.10g\nEOD\n", last, summary_ms((double)histogram_at(histogram, histogram->count)));
}

static void
print_rps(FILE *out, const struct row *row)
{
	plot_panel(out, "Time, seconds", "Requests per second");
	fprintf(out, "set yrange [0:%s]\nset xrange [0:%.10g]\nset offsets 0, 0, graph 0.06, 0\n",
	    row->summary.complete > 0 ? "*" : "1", end_of(row));
	fprintf(out, "plot $seconds using 1:2 with linespoints lw 2 pt %d ps 0.7 lc rgb '%s' notitle\n", plot_point(0),
	    plot_color(0));
}

static void
print_latency(FILE *out, const struct row *row)
{
	static const struct {
		int column;
		const char *name;
	} lines[] = {{3, "p50"}, {4, "p90"}, {5, "p99"}, {6, "max"}};
	const struct summary *summary = &row->summary;

	plot_panel(out, "Time, seconds", row->cell.open_loop ? "Response time, ms" : "Latency, ms");
	plot_y(out, summary_ms((double)summary->total.min), summary_ms((double)summary->total.max));
	fprintf(out, "set xrange [0:%.10g]\nplot ", end_of(row));
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		fprintf(out, "%s$seconds using 1:%d with linespoints lw 2 pt %d ps 0.7 lc rgb '%s' title '%s'",
		    i > 0 ? ", " : "", lines[i].column, plot_point(i), plot_color(i), lines[i].name);
	fputc('\n', out);
}

static void
print_distribution(FILE *out, const struct row *row)
{
	static const char *const names[] = {
	    "0%%", "50%%", "90%%", "99%%", "99.9%%", "99.99%%", "99.999%%", "99.9999%%"};
	static const double places[] = {1, 2, 10, 100, 1000, 10000, 100000, 1000000};
	const struct summary *summary = &row->summary;

	plot_panel(out, "Percentile", row->cell.open_loop ? "Response time, ms" : "Latency, ms");
	plot_y(out, summary_ms((double)summary->total.min), summary_ms((double)summary->total.max));
	fprintf(out, "set logscale x\nset xrange [1:%.10g]\nset xtics (", fmax(2, (double)summary->complete));
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		fprintf(out, "%s'%s' %g", i > 0 ? ", " : "", names[i], places[i]);
	fprintf(out, ")\nset grid xtics\nplot $levels using 1:2 with lines lw 2 lc rgb '%s' notitle\n", plot_color(0));
}

void
plot_cell(const struct row *row, FILE *out, bool png)
{
	const struct cell *cell = &row->cell;
	char title[256 + CELL_TEXT_MAX], what[CELL_TEXT_MAX];

	cell_describe(cell, what);
	snprintf(title, sizeof(title), "loadgen %s: %.150s, %s%s", LOOPFORK_VERSION, cell->target->url, what,
	    cell->config->spec.keep_alive ? ", keep-alive" : "");
	print_seconds(out, row);
	print_levels(out, &row->stats.total);
	plot_begin(out, png, 3, title);
	print_rps(out, row);
	print_latency(out, row);
	print_distribution(out, row);
	fprintf(out, "unset multiplot\n");
}
