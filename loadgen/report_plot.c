/* --plot of a sweep: requests per second, and the latency, against what varied. */
#include <math.h>

#include "common/clock.h"
#include "common/version.h"
#include "loadgen/plot_cell.h"
#include "loadgen/plot_lines.h"
#include "loadgen/plot_script.h"
#include "loadgen/report.h"

#define DIGIT_WIDTH 0.012 /* of the labels below the axis, as a part of its length */

static const char *const axis_names[PLOT_AXES] = {
    [PLOT_RATE] = "Rate asked for, requests per second",
    [PLOT_CONCURRENCY] = "Concurrency, connections",
    [PLOT_SLEEP] = "Sleep, seconds",
};

/* Columns of a line's data, from 1 on. */
enum { COLUMN_X = 1, COLUMN_RPS, COLUMN_LOW, COLUMN_HIGH, COLUMN_P50, COLUMN_P90, COLUMN_P99 };

/* next_value returns the lowest value behind AFTER that was measured on AXIS; infinity: there is none. */
static double
next_value(const struct sweep *sweep, enum plot_axis axis, double after)
{
	double next = (double)INFINITY;

	for (size_t r = 0; r < sweep->rows_len; r++) {
		double value = plot_value(&sweep->rows[r].cell, axis);

		if (sweep->rows[r].measured && value > after)
			next = fmin(next, value);
	}
	return next;
}

/* print_latencies prints the percentiles, or that there are none: gnuplot leaves the points out. */
static void
print_latencies(FILE *out, const struct summary *summary)
{
	static const int percents[] = {50, 90, 99};

	for (size_t i = 0; i < ARRAY_LEN(percents); i++)
		if (summary->total.count > 0)
			fprintf(out, " %.10g", summary_ms((double)summary->percentiles[percents[i]]));
		else
			fprintf(out, " NaN");
	fputc('\n', out);
}

static void
print_point(FILE *out, const struct row *row, double value)
{
	double rps = row->summary.rps;
	bool known = row->rps.known;

	fprintf(out, "%.10g %.10g %.10g %.10g", value, rps, known ? row->rps.low : rps, known ? row->rps.high : rps);
	print_latencies(out, &row->summary);
}

/* print_data has the points of each line from left to right, in whatever order they were asked for. */
static void
print_data(FILE *out, const struct plot_lines *lines, const struct sweep *sweep)
{
	const enum plot_axis axis = lines->axis;

	for (size_t l = 0; l < lines->len; l++) {
		fprintf(out, "$line%zu << EOD\n", l);
		for (double at = next_value(sweep, axis, -1); isfinite(at); at = next_value(sweep, axis, at))
			for (size_t r = 0; r < sweep->rows_len; r++)
				if (plot_line_has(lines, &lines->at[l], &sweep->rows[r]) &&
				    !(plot_value(&sweep->rows[r].cell, axis) < at) &&
				    !(plot_value(&sweep->rows[r].cell, axis) > at))
					print_point(out, &sweep->rows[r], at);
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

/* label writes VALUE as people write numbers: no exponent, and no zeros behind its last digit. Returns its length. */
static int
label(char *text, size_t size, double value)
{
	int len = snprintf(text, size, "%.9f", value);

	while (text[len - 1] == '0')
		len--;
	len -= text[len - 1] == '.';
	text[len] = '\0';
	return len;
}

/* print_x has a tic at each value, as far as their labels have room. */
static void
print_x(FILE *out, const struct plot_lines *lines, const struct sweep *sweep)
{
	struct range all = {.low = (double)INFINITY, .high = -(double)INFINITY};
	double width, margin, last = 0;
	bool logarithmic;
	int last_len = 0;

	for (size_t r = 0; r < sweep->rows_len; r++)
		if (sweep->rows[r].measured)
			widen(&all, plot_value(&sweep->rows[r].cell, lines->axis));
	logarithmic = plot_logarithmic(all.low, all.high);
	width = logarithmic ? log(all.high / all.low) : all.high - all.low;
	margin = all.high > all.low ? 0.04 * (all.high - all.low) : 0.5 * all.high + 0.5;
	if (logarithmic)
		fprintf(out, "set logscale x\nset xrange [%.10g:%.10g]\n", all.low / 1.15, all.high * 1.15);
	else
		fprintf(out, "set xrange [%.10g:%.10g]\n", all.low - margin, all.high + margin);
	fprintf(out, "set xtics (");
	for (double at = all.low; isfinite(at); at = next_value(sweep, lines->axis, at)) {
		double place = logarithmic ? log(at) : at;
		char text[64];
		int len = label(text, sizeof(text), at);

		/* Half of each label lies between their places. */
		if (last_len > 0 && place - last < ((last_len + len) / 2.0 + 1) * DIGIT_WIDTH * width)
			continue;
		fprintf(out, "%s'%s' %.10g", last_len > 0 ? ", " : "", text, at);
		last = place;
		last_len = len;
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
		const struct summary *summary = &sweep->rows[r].summary;

		if (!sweep->rows[r].measured || summary->total.count == 0)
			continue;
		widen(&all, summary_ms((double)summary->percentiles[50]));
		widen(&all, summary_ms((double)summary->percentiles[99]));
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
