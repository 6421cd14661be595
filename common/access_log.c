/* The access log: a line a request, gathered in a buffer and written by whole lines. */
#include "common/access_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"

#define BUFFER_BYTES 65536
#define FIELD_MAX 2048 /* an escaped field of the client's */
#define LINE_MAX_BYTES (3 * FIELD_MAX + 256)

struct access_log {
	enum access_log_style style;
	const char *path; /* NULL: standard output */
	int fd;
	uint64_t dropped;  /* lines lost since writing last worked */
	uint64_t lines;    /* in the buffer */
	time_t stamp_time; /* the second that `stamp` was made for */
	char stamp[40];    /* [21/Nov/2026:10:00:00 +0000] */
	size_t used;
	char buffer[BUFFER_BYTES];
};

static int
open_path(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644);

	return fd < 0 ? -errno : fd;
}

int
access_log_new(struct access_log **log, const char *path, enum access_log_style style)
{
	struct access_log *new_log;

	*log = NULL;
	if (path == NULL)
		return 0;
	new_log = calloc(1, sizeof(*new_log));
	if (new_log == NULL)
		return -ENOMEM;
	new_log->style = style;
	new_log->fd = STDOUT_FILENO;
	if (strcmp(path, "-") != 0) {
		new_log->path = path;
		new_log->fd = open_path(path);
		if (new_log->fd < 0) {
			int error = new_log->fd;

			free(new_log);
			return error;
		}
	}
	*log = new_log;
	return 0;
}

void
access_log_free(struct access_log *log)
{
	if (log == NULL)
		return;
	access_log_flush(log);
	if (log->path != NULL)
		close(log->fd);
	free(log);
}

int
access_log_reopen(struct access_log *log)
{
	int fd;

	if (log == NULL || log->path == NULL)
		return 0;
	access_log_flush(log);
	fd = open_path(log->path);
	if (fd < 0)
		return fd;
	close(log->fd);
	log->fd = fd;
	return 0;
}

void
access_log_flush(struct access_log *log)
{
	size_t done = 0;

	if (log == NULL || log->used == 0)
		return;
	while (done < log->used) {
		ssize_t written = write(log->fd, log->buffer + done, log->used - done);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			break;
		done += (size_t)written;
	}
	if (done < log->used) {
		log->dropped += log->lines;
	} else if (log->dropped > 0) {
		log_warning(
		    "The access log lost %llu lines that could not be written", (unsigned long long)log->dropped);
		log->dropped = 0;
	}
	log->used = 0;
	log->lines = 0;
}

static const char *
stamp(struct access_log *log)
{
	time_t now = time(NULL);
	struct tm local;

	if (now != log->stamp_time) {
		localtime_r(&now, &local);
		strftime(log->stamp, sizeof(log->stamp), "[%d/%b/%Y:%H:%M:%S %z]", &local);
		log->stamp_time = now;
	}
	return log->stamp;
}

static const char *
field_or_dash(char out[FIELD_MAX], struct http_span span)
{
	return span.at == NULL ? "-" : log_escape(out, FIELD_MAX, span.at, span.len);
}

void
access_log_add(struct access_log *log, const struct access_log_entry *entry)
{
	const struct http_request *request = entry->request;
	char target[FIELD_MAX], referer[FIELD_MAX], agent[FIELD_MAX], version[12] = "-";
	const char *method = request->method != NULL ? request->method : "-";
	int len;

	if (log == NULL)
		return;
	if (BUFFER_BYTES - log->used < LINE_MAX_BYTES)
		access_log_flush(log);
	if (request->method != NULL)
		snprintf(version, sizeof(version), "HTTP/1.%d", request->minor);
	len = snprintf(log->buffer + log->used, BUFFER_BYTES - log->used,
	    "%s %s%s \"%s %s %s\" %d %llu \"%s\" \"%s\"\n", *entry->peer != '\0' ? entry->peer : "-",
	    log->style == ACCESS_LOG_GUNICORN ? "- - " : "", stamp(log), method, field_or_dash(target, request->target),
	    version, entry->status, (unsigned long long)entry->body_bytes, field_or_dash(referer, request->referer),
	    field_or_dash(agent, request->user_agent));
	log->used += (size_t)len;
	log->lines++;
}
