/* --plot of a sweep: requests per second, and the latency, against what varied. */
#include <math.h>

#include "common/clock.h"
#include "common/version.h"
#include "loadgen/plot_cell.h"
#include "loadgen/plot_lines.h"
#include "loadgen/plot_script.h"
#include "loadgen/report.h"

#define TICS_MAX 12     /* more values than that are left to gnuplot's own scale */
#define TICS_APART 0.04 /* of the axis: closer labels would stand on each other */

static const char *const axis_names[PLOT_AXES] = {
    [PLOT_RATE] = "Rate asked for, requests per second",
    [PLOT_CONCURRENCY] = "Concurrency, connections",
    [PLOT_SLEEP] = "Sleep, seconds",
};

/* Columns of a line's data, from 1 on. */
enum { COLUMN_X = 1, COLUMN_RPS, COLUMN_LOW, COLUMN_HIGH, COLUMN_P50, COLUMN_P90, COLUMN_P99 };

static void
print_data(FILE *out, const struct plot_lines *lines, const struct sweep *sweep)
{
	for (size_t l = 0; l < lines->len; l++) {
		fprintf(out, "$line%zu << EOD\n", l);
		for (size_t r = 0; r < sweep->rows_len; r++) {
			const struct row *row = &sweep->rows[r];
			const struct summary *summary = &row->summary;
			bool known = row->rps.known;

			if (!plot_line_has(lines, &lines->at[l], row))
				continue;
			fprintf(out, "%.10g %.10g %.10g %.10g %.10g %.10g %.10g\n", plot_value(&row->cell, lines->axis),
			    summary->rps, known ? row->rps.low : summary->rps, known ? row->rps.high : summary->rps,
			    summary_ms((double)summary->percentiles[50]), summary_ms((double)summary->percentiles[90]),
			    summary_ms((double)summary->percentiles[99]));
		}
		fprintf(out, "EOD\n");
	}
}

struct range {
	double low, high;
};

static void
widen(struct range *range, double value)
{
	range->low = fmin(range->low, value);
	range->high = fmax(range->high, value);
}

/* print_x has a tic at each value, as far as their labels have room. */
static void
print_x(FILE *out, const struct plot_lines *lines, const struct sweep *sweep)
{
	struct range all = {.low = (double)INFINITY, .high = -(double)INFINITY};
	double last = -(double)INFINITY, apart;
	const char *before = "";
	bool logarithmic;
	double margin;

	for (size_t r = 0; r < sweep->rows_len; r++)
		if (sweep->rows[r].measured)
			widen(&all, plot_value(&sweep->rows[r].cell, lines->axis));
	logarithmic = all.low > 0 && all.high > 20 * all.low;
	apart = logarithmic ? TICS_APART * log(all.high / all.low) : TICS_APART * (all.high - all.low);
	margin = all.high > all.low ? 0.04 * (all.high - all.low) : 0.5 * all.high + 0.5;
	if (logarithmic)
		fprintf(out, "set logscale x\nset xrange [%.10g:%.10g]\n", all.low / 1.15, all.high * 1.15);
	else
		fprintf(out, "set xrange [%.10g:%.10g]\n", all.low - margin, all.high + margin);
	fprintf(out, "set xtics (");
	for (size_t r = 0; r < sweep->rows_len; r++) {
		double value = plot_value(&sweep->rows[r].cell, lines->axis);
		double place = logarithmic ? log(value) : value;

		if (!sweep->rows[r].measured || place <= last || (*before != '\0' && place < last + apart))
			continue;
		fprintf(out, "%s'%g' %.10g", before, value, value);
		before = ", ";
		last = place;
	}
	fprintf(out, ")\n");
}

static void
print_title(FILE *out, const char *title)
{
	if (*title == '\0') {
		fprintf(out, " notitle");
		return;
	}
	fprintf(out, " title ");
	plot_quoted(out, title);
}

