/* A row of numbers as a row of characters, one each: the higher the number, the higher the character. */
#include "loadgen/sparkline.h"

#include <math.h>
#include <string.h>

#define HEIGHTS 8

static const char *const blocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
static const char *const ascii[] = {" ", "_", ".", "-", "~", "+", "*", "%", "#"};

double
sparkline_write(char *text, const double *values, size_t len, bool utf8)
{
	const char *const *heights = utf8 ? blocks : ascii;
	double highest = 0;

	for (size_t i = 0; i < len; i++)
		highest = fmax(highest, values[i]);
	for (size_t i = 0; i < len; i++) {
		/* Rounded up: a second with a single answer differs from one with none. */
		size_t height = values[i] > 0 ? (size_t)ceil(values[i] / highest * HEIGHTS) : 0;

		text = stpcpy(text, heights[height < HEIGHTS ? height : HEIGHTS]);
	}
	*text = '\0';
	return highest;
}
