/* --until-saturated: which load to try next, and which is the knee. Knows figures alone, not how they are measured. */
#include "loadgen/saturate.h"

#include <assert.h>
#include <string.h>

void
saturate_init(struct saturate *search, uint64_t first, uint64_t lowest, uint64_t highest)
{
	assert(lowest >= 1 && lowest <= first && first <= highest);
	*search = (struct saturate){.first = first, .lowest = lowest, .highest = highest};
}

/* holding finds the steps [*from, *to) that count: from the first whose expectations hold to the first above it whose do not. */
static void
holding(const struct saturate *search, size_t *from, size_t *to)
{
	*from = 0;
	while (*from < search->len && !search->steps[*from].holds)
		(*from)++;
	*to = *from;
	while (*to < search->len && search->steps[*to].holds)
		(*to)++;
}

const struct step *
saturate_best(const struct saturate *search)
{
	const struct step *best = NULL;
	size_t from, to;

	holding(search, &from, &to);
	for (size_t i = from; i < to; i++)
		if (search->steps[i].throughput > (best != NULL ? best->throughput : 0))
			best = &search->steps[i];
	return best;
}

const struct step *
saturate_knee(const struct saturate *search)
{
	const struct step *best = saturate_best(search);
	size_t from, to;

	if (best == NULL)
		return NULL;
	holding(search, &from, &to);
	while (search->steps[from].throughput < SATURATE_SHARE * best->throughput)
		from++;
	return &search->steps[from];
}

const struct step *
saturate_beyond(const struct saturate *search)
{
	size_t from, to;

	holding(search, &from, &to);
	if (from == to) /* nowhere */
		return search->len > 0 ? &search->steps[0] : NULL;
	return to < search->len ? &search->steps[to] : NULL;
}

/* cut returns the load in the middle between two, of which LOW may be none (0); 0: they are close enough. */
static uint64_t
cut(const struct saturate *search, uint64_t low, uint64_t high)
{
	uint64_t middle = low + (high - low) / 2;

	if (low == 0)
		return high <= search->lowest ? 0 : middle > search->lowest ? middle : search->lowest;
	if (high - low < 2 || (double)(high - low) <= SATURATE_WIDTH * (double)high)
		return 0;
	return middle;
}

uint64_t
saturate_next(const struct saturate *search)
{
	const struct step *steps = search->steps, *knee;
	size_t from, to;
	uint64_t load;

	if (search->len == 0)
		return search->first;
	if (search->len == SATURATE_STEPS_MAX)
		return 0;
	if (search->end == SATURATE_CLIMBING) {
		load = steps[search->len - 1].load;
		return load > search->highest / 2 ? search->highest : 2 * load;
	}
	holding(search, &from, &to);
	if (from == to)
		return cut(search, 0, steps[0].load);
	if (to < search->len) {
		load = cut(search, steps[to - 1].load, steps[to].load);
		if (load != 0)
			return load;
	}
	knee = saturate_knee(search);
	if (knee == NULL)
		return 0;
	return cut(search, knee == steps ? 0 : knee[-1].load, knee->load);
}

static void
judge_climb(struct saturate *search, const struct step *step)
{
	if (step->throughput > SATURATE_GROWTH * search->top)
		search->flat = 0;
	else
		search->flat++;
	if (step->throughput > search->top)
		search->top = step->throughput;
	if (!step->holds)
		search->end = SATURATE_BROKEN;
	else if (search->flat == 2)
		search->end = SATURATE_FLAT;
	else if (step->load == search->highest)
		search->end = search->flat > 0 ? SATURATE_FLAT : SATURATE_LIMIT;
}

void
saturate_record(struct saturate *search, const struct step *step)
{
	size_t at = search->len;

	assert(search->len < SATURATE_STEPS_MAX);
	while (at > 0 && search->steps[at - 1].load > step->load)
		at--;
	memmove(&search->steps[at + 1], &search->steps[at], (search->len - at) * sizeof(*search->steps));
	search->steps[at] = *step;
	search->len++;
	if (search->end == SATURATE_CLIMBING)
		judge_climb(search, step);
}
