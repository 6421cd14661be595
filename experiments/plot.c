/* Plots by gnuplot: an SVG and a PNG for each. */
#include "experiments/plot.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "experiments/command.h"
#include "experiments/memory.h"
#include "experiments/points.h"
#include "experiments/process.h"

#define DRAW_SECONDS 60.0
#define FONT "DejaVu Sans"
#define INK "#444444"

/*
 * Colours that those who see colours otherwise can tell apart too (Okabe and Ito), and a point
 * shape for each: filled, open.
 */
static const struct style {
	const char *color;
	int filled, open;
} styles[SERVERS_MAX] = {
    {"#0072B2", 7, 6},
    {"#D55E00", 5, 4},
    {"#009E73", 9, 8},
    {"#CC79A7", 13, 12},
    {"#E69F00", 11, 10},
    {"#56B4E9", 15, 14},
    {"#000000", 2, 1},
    {"#7F7F7F", 3, 3},
};

void
plot_name(char *name, size_t size, const struct experiment *experiment, unsigned plot)
{
	snprintf(name, size, "%s_%s", experiment->name, plot == PLOT_TIME ? "time" : "rps");
}

const char *
plot_title(unsigned plot)
{
	return plot == PLOT_TIME ? "time per request" : "requests per second";
}

/* add_quoted adds STRING as gnuplot's literal one. */
static void
add_quoted(struct text *script, const char *string)
{
	text_add(script, "'");
	for (; *string != '\0'; string++)
		text_add(script, *string == '\'' ? "''" : "%c", *string);
	text_add(script, "'");
}

/* One line of a plot. */
struct line {
	double x[VALUES_MAX], y[VALUES_MAX];
	size_t count;
	char title[128]; /* "": not in the legend */
	char look[160];  /* gnuplot's words for it */
};

struct lines {
	struct line at[SERVERS_MAX * 4 + 1];
	size_t count;
};

static struct line *
add_line(struct lines *lines, const double *x, const double *y, size_t count)
{
	struct line *line = &lines->at[lines->count];

	*line = (struct line){0};
	for (size_t i = 0; i < count; i++)
		if (!isnan(y[i])) {
			line->x[line->count] = x[i];
			line->y[line->count++] = y[i];
		}
	lines->count += line->count > 0;
	return line;
}

/* is_drawn tells whether a line with the same points is there already: ideals of two servers may be one. */
static bool
is_drawn(const struct lines *lines, const struct line *line)
{
	for (const struct line *other = lines->at; other < line; other++)
		if (other->count == line->count && memcmp(other->x, line->x, sizeof(line->x)) == 0 &&
		    memcmp(other->y, line->y, sizeof(line->y)) == 0)
			return true;
	return false;
}

static void
add_ideal(struct lines *lines, const struct points *points, const double *y, bool *named)
{
	struct line *line = add_line(lines, points->x, y, points->count);

	if (line->count == 0)
		return;
	if (is_drawn(lines, line)) {
		lines->count--;
		return;
	}
	snprintf(line->look, sizeof(line->look), "lines dt (10,7) lw 1 lc rgb 'black'");
	if (!*named)
		snprintf(line->title, sizeof(line->title), "ideal (only the sleep takes time)");
	*named = true;
}

/*
 * add_server adds the lines of one server.  PLACE makes each server's line a
 * little thinner than those under it, so that lines that lie on each other can all be seen.
 */
static void
add_server(struct lines *lines, const struct points *points, const struct series *series, unsigned plot, size_t place)
{
	const struct style *style = &styles[series->style - 1];
	double width = place < 3 ? 4.5 - (double)place : 2, size = place < 3 ? 1.6 - 0.25 * (double)place : 0.95;
	struct line *line = add_line(lines, points->x, plot == PLOT_RPS ? points->rps : points->time_ms, points->count);

	snprintf(line->title, sizeof(line->title), "%.80s%s", series->label, plot == PLOT_RPS ? "" : ": mean");
	snprintf(line->look, sizeof(line->look), "linespoints lw %.1f pt %d ps %.2f lc rgb '%s'", width, style->filled,
	    size, style->color);
	if (plot == PLOT_RPS)
		return;
	line = add_line(lines, points->x, points->time_all_ms, points->count);
	snprintf(line->title, sizeof(line->title), "%.60s: across all concurrent", series->label);
	snprintf(line->look, sizeof(line->look), "linespoints lw %.1f pt %d ps %.2f lc rgb '%s'", fmax(1, width / 2),
	    style->open, size, style->color);
}

