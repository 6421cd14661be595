/* --plot: the picture of a run, as gnuplot draws it. */
#include "loadgen/picture.h"

#include <errno.h>
#include <string.h>

#include "loadgen/gnuplot.h"
#include "loadgen/report.h"

int
picture_draw(struct picture *picture, const struct sweep *sweep, const char *path, char *error, size_t error_size)
{
	size_t len = strlen(path);
	FILE *script = gnuplot_open();

	if (script == NULL) {
		snprintf(error, error_size, "cannot run gnuplot: %s", strerror(errno));
		return -1;
	}
	report_plot_script(sweep, script, len > 4 && strcmp(path + len - 4, ".png") == 0);
	return gnuplot_draw(script, &picture->bytes, &picture->len, error, error_size);
}

int
picture_print(FILE *out, const void *what)
{
	const struct picture *picture = what;

	fwrite(picture->bytes, 1, picture->len, out);
	return 0;
}
