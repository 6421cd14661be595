/* The error log: one line a write, in gunicorn's form, `[2026-11-21 10:00:00 +0000] [pid] [LEVEL] text`, or as JSON. */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "common/compiler.h"

/* In gunicorn's order, so that LOG_CHOICES and --log-level agree with it. */
enum log_level {
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_INFO,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_ERROR,
	LOG_LEVEL_CRITICAL,
};
#define LOG_LEVEL_CHOICES "debug|info|warning|error|critical"

/*
 * log_open sends lines of LEVEL and above to the file PATH (appended), or to
 * standard error when PATH is "-" or NULL, which is also where lines go before
 * it is called.  PATH must outlive the log.  Returns 0 or -errno.  The log is
 * one for the process and its children.
 */
MUST_CHECK int log_open(const char *path, enum log_level level);

/* log_set_level shows lines of LEVEL and above from now on. */
void log_set_level(enum log_level level);

/*
 * log_set_json makes each line from now on a JSON object, or with JSON false a plain one again:
 * {"time":"2026-11-21T10:00:00.123456+00:00","pid":123,"level":"INFO","message":"text"}
 * with the time in UTC (RFC 3339), and the text escaped as json_escape does.
 */
void log_set_json(bool json);

/*
 * log_reopen opens the same path again, as a log rotation wants; the old file
 * stays in use where that fails.  Returns 0 or -errno.
 */
MUST_CHECK int log_reopen(void);

/*
 * log_reopen_all is for a process whose threads have tables of file
 * descriptors of their own (async_server/side_thread.h): each thread opens the path again in its
 * own table, this one now and every other one before its next line.  Returns as log_reopen does, for this thread.
 */
MUST_CHECK int log_reopen_all(void);

/* log_follow does what log_reopen_all left to this thread, if anything: who seldom writes should not keep the old file. */
void log_follow(void);

/*
 * log_open_file opens the log file PATH for appending, and makes it where
 * there is none.  It waits for nobody: a named pipe must have a reader, else
 * -ENXIO; what is written to it later may wait.  Returns a descriptor or -errno.
 */
MUST_CHECK int log_open_file(const char *path);

/*
 * log_line writes one line with a single write(2), so that lines of several
 * processes and threads never mix.  Longer than 2 KiB is cut, and is still JSON where it was to be.  A log that cannot be
 * written (a full disk) loses the line and nothing else.  Not for signal handlers.
 */
void log_line(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);

#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_critical(...) log_line(LOG_LEVEL_CRITICAL, __VA_ARGS__)

/*
 * log_escape copies LEN bytes that a client sent to OUT so that no log reader
 * is misled: `"` and `\` get a backslash, bytes outside printable ASCII become \xHH.
 * What does not fit SIZE is cut.  Returns OUT, terminated.
 */
const char *log_escape(char *out, size_t size, const char *bytes, size_t len);

#endif