/* is_in tells whether the series has points to draw in EXPERIMENT's plots, and fills them in. */
static bool
is_in(const struct plan *plan, const struct series *series, const struct experiment *experiment, struct points *points)
{
	if (series->experiment != experiment || series->server->hidden)
		return false;
	points_of(points, plan, series);
	return points->count > 0;
}

bool
plot_is_there(const struct plan *plan, const struct experiment *experiment)
{
	struct points points;

	for (size_t i = 0; i < plan->series_count; i++)
		if (is_in(plan, &plan->series[i], experiment, &points))
			return true;
	return false;
}

/* collect_lines: the measured lines first, then the ideals, which are thin and stay visible on top of them. */
static void
collect_lines(struct lines *lines, const struct plan *plan, const struct experiment *experiment, unsigned plot)
{
	struct points points;
	bool named = false;
	size_t place = 0;

	lines->count = 0;
	for (size_t i = 0; i < plan->series_count; i++)
		if (is_in(plan, &plan->series[i], experiment, &points))
			add_server(lines, &points, &plan->series[i], plot, place++);
	for (size_t i = 0; i < plan->series_count; i++) {
		double all[VALUES_MAX];

		if (!is_in(plan, &plan->series[i], experiment, &points))
			continue;
		for (size_t p = 0; p < points.count; p++)
			all[p] = 1000 / points.ideal_rps[p];
		add_ideal(lines, &points, plot == PLOT_RPS ? points.ideal_rps : points.ideal_time_ms, &named);
		if (plot == PLOT_TIME)
			add_ideal(lines, &points, all, &named);
	}
}

/* add_axes adds what both of a plot's pictures share. */
static void
add_axes(struct text *script, const struct experiment *experiment, unsigned plot, const struct lines *lines)
{
	const double *values = experiment->values;
	double low = values[0], high = values[experiment->value_count - 1];
	double margin = high > low ? 0.05 * (high - low) : 0.5 * high + 0.5, top = 0, bottom = (double)INFINITY;
	bool logarithmic = experiment->log_plots & plot;
	char *title = memory_print("%s: %s", experiment->title, plot_title(plot));

	for (size_t i = 0; i < lines->count; i++)
		for (size_t p = 0; p < lines->at[i].count; p++)
			top = fmax(top, lines->at[i].y[p]), bottom = fmin(bottom, lines->at[i].y[p]);
	text_add(script, "reset\nset title ");
	add_quoted(script, title);
	free(title);
	text_add(script, " offset 0,-0.3\nset border 3 lw 1 lc rgb '" INK "'\nset tics nomirror out scale 0.6\n");
	text_add(script, "set grid ytics lw 1 lc rgb '#DDDDDD'\nset xlabel '%s'\n",
	    experiment->vary == VARY_SLEEP ? "Sleep S, seconds" : "Concurrency c, requests at a time");
	text_add(script, "set ylabel '%s%s'\n", plot == PLOT_TIME ? "Time per request, ms" : "Requests per second, 1/s",
	    logarithmic ? " (logarithmic scale)" : "");
	text_add(script, "set xrange [%.10g:%.10g]\nset xtics (", low - margin, high + margin);
	for (size_t i = 0; i < experiment->value_count; i++)
		text_add(script, "%s'%g' %.10g", i > 0 ? ", " : "", values[i], values[i]);
	text_add(script, ")\n");
	if (logarithmic && bottom > 0 && !isinf(bottom))
		text_add(
		    script, "set logscale y\nset format y '%%g'\nset yrange [%.10g:%.10g]\n", bottom / 1.5, top * 1.5);
	else
		text_add(script, "set yrange [0:%.10g]\n", top > 0 ? 1.08 * top : 1);
}

