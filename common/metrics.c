/* Counters that one thread or process writes and another reads and shows, without locks; Prometheus text. */
#include "common/metrics.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "common/clock.h"
#include "common/compiler.h"

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
	atomic_store(&metrics->computes_ended, atomic_load(&metrics->computes_begun));
	atomic_store(&metrics->websockets_ended, atomic_load(&metrics->websockets_begun));
}

void
metrics_count_response(struct metrics *metrics, int status)
{
	static const uint8_t places[] = {
#define PLACE(code) [code] = METRICS_##code,
	    METRICS_STATUSES(PLACE)
#undef PLACE
	};
	int place = status > 0 && status < (int)ARRAY_LEN(places) ? places[status] : METRICS_OTHER;

	metrics_add(&metrics->responses[place], 1);
}

static uint64_t
read_counter(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_acquire);
}

void
metrics_sum(struct metrics_totals *totals, const struct metrics *metrics, size_t count)
{
	for (const struct metrics *slot = metrics; slot < metrics + count; slot++) {
		/* What ends is read before what began, so that no gauge is ever below zero. */
		totals->connections_closed += read_counter(&slot->connections_closed);
		totals->connections_accepted += read_counter(&slot->connections_accepted);
		totals->requests_ended += read_counter(&slot->requests_ended);
		totals->requests_begun += read_counter(&slot->requests_begun);
		totals->sleeps_ended += read_counter(&slot->sleeps_ended);
		totals->sleeps_begun += read_counter(&slot->sleeps_begun);
		totals->computes_ended += read_counter(&slot->computes_ended);
		totals->computes_begun += read_counter(&slot->computes_begun);
		totals->computed_ns += read_counter(&slot->computed_ns);
		for (size_t place = 0; place < METRICS_PLACES; place++)
			totals->responses[place] += read_counter(&slot->responses[place]);
		totals->websockets_ended += read_counter(&slot->websockets_ended);
		totals->websockets_begun += read_counter(&slot->websockets_begun);
		totals->websocket_messages += read_counter(&slot->websocket_messages);
		totals->received_bytes += read_counter(&slot->received_bytes);
		totals->sent_bytes += read_counter(&slot->sent_bytes);
		totals->accept_pauses += read_counter(&slot->accept_pauses);
		totals->timeouts += read_counter(&slot->timeouts);
		totals->slow_callbacks += read_counter(&slot->slow_callbacks);
		totals->blocking_requests += read_counter(&slot->blocking_requests);
		totals->queue_rejections += read_counter(&slot->queue_rejections);
		totals->handler_timeouts += read_counter(&slot->handler_timeouts);
	}
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

size_t
metrics_write_head(char *buf, size_t used, size_t size, const char *name, const char *type, const char *help)
{
	return advance(
	    used, size, snprintf(buf + used, size - used, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type));
}

size_t
metrics_write_value(
    char *buf, size_t used, size_t size, const char *name, const char *label, const char *which, double value)
{
	char text[32];

	format_value(text, sizeof(text), value);
	return advance(used, size, snprintf(buf + used, size - used, "%s{%s=\"%s\"} %s\n", name, label, which, text));
}

static size_t
write_responses(char *buf, size_t used, size_t size, const uint64_t responses[METRICS_PLACES])
{
	static const char name[] = "loopfork_responses_total";
	static const char *const codes[METRICS_PLACES] = {[METRICS_OTHER] = "other",
#define CODE(status) [METRICS_##status] = #status,
	    METRICS_STATUSES(CODE)
#undef CODE
	};

	used = metrics_write_head(buf, used, size, name, "counter", "Responses sent, by status.");
	for (int place = 0; place < METRICS_PLACES; place++)
		if (responses[place] > 0 || place == METRICS_200)
			used =
			    metrics_write_value(buf, used, size, name, "code", codes[place], (double)responses[place]);
	return used;
}

size_t
metrics_write(const struct metrics_totals *totals, enum metrics_of of, char *buf, size_t size)
{
	const struct {
		const char *name, *type, *help;
		uint64_t value;
		bool loops; /* only an event loop can count it */
	} rows[] = {
	    {"loopfork_connections_accepted_total", "counter", "Connections accepted.", totals->connections_accepted,
		false},
	    {"loopfork_connections_open", "gauge", "Connections open now.",
		totals->connections_accepted - totals->connections_closed, false},
	    {"loopfork_requests_total", "counter", "Requests whose header was complete.", totals->requests_begun,
		false},
	    {"loopfork_requests_in_flight", "gauge", "Requests begun and not yet answered.",
		totals->requests_begun - totals->requests_ended, false},
	    {"loopfork_sleeping", "gauge", "Handlers asleep now.", totals->sleeps_begun - totals->sleeps_ended, false},
	    {"loopfork_computing", "gauge", "Handlers computing now.", totals->computes_begun - totals->computes_ended,
		false},
	    {"loopfork_computations_total", "counter", "Handlers that computed, or have begun to.",
		totals->computes_begun, false},
	    {"loopfork_websockets_open", "gauge", "WebSockets open now.",
		totals->websockets_begun - totals->websockets_ended, true},
	    {"loopfork_websockets_total", "counter", "WebSockets opened.", totals->websockets_begun, true},
	    {"loopfork_websocket_messages_total", "counter", "Messages received over WebSockets.",
		totals->websocket_messages, true},
	    {"loopfork_received_bytes_total", "counter", "Bytes read from clients.", totals->received_bytes, false},
	    {"loopfork_sent_bytes_total", "counter", "Bytes written to clients.", totals->sent_bytes, false},
	    {"loopfork_accept_pauses_total", "counter", "Times that accepting paused for want of a resource.",
		totals->accept_pauses, false},
	    {"loopfork_timeouts_total", "counter", "Connections ended by a deadline.", totals->timeouts, false},
	    {"loopfork_slow_callbacks_total", "counter", "Callbacks that held the loop too long.",
		totals->slow_callbacks, true},
	    {"loopfork_blocking_requests_total", "counter", "Requests whose handler held the loop.",
		totals->blocking_requests, true},
	    {"loopfork_queue_rejections_total", "counter", "Requests refused because the queue of the pool was full.",
		totals->queue_rejections, true},
	    {"loopfork_handler_timeouts_total", "counter", "Requests whose handler took too long.",
		totals->handler_timeouts, false},
	};
	size_t used = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (!rows[i].loops || of == METRICS_OF_LOOPS)
			used = metrics_write_one(
			    buf, used, size, rows[i].name, rows[i].type, rows[i].help, (double)rows[i].value);
	used = metrics_write_one(buf, used, size, "loopfork_computed_seconds_total", "counter",
	    "CPU time that handlers computed for, as they were asked to.",
	    (double)totals->computed_ns / (double)NS_PER_SEC);
	return write_responses(buf, used, size, totals->responses);
}
