/* Counters that one thread or process writes and another reads and shows, without locks; Prometheus text. */
#include "common/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

struct metrics *
metrics_new(size_t count)
{
	struct metrics *metrics;

	metrics = mmap(NULL, count * sizeof(*metrics), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return metrics == MAP_FAILED ? NULL : metrics;
}

void
metrics_free(struct metrics *metrics, size_t count)
{
	if (metrics != NULL)
		munmap(metrics, count * sizeof(*metrics));
}

void
metrics_settle(struct metrics *metrics)
{
	atomic_store(&metrics->connections_closed, atomic_load(&metrics->connections_accepted));
	atomic_store(&metrics->requests_ended, atomic_load(&metrics->requests_begun));
	atomic_store(&metrics->sleeps_ended, atomic_load(&metrics->sleeps_begun));
}

/* The sum of all slots, as plain numbers. */
struct totals {
	uint64_t accepted, closed, begun, ended, sleeps_begun, sleeps_ended;
	uint64_t responses[6];
	uint64_t received, sent, accept_pauses, timeouts, slow_callbacks;
};

static uint64_t
read_counter(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static struct totals
sum(const struct metrics *metrics, size_t count)
{
	struct totals totals = {0};

	for (const struct metrics *slot = metrics; slot < metrics + count; slot++) {
		/* What ends is read before what began, so that no gauge is ever below zero. */
		totals.closed += read_counter(&slot->connections_closed);
		totals.accepted += read_counter(&slot->connections_accepted);
		totals.ended += read_counter(&slot->requests_ended);
		totals.begun += read_counter(&slot->requests_begun);
		totals.sleeps_ended += read_counter(&slot->sleeps_ended);
		totals.sleeps_begun += read_counter(&slot->sleeps_begun);
		for (size_t class = 0; class < 6; class ++)
			totals.responses[class] += read_counter(&slot->responses[class]);
		totals.received += read_counter(&slot->received_bytes);
		totals.sent += read_counter(&slot->sent_bytes);
		totals.accept_pauses += read_counter(&slot->accept_pauses);
		totals.timeouts += read_counter(&slot->timeouts);
		totals.slow_callbacks += read_counter(&slot->slow_callbacks);
	}
	return totals;
}

/* advance turns a result of snprintf into the new length used; text that did not fit is left out whole. */
static size_t
advance(size_t used, size_t size, int written)
{
	return written < 0 || (size_t)written >= size - used ? used : used + (size_t)written;
}

/* format_value writes VALUE with as few digits as give it back exactly. */
static void
format_value(char *text, size_t size, double value)
{
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, size, "%.*g", digits, value);
		if (strtod(text, NULL) >= value && strtod(text, NULL) <= value)
			return;
	}
}

size_t
metrics_write_one(
    char *buf, size_t used, size_t size, const char *name, const char *type, const char *help, double value)
{
	char text[32];

	format_value(text, sizeof(text), value);
	return advance(used, size,
	    snprintf(
		buf + used, size - used, "# HELP %s %s\n# TYPE %s %s\n%s %s\n", name, help, name, type, name, text));
}

static size_t
write_responses(char *buf, size_t used, size_t size, const uint64_t responses[6])
{
	used = advance(used, size,
	    snprintf(buf + used, size - used,
		"# HELP loopfork_responses_total Responses sent, by class of their status.\n"
		"# TYPE loopfork_responses_total counter\n"));
	for (int class = 2; class < 6; class ++)
		used = advance(used, size,
		    snprintf(buf + used, size - used, "loopfork_responses_total{class=\"%dxx\"} %llu\n", class,
			(unsigned long long)responses[class]));
	return used;
}

size_t
metrics_write(const struct metrics *metrics, size_t count, char *buf, size_t size)
{
	const struct totals totals = sum(metrics, count);
	const struct {
		const char *name, *type, *help;
		uint64_t value;
	} rows[] = {
	    {"loopfork_connections_accepted_total", "counter", "Connections accepted.", totals.accepted},
	    {"loopfork_connections_open", "gauge", "Connections open now.", totals.accepted - totals.closed},
	    {"loopfork_requests_total", "counter", "Requests whose header was complete.", totals.begun},
	    {"loopfork_requests_in_flight", "gauge", "Requests begun and not yet answered.",
		totals.begun - totals.ended},
	    {"loopfork_sleeping", "gauge", "Handlers asleep now.", totals.sleeps_begun - totals.sleeps_ended},
	    {"loopfork_received_bytes_total", "counter", "Bytes read from clients.", totals.received},
	    {"loopfork_sent_bytes_total", "counter", "Bytes written to clients.", totals.sent},
	    {"loopfork_accept_pauses_total", "counter", "Times that accepting paused for want of a resource.",
		totals.accept_pauses},
	    {"loopfork_timeouts_total", "counter", "Connections ended by a deadline.", totals.timeouts},
	    {"loopfork_slow_callbacks_total", "counter", "Callbacks that held the loop too long.",
		totals.slow_callbacks},
	};
	size_t used = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		used =
		    metrics_write_one(buf, used, size, rows[i].name, rows[i].type, rows[i].help, (double)rows[i].value);
	return write_responses(buf, used, size, totals.responses);
}
