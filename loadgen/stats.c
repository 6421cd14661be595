/* What a thread counts, and by merging what a cell comes to. */
#include "loadgen/stats.h"

#include <errno.h>
#include <string.h>

const char *
failure_name(enum failure failure)
{
	switch (failure) {
	case FAILURE_CONNECT:
		return "connect";
	case FAILURE_RECEIVE:
		return "receive";
	case FAILURE_LENGTH:
		return "length";
	case FAILURE_EXCEPTION:
		return "exceptions";
	case FAILURE_TIMEOUT:
		return "timeout";
	case FAILURE_CLASSES:
		break;
	}
	return "none";
}

int
stats_init(struct stats *stats)
{
	int result = 0;

	*stats = (struct stats){.begin_ns = UINT64_MAX};
	/* All four, so that deinit finds each in a known state. */
	result |= histogram_init(&stats->connect);
	result |= histogram_init(&stats->processing);
	result |= histogram_init(&stats->waiting);
	result |= histogram_init(&stats->total);
	return result != 0 ? -ENOMEM : 0;
}

void
stats_deinit(struct stats *stats)
{
	histogram_deinit(&stats->connect);
	histogram_deinit(&stats->processing);
	histogram_deinit(&stats->waiting);
	histogram_deinit(&stats->total);
}

void
stats_record(struct stats *stats, const struct timing *timing, enum failure failure)
{
	histogram_record(&stats->connect, timing->connected_ns - timing->start_ns);
	histogram_record(&stats->processing, timing->end_ns - timing->connected_ns);
	/* An answer may come before the request has left whole. */
	histogram_record(&stats->waiting, timing->first_ns > timing->sent_ns ? timing->first_ns - timing->sent_ns : 0);
	histogram_record(&stats->total, timing->end_ns - timing->start_ns);
	stats->complete++;
	if (failure != FAILURE_NONE)
		stats->failures[failure]++;
}

uint64_t
stats_failed(const struct stats *stats)
{
	uint64_t failed = 0;

	for (size_t i = 0; i < FAILURE_CLASSES; i++)
		failed += stats->failures[i];
	return failed;
}

void
stats_merge(struct stats *into, const struct stats *from)
{
	into->complete += from->complete;
	for (size_t i = 0; i < FAILURE_CLASSES; i++)
		into->failures[i] += from->failures[i];
	into->write_errors += from->write_errors;
	into->non_2xx += from->non_2xx;
	into->kept_alive += from->kept_alive;
	into->bytes_received += from->bytes_received;
	into->bytes_body += from->bytes_body;
	into->bytes_sent += from->bytes_sent;
	into->unfinished += from->unfinished;
	if (from->begin_ns < into->begin_ns)
		into->begin_ns = from->begin_ns;
	if (from->end_ns > into->end_ns)
		into->end_ns = from->end_ns;
	histogram_merge(&into->connect, &from->connect);
	histogram_merge(&into->processing, &from->processing);
	histogram_merge(&into->waiting, &from->waiting);
	histogram_merge(&into->total, &from->total);
	if (into->server[0] == '\0')
		memcpy(into->server, from->server, sizeof(into->server));
}
