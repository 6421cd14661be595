/* cells.csv: every number of a run, one line a cell (RFC 4180). */
#ifndef EXPERIMENTS_CSV_H
#define EXPERIMENTS_CSV_H

#include "experiments/record.h"
#include "experiments/text.h"

/*
 * csv_add adds a head and one line for each cell of each series that an asked experiment
 * shows (a cell that two experiments show comes twice).  Numbers that were not measured are empty.
 */
void csv_add(struct text *text, const struct record *record);

#endif
