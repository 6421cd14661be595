/* Text in a row of CSV (RFC 4180). */
#ifndef LOADGEN_CSV_H
#define LOADGEN_CSV_H

#include <stdio.h>

/* csv_text prints TEXT, in quotes where it would break the row. */
void csv_text(FILE *out, const char *text);

#endif
