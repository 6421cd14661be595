/* Repetitions of a sweep: in which order the cells run, and what their figures come to. */
#ifndef LOADGEN_REPEAT_H
#define LOADGEN_REPEAT_H

#include <stddef.h>
#include <stdint.h>

#include "loadgen/sweep.h"

/*
 * repeat_shuffle puts the numbers 0 to LEN - 1 into ORDER at random: every
 * order is equally likely, so that whatever drifts during a run (heat, neighbours, caches)
 * falls on all cells alike.  The same SEED and REPETITION give the same order.
 */
void repeat_shuffle(size_t *order, size_t len, uint64_t seed, uint64_t repetition);

/* repeat_figures takes out of SUMMARY, of one repetition, what is compared between them. */
struct repeat repeat_figures(const struct summary *summary);

/*
 * repeat_judge fills the intervals of ROW, which ran REPEATS times, and its
 * ratio to BASE (NULL: there is nothing to compare with).  Ratios are taken
 * within a repetition, where both were measured at about the same time, and `ratio` is their geometric
 * mean; of a single repetition no interval is known.
 */
void repeat_judge(struct row *row, const struct row *base, int64_t repeats);

#endif
