/* Words of gnuplot that both of --plot's pictures use. */
#ifndef LOADGEN_PLOT_SCRIPT_H
#define LOADGEN_PLOT_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* The colour and point shape of line INDEX: Okabe and Ito's colours, which those who see colours otherwise can tell apart too. */
const char *plot_color(size_t index);
int plot_point(size_t index);

/* plot_quoted prints TEXT as gnuplot's literal string. */
void plot_quoted(FILE *out, const char *text);

/* plot_begin sets the picture up: PANELS panels below each other, under TITLE. */
void plot_begin(FILE *out, bool png, unsigned panels, const char *title);

/* plot_panel begins the next panel: what the last one set is forgotten. */
void plot_panel(FILE *out, const char *x, const char *y);

/* plot_logarithmic tells whether values from LOWEST to HIGHEST are too far apart for an axis that begins at 0. */
bool plot_logarithmic(double lowest, double highest);

/* plot_y sets the vertical axis: from 0 on, or logarithmic. */
void plot_y(FILE *out, double lowest, double highest);

#endif
