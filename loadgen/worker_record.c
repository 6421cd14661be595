/* How a request that ended is judged and counted. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "loadgen/worker.h"

/* explain_length: LEN where EXPECTED was. There may be very many of these. */
static void
explain_length(struct stats *stats, int64_t len, int64_t expected)
{
	char why[FAILURE_WHY_MAX];

	if (stats->whys[FAILURE_LENGTH][0] != '\0')
		return;
	snprintf(why, sizeof(why), "%" PRIi64 " bytes, and %" PRIi64 " in the first answer", len, expected);
	stats_explain(stats, FAILURE_LENGTH, why);
}

/* judge_length compares the body with the first one of the same request in the cell. */
static enum failure
judge_length(struct worker *worker, size_t index, int64_t len)
{
	int64_t *expected = &worker->document_lens[index];

	if (*expected < 0) {
		int64_t none = -1;

		*expected =
		    atomic_compare_exchange_strong(&worker->shared->document_lens[index], &none, len) ? len : none;
	}
	if (len == *expected || worker->cell->config->variable_length)
		return FAILURE_NONE;
	explain_length(&worker->stats, len, *expected);
	return FAILURE_LENGTH;
}

/* fill_gaps gives the instants that never came those of the next one. */
static void
fill_gaps(struct timing *timing)
{
	if (timing->connected_ns == 0)
		timing->connected_ns = timing->end_ns;
	if (timing->secured_ns == 0)
		timing->secured_ns = timing->end_ns;
	if (timing->sent_ns == 0)
		timing->sent_ns = timing->end_ns;
	if (timing->first_ns == 0)
		timing->first_ns = timing->end_ns;
}

void
worker_keep_sample(struct worker *worker, const struct timing *known)
{
	struct timing timing = *known;

	if (worker->samples == NULL || worker->end == CELL_RESOURCES)
		return;
	if (worker->samples_len == worker->samples_room) { /* more than that after a failure of this */
		size_t room = worker->samples_room * 2;
		struct sample *samples = reallocarray(worker->samples, room, sizeof(*samples));

		if (samples == NULL) {
			if (worker->end == CELL_INTERRUPTED)
				worker->end =
				    CELL_DONE; /* the abort counts: figures without all rows are not reported */
			worker_abort(worker, CELL_RESOURCES, ENOMEM);
			return;
		}
		worker->samples = samples;
		worker->samples_room = room;
	}
	fill_gaps(&timing);
	worker->samples[worker->samples_len++] = (struct sample){
	    .start_ns = timing.start_ns,
	    .connect_ns = timing.secured_ns - timing.start_ns,
	    .total_ns = timing.end_ns - timing.due_ns,
	    .waiting_ns = timing.first_ns > timing.sent_ns ? timing.first_ns - timing.sent_ns : 0,
	};
}

void
worker_show(struct worker *worker)
{
	atomic_store_explicit(&worker->complete, worker->stats.complete, memory_order_relaxed);
	atomic_store_explicit(&worker->errors, worker->stats.errors, memory_order_relaxed);
}

void
worker_record(struct worker *worker, struct flight *flight, const struct response_facts *facts, enum failure failure)
{
	struct timing *timing = &flight->timing;
	struct stats *stats = &worker->stats;
	bool refused = facts->head_done && facts->status / 100 != 2;

	fill_gaps(timing);
	if (failure == FAILURE_NONE)
		failure = judge_length(worker, flight->index, (int64_t)facts->body_len);
	stats->non_2xx += refused;
	stats->errors += refused || failure != FAILURE_NONE;
	stats->bytes_body += facts->body_len;
	if (worker->samples != NULL)
		worker_keep_sample(worker, timing);
	stats_record(stats, timing, failure);
	if (worker->cell->open_loop)
		stats_record_open(stats, timing, flight->queued, flight->retried);
	series_record(&stats->series, timing->end_ns, timing->end_ns - timing->due_ns,
	    stats->bytes_received - worker->bytes_told, failure != FAILURE_NONE);
	worker->bytes_told = stats->bytes_received;
	stats->end_ns = timing->end_ns;
	worker->under_way--;
	if (!worker->warming)
		worker_show(worker);
}
