/* --plot: the picture of a run, as gnuplot draws it. */
#ifndef LOADGEN_PICTURE_H
#define LOADGEN_PICTURE_H

#include <stddef.h>
#include <stdio.h>

#include "common/compiler.h"
#include "loadgen/sweep.h"

struct picture {
	char *bytes;
	size_t len;
};

/*
 * picture_draw draws the figures of SWEEP, of which there must be some, in the format that the end of PATH tells.  Returns
 * 0, and the caller frees the bytes; or -1 with a sentence in ERROR.
 */
MUST_CHECK int picture_draw(
    struct picture *picture, const struct sweep *sweep, const char *path, char *error, size_t error_size);

/* picture_print writes the bytes of PICTURE (outfile_fn). */
int picture_print(FILE *out, const void *picture);

#endif
