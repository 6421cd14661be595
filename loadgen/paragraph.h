/* A sentence or several on lines of at most 80 columns. */
#ifndef LOADGEN_PARAGRAPH_H
#define LOADGEN_PARAGRAPH_H

#include <stdio.h>

#define PARAGRAPH_WIDTH 80

/* paragraph_print prints the words of TEXT; lines after the first begin with two blanks. A longer word stands alone. */
void paragraph_print(FILE *out, const char *text);

#endif
