/* Two runs beside each other: a ratio for each cell that both have. */
#ifndef EXPERIMENTS_COMPARE_H
#define EXPERIMENTS_COMPARE_H

#include "experiments/record.h"
#include "experiments/text.h"

/*
 * compare_add adds a table of the cells that both runs measured: requests per
 * second and mean time per request of A and of B, and B / A.  A cell is
 * marked where either ratio is further from 1 than THRESHOLD (0.05: 5%).  Cells of only one run are
 * counted below.  Returns how many are marked; *SHARED is how many both have.
 */
size_t compare_add(struct text *text, const struct record *a, const struct record *b, double threshold, size_t *shared);

#endif
