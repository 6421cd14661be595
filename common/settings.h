/* What can change while a server runs: what a handler does and how it waits, in one page shared by a process tree. */
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

/* Longest sleep, and most CPU time, that any option or request can ask for, in seconds. */
#define SETTINGS_SLEEP_MAX_S 3600.0
#define SETTINGS_CPU_MAX_S 3600.0

/* The whole of what `blocking_share` is a part of. */
#define SETTINGS_SHARE_WHOLE 1000000

/* One consistent reading of the settings: a handler computes for cpu_ns, then waits for sleep_ns. */
struct settings_values {
	uint64_t sleep_ns;
	uint64_t cpu_ns; /* CPU time, which common/cpu_work makes work of */
	enum wait_mode mode;
	uint32_t
	    blocking_share; /* of the requests whose mode is async, how many block: parts of SETTINGS_SHARE_WHOLE */
};

/* What settings may become; fixed at start. */
struct settings_limits {
	uint64_t max_sleep_ns; /* --max-sleep */
	uint64_t max_cpu_ns;   /* --max-cpu */
	unsigned modes;        /* bit 1 << mode for each mode that this server has */
};

/*
 * Settings live in shared memory.  Any thread or forked process reads them
 * without a lock and without waiting for anybody: a reading is six loads of one cache
 * line, repeated only where a writer has finished meanwhile.  Writers take
 * turns by a robust mutex, which the kernel lets go of when its holder dies;
 * and what a writer has not finished, nobody sees.
 */
struct settings;

/* settings_new maps a page with the first VALUES.  Returns NULL with errno set. settings_free unmaps it. */
struct settings *settings_new(struct settings_values values, struct settings_limits limits);
void settings_free(struct settings *settings);

struct settings_values settings_get(const struct settings *settings);
struct settings_limits settings_limits(const struct settings *settings);

/* settings_has_share: a share of requests can block only where the others do not. */
bool settings_has_share(struct settings_limits limits);

/*
 * settings_parse changes *VALUES by FORM, an application/x-www-form-urlencoded
 * text, within LIMITS; all of it or nothing.
 *
 *   sleep=0.2            seconds
 *   cpu=20               milliseconds of CPU time
 *   mode=blocking        one of the server's modes
 *   blocking-share=0.5   percent, 0 to 100, to four decimals; only where settings_has_share
 *
 * What a form names is what a handler does: one that names only sleep sets cpu
 * to 0, one that names only cpu sets sleep to 0.  One that names a mode
 * without a share sets the share to 0: every request then waits in that mode.
 * Of a name that comes twice, the last is taken.
 *
 * With STRICT unknown names are an error, as in PUT /settings.  Without, FORM
 * is a query, where they are passed over; but a share of one request means
 * nothing and is refused.  Returns 0, or -EINVAL with a sentence in ERROR that says
 * what is allowed (and nothing that the client sent).
 */
MUST_CHECK int settings_parse(struct settings_values *values, struct settings_limits limits, const char *form,
    size_t len, bool strict, char *error, size_t error_size);

/* settings_apply changes the live settings by FORM, strictly: what PUT /settings does.  Errors as settings_parse. */
MUST_CHECK int settings_apply(struct settings *settings, const char *form, size_t len, char *error, size_t error_size);

/*
 * settings_name_rest applies that rule to a command line or a file: a time
 * that it did not name is SETTINGS_UNNAMED, and becomes 0 where it named the
 * other, else *SLEEP_NS becomes DEFAULT_SLEEP_NS and *CPU_NS 0.
 */
#define SETTINGS_UNNAMED UINT64_MAX
void settings_name_rest(uint64_t *sleep_ns, uint64_t *cpu_ns, uint64_t default_sleep_ns);

/*
 * settings_toggle_blocking switches to blocking, or from blocking back to the
 * mode there was before (async at first).  The blocking share stays: it counts
 * again when the mode is async again.  Returns the new mode.
 */
enum wait_mode settings_toggle_blocking(struct settings *settings);

/* settings_mode_name: "async", "blocking", "threadpool". */
const char *settings_mode_name(enum wait_mode mode);

#endif
