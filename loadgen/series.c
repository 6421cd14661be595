/* What happened in each second of a cell: written by one thread, read by another for the live display. */
#include "loadgen/series.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define LOWEST_OCTAVE 10 /* 2^10 ns */
#define STEP_BITS 5      /* SERIES_STEPS is 2^STEP_BITS */

int
series_init(struct series *series)
{
	*series = (struct series){.seconds = calloc(SERIES_MAX, sizeof(*series->seconds))};
	if (series->seconds == NULL)
		return -ENOMEM;
	series->seconds[0] = calloc(1, sizeof(struct series_second));
	series->made = 1;
	return series->seconds[0] != NULL ? 0 : -ENOMEM;
}

void
series_deinit(struct series *series)
{
	for (size_t i = 0; i < series->made; i++)
		free(series->seconds[i]);
	free(series->seconds);
	*series = (struct series){0};
}

static struct series_second *
second_at(const struct series *series, size_t index)
{
	return atomic_load_explicit(&series->seconds[index], memory_order_acquire);
}

/* One writer: a load and a store are enough, and cost no lock. */
static void
add(_Atomic uint64_t *counter, uint64_t more)
{
	atomic_store_explicit(
	    counter, atomic_load_explicit(counter, memory_order_relaxed) + more, memory_order_relaxed);
}

static void
add_times(_Atomic uint32_t *counter, uint32_t more)
{
	atomic_store_explicit(
	    counter, atomic_load_explicit(counter, memory_order_relaxed) + more, memory_order_relaxed);
}

static void
raise_to(_Atomic uint64_t *highest, uint64_t value)
{
	if (value > atomic_load_explicit(highest, memory_order_relaxed))
		atomic_store_explicit(highest, value, memory_order_relaxed);
}

void
series_begin(struct series *series, uint64_t begin_ns)
{
	series->begin_ns = begin_ns;
	series->present = NULL;
	atomic_store_explicit(&series->len, 0, memory_order_release);
	for (size_t i = 0; i < series->made; i++) {
		struct series_second *second = second_at(series, i);

		if (second == NULL)
			continue;
		atomic_store_explicit(&second->complete, 0, memory_order_relaxed);
		atomic_store_explicit(&second->failed, 0, memory_order_relaxed);
		atomic_store_explicit(&second->bytes_received, 0, memory_order_relaxed);
		atomic_store_explicit(&second->max_ns, 0, memory_order_relaxed);
		for (size_t step = 0; step < SERIES_TIMES; step++)
			atomic_store_explicit(&second->times[step], 0, memory_order_relaxed);
	}
}

static void
lengthen(struct series *series, size_t len)
{
	if (len > series_len(series))
		atomic_store_explicit(&series->len, len, memory_order_release);
}

/* make_second returns the second INDEX, which exists from now on, or NULL: out of memory. */
static struct series_second *
make_second(struct series *series, size_t index)
{
	struct series_second *second = second_at(series, index);

	if (second == NULL) {
		second = calloc(1, sizeof(*second));
		if (second == NULL)
			return NULL;
		atomic_store_explicit(&series->seconds[index], second, memory_order_release);
		if (index >= series->made)
			series->made = index + 1;
	}
	lengthen(series, index + 1);
	return second;
}

/* step_of returns the count that TOTAL_NS falls on; middle_of a time that stands for all of a count. */
static size_t
step_of(uint64_t total_ns)
{
	unsigned octave;

	if (total_ns < 1ULL << LOWEST_OCTAVE)
		return 0;
	octave = 63U - (unsigned)__builtin_clzll(total_ns);
	if (octave >= LOWEST_OCTAVE + SERIES_TIMES / SERIES_STEPS)
		return SERIES_TIMES - 1;
	return (size_t)(octave - LOWEST_OCTAVE) * SERIES_STEPS +
	       (size_t)(total_ns >> (octave - STEP_BITS)) % SERIES_STEPS;
}

static uint64_t
middle_of(size_t step)
{
	unsigned octave = LOWEST_OCTAVE + (unsigned)(step / SERIES_STEPS);
	uint64_t width = 1ULL << (octave - STEP_BITS);

	return (1ULL << octave) + step % SERIES_STEPS * width + width / 2;
}

