/* --help for a program with many options: two in a line, so that all of them fit a screen. */
#ifndef LOADGEN_USAGE_H
#define LOADGEN_USAGE_H

#include <stdio.h>

#include "common/options.h"

/*
 * usage_write writes to OUT what options_usage would print, but an option by
 * its short name alone where it has one, two options in a line where the texts
 * of both are short enough (24 columns), and nothing is wrapped: a text that
 * has a line of its own has 63 columns.
 */
void usage_write(const struct options_program *program, FILE *out);

#endif
