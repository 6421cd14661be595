/* Pictures by gnuplot. */
#ifndef LOADGEN_GNUPLOT_H
#define LOADGEN_GNUPLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "common/compiler.h"

/* What to say where there is none. */
#define GNUPLOT_MISSING "gnuplot is not installed; it is in Debian's package gnuplot-nox"

/* gnuplot_check tells whether there is a gnuplot in $PATH. */
bool gnuplot_check(void);

/*
 * gnuplot_open starts a script in memory; gnuplot_draw has gnuplot run it, without
 * the user's own settings, closes it, and stores what came out on gnuplot's standard output
 * in *PICTURE and *LEN, which the caller frees.  gnuplot_open returns NULL when out of memory or files.  gnuplot_draw
 * returns 0, or -1 with a sentence in ERROR: gnuplot is missing, ended with an error (its words), drew nothing, or took
 * more than a minute, which ends it.
 */
FILE *gnuplot_open(void);
MUST_CHECK int gnuplot_draw(FILE *script, char **picture, size_t *len, char *error, size_t error_size);

#endif