/* add_picture draws LINES with the terminal that was set. */
static void
add_picture(struct text *script, const struct lines *lines, const char *folder, const char *name, const char *suffix,
    int key_points)
{
	char *file = memory_print("%s/%s.%s", folder, name, suffix);

	/* Below the plot: there no legend can hide a point. gnuplot takes its words for wider than they are. */
	text_add(script,
	    "set key below center Left reverse maxcols 2 samplen 2 spacing 1.1 height 0.5 width -8 font '" FONT
	    ",%d'\n",
	    key_points);
	text_add(script, "set output ");
	add_quoted(script, file);
	text_add(script, "\nplot ");
	for (size_t i = 0; i < lines->count; i++) {
		text_add(script, "%s$line%zu using 1:2 with %s title ", i > 0 ? ", " : "", i, lines->at[i].look);
		add_quoted(script, lines->at[i].title);
	}
	text_add(script, "\nset output\n");
	free(file);
}

static void
add_plot(struct text *script, const struct record *record, const struct experiment *experiment, unsigned plot,
    const char *folder)
{
	struct lines *lines = memory_new(1, sizeof(*lines));
	char name[160];

	plot_name(name, sizeof(name), experiment, plot);
	collect_lines(lines, &record->plan, experiment, plot);
	add_axes(script, experiment, plot, lines);
	for (size_t i = 0; i < lines->count; i++) {
		text_add(script, "$line%zu << EOD\n", i);
		for (size_t p = 0; p < lines->at[i].count; p++)
			text_add(script, "%.10g %.10g\n", lines->at[i].x[p], lines->at[i].y[p]);
		text_add(script, "EOD\n");
	}
	text_add(script,
	    "set terminal svg size 900,600 dynamic font '" FONT ",15' noenhanced background rgb 'white' name '%s'\n",
	    name);
	add_picture(script, lines, folder, name, "svg", 13);
	text_add(script, "set terminal pngcairo size 1800,1200 font '" FONT ",26' linewidth 2 pointscale 2 noenhanced"
			 " background rgb 'white'\n");
	add_picture(script, lines, folder, name, "png", 23);
	free(lines);
}

void
plot_script(struct text *script, const struct record *record, const char *folder)
{
	text_add(script, "set encoding utf8\nset loadpath\n");
	for (size_t e = 0; e < record->plan.asked; e++) {
		const struct experiment *experiment = &record->plan.experiments[e];

		for (unsigned plot = PLOT_TIME; plot <= PLOT_RPS; plot <<= 1)
			if ((experiment->plots & plot) && plot_is_there(&record->plan, experiment))
				add_plot(script, record, experiment, plot, folder);
	}
}

int
plot_draw(const struct record *record, const struct keeper *keeper, const char *folder, char *error)
{
	char *argv[] = {command_find("gnuplot", "."), NULL};
	struct text script = {0}, said = {0};
	int result;

	if (argv[0] == NULL) {
		snprintf(error, PLOT_ERROR_MAX, "gnuplot is not installed; it is in Debian's package gnuplot-nox");
		return -ENOENT;
	}
	plot_script(&script, record, folder);
	result = process_run(keeper, argv, &script, NULL, &said, DRAW_SECONDS);
	if (result != 0) {
		for (size_t i = 0; i < said.len; i++)
			if (said.at[i] == '\n')
				said.at[i] = ' ';
		snprintf(error, PLOT_ERROR_MAX, "gnuplot: %.300s",
		    said.len > 0 ? said.at : strerror(result < 0 ? -result : EIO));
		result = result < 0 ? result : -EIO;
	}
	text_deinit(&script);
	text_deinit(&said);
	free(argv[0]);
	return result;
}