static void
print_rps(FILE *out, const struct plot_lines *lines, const struct sweep *sweep)
{
	double highest = 0;
	bool bars = false;

	for (size_t r = 0; r < sweep->rows_len; r++) {
		const struct row *row = &sweep->rows[r];

		if (!row->measured)
			continue;
		bars |= row->rps.known;
		highest = fmax(highest, fmax(row->summary.rps, row->rps.known ? row->rps.high : 0));
	}
	plot_panel(out, axis_names[lines->axis], bars ? "Requests per second (95% confidence)" : "Requests per second");
	plot_y(out, 0, highest);
	print_x(out, lines, sweep);
	fprintf(out, "plot ");
	/* The bars first: the points stand before them. */
	for (size_t l = 0; bars && l < lines->len; l++)
		fprintf(out, "$line%zu using %d:%d:%d:%d with yerrorbars lw 1.5 pt %d ps 0.9 lc rgb '%s' notitle, ", l,
		    COLUMN_X, COLUMN_RPS, COLUMN_LOW, COLUMN_HIGH, plot_point(l), plot_color(l));
	for (size_t l = 0; l < lines->len; l++) {
		fprintf(out, "%s$line%zu using %d:%d with linespoints lw 2 pt %d ps 0.9 lc rgb '%s'", l > 0 ? ", " : "",
		    l, COLUMN_X, COLUMN_RPS, plot_point(l), plot_color(l));
		print_title(out, lines->at[l].title);
	}
	fputc('\n', out);
}

/* A percentile's dashes: one colour is one line of the sweep. */
static const struct {
	int column;
	const char *name, *dashes;
} percentiles[] = {
    {COLUMN_P50, "p50", "solid"},
    {COLUMN_P90, "p90", "(12,5)"},
    {COLUMN_P99, "p99", "(3,4)"},
};

static void
print_latency(FILE *out, const struct plot_lines *lines, const struct sweep *sweep)
{
	struct range all = {.low = (double)INFINITY};
	bool single = lines->len == 1;

	for (size_t r = 0; r < sweep->rows_len; r++) {
		if (!sweep->rows[r].measured)
			continue;
		widen(&all, summary_ms((double)sweep->rows[r].summary.percentiles[50]));
		widen(&all, summary_ms((double)sweep->rows[r].summary.percentiles[99]));
	}
	plot_panel(out, axis_names[lines->axis], config_open_loop(sweep->config) ? "Response time, ms" : "Latency, ms");
	plot_y(out, all.low, all.high);
	print_x(out, lines, sweep);
	fprintf(out, "plot ");
	for (size_t i = 0; i < ARRAY_LEN(percentiles); i++) {
		/* Several lines: their colours are in the key above, so the key here has the dashes alone. */
		if (!single)
			fprintf(out, "%sNaN with lines lw 2 dt %s lc rgb '#444444' title '%s'", i > 0 ? ", " : "",
			    percentiles[i].dashes, percentiles[i].name);
		for (size_t l = 0; l < lines->len; l++) {
			size_t look = single ? i : l;

			fprintf(out, "%s$line%zu using %d:%d with linespoints lw 2 dt %s pt %d ps 0.9 lc rgb '%s'",
			    single && i == 0 ? "" : ", ", l, COLUMN_X, percentiles[i].column, percentiles[i].dashes,
			    plot_point(look), plot_color(look));
			print_title(out, single ? percentiles[i].name : "");
		}
	}
	fputc('\n', out);
}

static void
print_sweep(const struct sweep *sweep, FILE *out, bool png)
{
	struct plot_lines lines;
	char title[256];

	plot_lines_find(&lines, sweep);
	snprintf(title, sizeof(title), "loadgen %s: %.150s%s%s", LOOPFORK_VERSION,
	    sweep->targets_len == 1 ? sweep->targets[0].url : "targets beside each other",
	    sweep->config->spec.keep_alive ? ", keep-alive" : "", lines.left_out ? " (not all lines)" : "");
	print_data(out, &lines, sweep);
	plot_begin(out, png, 2, title);
	print_rps(out, &lines, sweep);
	print_latency(out, &lines, sweep);
	fprintf(out, "unset multiplot\n");
}

void
report_plot_script(const struct sweep *sweep, FILE *out, bool png)
{
	if (sweep->rows_len == 1)
		plot_cell(&sweep->rows[0], out, png);
	else
		print_sweep(sweep, out, png);
}
