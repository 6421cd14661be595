/* Output files that appear only whole: written beside their place and renamed. */
#ifndef LOADGEN_OUTFILE_H
#define LOADGEN_OUTFILE_H

#include <stdbool.h>
#include <stdio.h>

#include "common/compiler.h"

/*
 * outfile_fn writes the contents.  Returns 0, or -errno where they are not whole;
 * errors of OUT need not be looked at.
 */
typedef int outfile_fn(FILE *out, const void *what);

/*
 * outfile_check finds out before the run whether PATH can be written after it,
 * leaving everything as it was.  Returns 0 or -errno.
 */
MUST_CHECK int outfile_check(const char *path);

/*
 * outfile_write has WRITE print WHAT to PATH, "-" being standard output.  A
 * regular file gets the new contents at once or keeps the old ones, also
 * behind a symbolic link, which stays, and its permissions stay; a device or pipe is written in place.  Returns 0 or -errno.
 */
MUST_CHECK int outfile_write(const char *path, outfile_fn *write, const void *what);

/* outfile_same tells whether two paths lead to the same place, however they are spelled; neither need exist. */
bool outfile_same(const char *one, const char *other);

#endif
