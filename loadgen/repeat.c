/* Repetitions of a sweep: in which order the cells run, and what their figures come to. */
#include "loadgen/repeat.h"

#include <math.h>

#include "loadgen/splitmix.h"

void
repeat_shuffle(size_t *order, size_t len, uint64_t seed, uint64_t repetition)
{
	uint64_t state = splitmix_begin(seed, repetition);

	for (size_t i = 0; i < len; i++) {
		/* The remainder favours small numbers by less than one in 2^40. */
		size_t j = (size_t)(splitmix_next(&state) % (i + 1));

		order[i] = order[j];
		order[j] = i;
	}
}

struct repeat
repeat_figures(const struct summary *summary)
{
	return (struct repeat){
	    .rps = summary->rps,
	    .mean_ns = summary_known(&summary->total, summary->total.mean),
	    .p50_ns = summary_known(&summary->total, (double)summary->percentiles[50]),
	    .p99_ns = summary_known(&summary->total, (double)summary->percentiles[99]),
	    .failed = summary->failed,
	    .measured = true,
	};
}

/* judge_ratio compares what was measured in the same repetition. */
static void
judge_ratio(struct row *row, const struct row *base, int64_t repeats)
{
	double ratios[CONFIG_REPEATS_MAX], logarithms = 0;
	size_t len = 0;

	for (int64_t i = 0; i < repeats; i++) {
		const struct repeat *one = &row->repeats[i], *other = &base->repeats[i];

		if (!one->measured || !other->measured || !(one->rps > 0) || !(other->rps > 0))
			continue;
		ratios[len] = one->rps / other->rps;
		logarithms += log(ratios[len]);
		len++;
	}
	if (len == 0)
		return;
	row->ratio = exp(logarithms / (double)len);
	row->ratio_interval = interval_of_ratio(ratios, len);
}

void
repeat_judge(struct row *row, const struct row *base, int64_t repeats)
{
	double rps[CONFIG_REPEATS_MAX], mean[CONFIG_REPEATS_MAX], p50[CONFIG_REPEATS_MAX], p99[CONFIG_REPEATS_MAX];
	size_t len = 0, known = 0;

	for (int64_t i = 0; i < repeats; i++) {
		const struct repeat *repeat = &row->repeats[i];

		if (!repeat->measured)
			continue;
		rps[len++] = repeat->rps;
		if (isnan(repeat->mean_ns))
			continue;
		mean[known] = repeat->mean_ns;
		p50[known] = repeat->p50_ns;
		p99[known] = repeat->p99_ns;
		known++;
	}
	if (len == 0)
		return;
	row->rps = interval_of_mean(rps, len);
	if (known > 0) {
		row->mean = interval_of_mean(mean, known);
		row->p50 = interval_of_mean(p50, known);
		row->p99 = interval_of_mean(p99, known);
	}
	if (base != NULL)
		judge_ratio(row, base, repeats);
}
