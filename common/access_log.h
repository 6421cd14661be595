/* The access log: a line a request, gathered in a buffer and written by whole lines. */
#ifndef COMMON_ACCESS_LOG_H
#define COMMON_ACCESS_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"
#include "common/http_request.h"

/* Whose default format the lines have. */
enum access_log_style {
	ACCESS_LOG_AIOHTTP,  /* %a %t "%r" %s %b "%{Referer}i" "%{User-Agent}i" */
	ACCESS_LOG_GUNICORN, /* %(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s" */
};

struct access_log; /* one writer; NULL stands for a log that is off */

/*
 * access_log_new opens PATH for appending ("-": standard output) into *LOG.  A
 * PATH of NULL gives *LOG = NULL, and every function below takes that and does
 * nothing.  Returns 0 or -errno.
 */
MUST_CHECK int access_log_new(struct access_log **log, const char *path, enum access_log_style style);

/* access_log_free writes what is left and closes the file. */
void access_log_free(struct access_log *log);

struct access_log_entry {
	const char *peer; /* numeric address; "" for a Unix socket */
	const struct http_request
	    *request; /* its method, target, referer, user agent; a method of NULL is a request that did not parse */
	int status;
	uint64_t body_bytes; /* of the answer, without its header */
};

/* access_log_add appends one line; whatever a client sent is escaped, and cut at 2 KiB a field. */
void access_log_add(struct access_log *log, const struct access_log_entry *entry);

/*
 * access_log_flush writes the gathered lines; call it whenever the writer is
 * about to wait.  Lines that cannot be written (a full disk) are dropped and
 * counted, and the count is logged once writing works again.
 */
void access_log_flush(struct access_log *log);

/* access_log_reopen opens the same path again after a rotation; the old file stays where that fails. Returns 0 or -errno. */
MUST_CHECK int access_log_reopen(struct access_log *log);

#endif
