/* What can change while a server runs: the sleep and how to wait it out, in one page shared by a process tree. */
#ifndef COMMON_SETTINGS_H
#define COMMON_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"

/* How a handler waits. */
enum wait_mode {
	WAIT_ASYNC,      /* a timer of the loop: the loop serves others meanwhile */
	WAIT_BLOCKING,   /* nanosleep in the thread that serves: everybody behind it waits too */
	WAIT_THREADPOOL, /* nanosleep on a pool thread (aiohttp's run_in_executor) */
};
#define WAIT_MODE_CHOICES "async|blocking|threadpool"

/* Longest sleep that any option or request can ask for, in seconds. */
#define SETTINGS_SLEEP_MAX_S 3600.0

/* One consistent reading of the settings. */
struct settings_values {
	uint64_t sleep_ns;
	enum wait_mode mode;
};

/* What settings may become; fixed at start. */
struct settings_limits {
	uint64_t max_sleep_ns; /* --max-sleep */
	unsigned modes;        /* bit 1 << mode for each mode that this server has */
};

struct settings; /* lives in shared memory: threads and forked processes read and write it without locks */

/* settings_new maps a page with the first VALUES.  Returns NULL with errno set. settings_free unmaps it. */
struct settings *settings_new(struct settings_values values, struct settings_limits limits);
void settings_free(struct settings *settings);

struct settings_values settings_get(const struct settings *settings);
struct settings_limits settings_limits(const struct settings *settings);

/*
 * settings_parse changes *VALUES by FORM, an application/x-www-form-urlencoded
 * text ("sleep=0.2&mode=blocking"), within LIMITS; all of it or nothing.  With
 * STRICT unknown names are an error, else they are passed over, as a query
 * may carry them.  Returns 0, or -EINVAL with a sentence in ERROR that says
 * what is allowed (and nothing that the client sent).
 */
MUST_CHECK int settings_parse(struct settings_values *values, struct settings_limits limits, const char *form,
    size_t len, bool strict, char *error, size_t error_size);

/* settings_apply changes the live settings by FORM, strictly: what PUT /settings does.  Errors as settings_parse. */
MUST_CHECK int settings_apply(struct settings *settings, const char *form, size_t len, char *error, size_t error_size);

/*
 * settings_toggle_blocking switches to blocking, or from blocking back to the
 * mode there was before (async at first).  Returns the new mode.
 */
enum wait_mode settings_toggle_blocking(struct settings *settings);

/* settings_mode_name: "async", "blocking", "threadpool". */
const char *settings_mode_name(enum wait_mode mode);

#endif
