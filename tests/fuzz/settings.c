/* Fuzzes settings: a form or a query changes all that it names, within the limits, or nothing and is told why. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool good, const char *promise)
{
	if (good)
		return;
	fprintf(stderr, "settings broke its promise: %s\n", promise);
	abort();
}

static bool
are_same(struct settings_values a, struct settings_values b)
{
	return a.sleep_ns == b.sleep_ns && a.cpu_ns == b.cpu_ns && a.mode == b.mode &&
	       a.blocking_share == b.blocking_share;
}

static void
check_within(struct settings_values values, struct settings_limits limits)
{
	check(values.sleep_ns <= limits.max_sleep_ns, "the sleep is within its limit");
	check(values.cpu_ns <= limits.max_cpu_ns, "the CPU time is within its limit");
	check((limits.modes >> values.mode & 1) != 0, "the mode is one of the server's");
	check(values.blocking_share <= SETTINGS_SHARE_WHOLE, "the share is a part of the whole");
}

/* check_error: one sentence that a person can read; it is sent to the client, and written to logs. */
static void
check_error(const char *error, size_t size)
{
	size_t len = strnlen(error, size);

	check(len > 0 && len < size, "an error is told, and ends");
	for (size_t i = 0; i < len; i++)
		check(error[i] >= ' ' && error[i] <= '~', "an error is of printable characters");
}

/* The first byte chooses the limits and whether the text is a form; the rest is the text. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct settings_limits limits[] = {
	    {.max_sleep_ns = 60 * NS_PER_SEC,
		.max_cpu_ns = 60 * NS_PER_SEC,
		.modes = 1U << WAIT_ASYNC | 1U << WAIT_BLOCKING | 1U << WAIT_THREADPOOL},
	    {.max_sleep_ns = NS_PER_MS, .max_cpu_ns = 0, .modes = 1U << WAIT_BLOCKING},
	};
	const struct settings_limits *limit;
	struct settings_values before = {.mode = WAIT_BLOCKING}, once, twice;
	struct settings *settings;
	char error[256], applied[256];
	bool strict;
	char *text; /* of exactly its length, so that a byte too far is seen */
	int status;

	if (size < 1)
		return 0;
	limit = &limits[data[0] & 1];
	strict = (data[0] & 2) != 0;
	size--;
	text = malloc(size > 0 ? size : 1);
	settings = settings_new(before, *limit);
	if (text == NULL || settings == NULL)
		abort();
	memcpy(text, data + 1, size);

	once = before;
	memset(error, 'x', sizeof(error));
	status = settings_parse(&once, *limit, text, size, strict, error, sizeof(error));
	check(status == 0 || status == -EINVAL, "it is 0 or -EINVAL");
	if (status != 0) {
		check(are_same(once, before), "what is wrong changes nothing");
		check_error(error, sizeof(error));
	} else {
		check_within(once, *limit);
		twice = once;
		check(settings_parse(&twice, *limit, text, size, strict, error, sizeof(error)) == 0 &&
			  are_same(once, twice),
		    "the same again changes nothing more");
	}
	if (strict) {
		memset(applied, 'x', sizeof(applied));
		check(settings_apply(settings, text, size, applied, sizeof(applied)) == status,
		    "live settings take what a form may say");
		check(are_same(settings_get(settings), once), "and become what it says");
	}
	settings_free(settings);
	free(text);
	return 0;
}
