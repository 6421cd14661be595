/* A run: what was measured, when, where and how it ended; what the store keeps and reports are made from. */
#include "experiments/record.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *const record_state_names[RECORD_STATES] = {"running", "complete", "interrupted"};

void
record_now_name(char *text)
{
	time_t now = time(NULL);
	struct tm local;

	strftime(text, RECORD_NAME_MAX, "%Y-%m-%d_%H-%M-%S", localtime_r(&now, &local));
}

void
record_now_rfc3339(char *text)
{
	time_t now = time(NULL);
	struct tm local;
	size_t len = strftime(text, RECORD_NAME_MAX, "%Y-%m-%dT%H:%M:%S%z", localtime_r(&now, &local));

	/* strftime writes +0300 where RFC 3339 wants +03:00. */
	if (len > 2) {
		memmove(text + len - 1, text + len - 2, 3);
		text[len - 2] = ':';
	}
}

size_t
record_count(const struct record *record, enum result_state state)
{
	size_t count = 0;

	for (size_t i = 0; i < record->plan.cell_count; i++)
		count += record->plan.cells[i].result.state == state;
	return count;
}

void
record_deinit(struct record *record)
{
	free(record->command);
	facts_deinit(&record->facts);
	plan_deinit(&record->plan);
	*record = (struct record){0};
}
