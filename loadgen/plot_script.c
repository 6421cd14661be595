/* Words of gnuplot that both of --plot's pictures use. */
#include "loadgen/plot_script.h"

#include "common/compiler.h"

#define FONT "DejaVu Sans"
#define INK "#444444"
#define SPAN 20 /* highest over lowest, from which on an axis is logarithmic */
#define WIDTH 900U
#define HEIGHT 400U /* of a panel */

static const struct {
	const char *color;
	int point;
} looks[] = {
    {"#0072B2", 7},
    {"#D55E00", 5},
    {"#009E73", 9},
    {"#CC79A7", 13},
    {"#E69F00", 11},
    {"#56B4E9", 15},
    {"#000000", 2},
    {"#7F7F7F", 3},
};

const char *
plot_color(size_t index)
{
	return looks[index % ARRAY_LEN(looks)].color;
}

int
plot_point(size_t index)
{
	return looks[(index + index / ARRAY_LEN(looks)) % ARRAY_LEN(looks)].point; /* the same colour, another shape */
}

void
plot_quoted(FILE *out, const char *text)
{
	fputc('\'', out);
	for (; *text != '\0'; text++)
		if (*text == '\'')
			fputs("''", out);
		else
			fputc((unsigned char)*text < ' ' ? '?' : *text, out);
	fputc('\'', out);
}

void
plot_begin(FILE *out, bool png, unsigned panels, const char *title)
{
	unsigned height = HEIGHT * panels + 60;

	fprintf(out, "set encoding utf8\n");
	if (png)
		fprintf(out,
		    "set terminal pngcairo size %u,%u font '" FONT ",22' linewidth 2 pointscale 2 noenhanced"
		    " background rgb 'white'\n",
		    2 * WIDTH, 2 * height);
	else
		fprintf(out,
		    "set terminal svg size %u,%u dynamic font '" FONT ",13' noenhanced background rgb 'white'\n", WIDTH,
		    height);
	fprintf(out, "set multiplot layout %u,1 title ", panels);
	plot_quoted(out, title);
	fprintf(out, " font '" FONT ",%d'\n", png ? 24 : 15);
}

void
plot_panel(FILE *out, const char *x, const char *y)
{
	fprintf(out, "reset\nset border 3 lw 1 lc rgb '" INK "'\nset tics nomirror out scale 0.6\n");
	fprintf(out, "set grid ytics lw 1 lc rgb '#DDDDDD'\nset lmargin 13\nset rmargin 4\n");
	/* Beside or below the points, never over them; gnuplot takes its words for wider than they are. */
	fprintf(out, "set key below center Left reverse samplen 3 maxrows 3 spacing 1.2 height 0.8\n");
	fprintf(out, "set format y '%%.10g'\n"); /* no exponents */
	fprintf(out, "set xlabel '%s'\nset ylabel '%s'\n", x, y);
}

bool
plot_logarithmic(double lowest, double highest)
{
	return lowest > 0 && highest > SPAN * lowest;
}

void
plot_y(FILE *out, double lowest, double highest)
{
	if (plot_logarithmic(lowest, highest))
		fprintf(out, "set logscale y\nset yrange [%.10g:%.10g]\n", lowest / 1.5, highest * 1.5);
	else
		fprintf(out, "set yrange [0:%.10g]\n", highest > 0 ? 1.08 * highest : 1);
}