/* turn_to makes the second in which END_NS lies the present one. */
static void
turn_to(struct series *series, uint64_t end_ns)
{
	uint64_t after = end_ns > series->begin_ns ? (end_ns - series->begin_ns) / SERIES_INTERVAL_NS : 0;
	size_t index = after < SERIES_MAX ? (size_t)after : SERIES_MAX - 1;

	while ((series->present = make_second(series, index)) == NULL)
		index--; /* the first exists */
	series->present_ns = series->begin_ns + index * SERIES_INTERVAL_NS;
}

void
series_record(struct series *series, uint64_t end_ns, uint64_t total_ns, uint64_t bytes_received, bool failed)
{
	struct series_second *second;

	if (series->present == NULL || end_ns - series->present_ns >= SERIES_INTERVAL_NS)
		turn_to(series, end_ns);
	second = series->present;
	add(&second->complete, 1);
	if (failed)
		add(&second->failed, 1);
	add(&second->bytes_received, bytes_received);
	raise_to(&second->max_ns, total_ns);
	add_times(&second->times[step_of(total_ns)], 1);
}

void
series_extend(struct series *series, uint64_t end_ns)
{
	uint64_t after = end_ns > series->begin_ns ? end_ns - series->begin_ns : 0;
	uint64_t len = after / SERIES_INTERVAL_NS + (after % SERIES_INTERVAL_NS > 0);

	lengthen(series, len < SERIES_MAX ? (size_t)len : SERIES_MAX);
}

int
series_merge(struct series *into, const struct series *from)
{
	for (size_t i = 0; i < series_len(from); i++) {
		const struct series_second *second = second_at(from, i);
		struct series_second *sum;

		if (second == NULL)
			continue;
		sum = make_second(into, i);
		if (sum == NULL)
			return -ENOMEM;
		add(&sum->complete, atomic_load_explicit(&second->complete, memory_order_relaxed));
		add(&sum->failed, atomic_load_explicit(&second->failed, memory_order_relaxed));
		add(&sum->bytes_received, atomic_load_explicit(&second->bytes_received, memory_order_relaxed));
		raise_to(&sum->max_ns, atomic_load_explicit(&second->max_ns, memory_order_relaxed));
		for (size_t step = 0; step < SERIES_TIMES; step++)
			add_times(&sum->times[step], atomic_load_explicit(&second->times[step], memory_order_relaxed));
	}
	lengthen(into, series_len(from));
	return 0;
}

/* percentile returns the nearest rank of COUNT times, as histogram_percentile does, or MAX_NS where its step goes beyond. */
static uint64_t
percentile(const uint64_t *times, uint64_t count, double percent, uint64_t max_ns)
{
	uint64_t rank = (uint64_t)ceil(percent / 100 * (double)count), below = 0;

	for (size_t step = 0; step < SERIES_TIMES; step++) {
		below += times[step];
		if (below > 0 && below >= rank)
			return middle_of(step) < max_ns ? middle_of(step) : max_ns;
	}
	return 0;
}

/* sum_up adds SECOND to FIGURES and TIMES, and returns how many times it holds. */
static uint64_t
sum_up(const struct series_second *second, struct series_figures *figures, uint64_t *times)
{
	uint64_t max_ns = atomic_load_explicit(&second->max_ns, memory_order_relaxed), count = 0;

	figures->complete += atomic_load_explicit(&second->complete, memory_order_relaxed);
	figures->failed += atomic_load_explicit(&second->failed, memory_order_relaxed);
	figures->bytes_received += atomic_load_explicit(&second->bytes_received, memory_order_relaxed);
	if (max_ns > figures->max_ns)
		figures->max_ns = max_ns;
	for (size_t step = 0; step < SERIES_TIMES; step++) {
		uint32_t here = atomic_load_explicit(&second->times[step], memory_order_relaxed);

		times[step] += here;
		count += here;
	}
	return count;
}

void
series_figures(
    const struct series *const *series, size_t len, size_t first, size_t count, struct series_figures *figures)
{
	uint64_t times[SERIES_TIMES] = {0}, all = 0;

	*figures = (struct series_figures){0};
	for (size_t i = 0; i < len; i++) {
		size_t end = series_len(series[i]);

		for (size_t at = first; at < end && at - first < count; at++) {
			const struct series_second *second = second_at(series[i], at);

			if (second != NULL)
				all += sum_up(second, figures, times);
		}
	}
	figures->p50_ns = percentile(times, all, 50, figures->max_ns);
	figures->p90_ns = percentile(times, all, 90, figures->max_ns);
	figures->p99_ns = percentile(times, all, 99, figures->max_ns);
}
