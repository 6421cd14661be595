/* The access log: a line a request, gathered in a buffer and written by whole lines. */
#ifndef COMMON_ACCESS_LOG_H
#define COMMON_ACCESS_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/access_log_format.h"
#include "common/access_log_line.h"
#include "common/compiler.h"

struct access_log; /* one writer; NULL stands for a log that is off */

/*
 * access_log_new opens PATH for appending ("-": standard output) into *LOG,
 * for lines by FORMAT (NULL: the style's default).  A PATH of NULL gives *LOG =
 * NULL, and every function below takes that and does nothing.  PATH must
 * outlive the log, FORMAT need not.  Any number of writers, of any process and
 * thread, may have the same PATH: each write(2) is of whole lines, and where
 * it is not to a regular file, of PIPE_BUF bytes at most, so that lines never mix.
 * Returns 0 or -errno, -EINVAL for a FORMAT that access_log_format_parse refuses.
 */
MUST_CHECK int access_log_new(
    struct access_log **log, const char *path, enum access_log_style style, const char *format);

/*
 * access_log_share makes *LOG a further writer, for another thread, of the file
 * that FROM has open, so that it needs no right to open it.  FROM must outlive it, and access_log_reopen of FROM
 * moves both.  NULL FROM gives NULL.  Returns 0 or -ENOMEM.
 */
MUST_CHECK int access_log_share(struct access_log **log, const struct access_log *from);

/* access_log_free writes what is left and closes the file. */
void access_log_free(struct access_log *log);

/* access_log_wanted returns the fields that the format needs of a request, for http_limits.wanted; NULL: none. */
const char *const *access_log_wanted(const struct access_log *log);

/* access_log_needs_time tells whether the format needs an entry's took_ns, which costs its maker two looks at the clock. */
bool access_log_needs_time(const struct access_log *log);

/* access_log_needs_head tells whether the format needs an entry's head, which costs its maker a copy. */
bool access_log_needs_head(const struct access_log *log);

/* access_log_add appends one line; whatever a client sent is escaped, and cut at 2 KiB a field. */
void access_log_add(struct access_log *log, const struct access_log_entry *entry);

/*
 * access_log_flush writes the gathered lines; call it whenever the writer is
 * about to wait.  Lines that cannot be written (a full disk) are dropped and
 * counted: that it begins is logged, and the count once writing works again.
 */
void access_log_flush(struct access_log *log);

/* access_log_reopen opens the same path again after a rotation; the old file stays where that fails. Returns 0 or -errno.  Only for who opened it, not for who shares it. */
MUST_CHECK int access_log_reopen(struct access_log *log);

#endif
