/* The tables of the lab's report: one a server, as text for a terminal of 80 columns. */
#ifndef EXPERIMENTS_TABLE_H
#define EXPERIMENTS_TABLE_H

#include "experiments/record.h"
#include "experiments/text.h"

/*
 * table_add adds the table of one series:
 *
 *   Concurrency | Time per request, ms (mean) | Time per request, ms (mean,
 *   across all concurrent requests) | Requests per second
 *
 * with the first column "Sleep, s" where the sleep varies.  A cell without
 * numbers says why.
 */
void table_add(struct text *text, const struct plan *plan, const struct series *series);

/* table_add_run adds title, task and tables of each experiment, and the answers. */
void table_add_run(struct text *text, const struct record *record);

/* The parts that the other reports share. */
extern const char *const table_heads[3];                           /* the last three columns */
const char *table_first_head(const struct experiment *experiment); /* the first */
/* table_add_fixed adds what does not vary: "S = 0.1 s, 100 requests". */
void table_add_fixed(struct text *text, const struct experiment *experiment);
/* table_why returns why the cell has no numbers, or only doubtful ones; "" when all is well. */
const char *table_why(const struct result *result);
/* table_remark returns what goes in front of that: "failed", "in doubt", ... */
const char *table_remark(const struct result *result);
/* table_has_series tells whether series number I belongs to EXPERIMENT and is to be shown. */
bool table_has_series(const struct plan *plan, size_t i, const struct experiment *experiment);

#endif
