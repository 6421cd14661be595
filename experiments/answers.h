/* The lab's questions, answered by sentences that are computed from the numbers just measured. */
#ifndef EXPERIMENTS_ANSWERS_H
#define EXPERIMENTS_ANSWERS_H

#include "experiments/plan.h"

struct answer {
	char *question;
	char *text;
};

/*
 * answers_make answers the questions of all experiments of PLAN, in their
 * order: `concurrency` and `wait` for each server of the experiment, and
 * `blocking` for each blocked loop in it, beside an unblocked loop and
 * blocking workers where the experiment has them.  What the sentences say
 * follows from fitted exponents and slopes (points.h); where cells are missing
 * they say that.  The same answer to the same question is given once.
 * Returns an array of *COUNT answers, which answers_free frees.
 */
struct answer *answers_make(const struct plan *plan, size_t *count);
void answers_free(struct answer *answers, size_t count);

#endif
