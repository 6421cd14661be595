/* The access log: a line a request, gathered in a buffer and written by whole lines. */
#include "common/access_log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"

#define BUFFER_BYTES 65536

/* Room for a line in a regular file; elsewhere it is PIPE_BUF, which the kernel writes whole or not at all (pipe(7)). */
#define LINE_MAX_BYTES 16384
static_assert(PIPE_BUF >= ACCESS_LOG_LINE_MIN, "a line of any format goes through a pipe whole");

/* The buffer begins with a newline, which is written only behind half a line: a disk that was full may have one. */
#define EMPTY 1

struct access_log {
	const char *path; /* NULL: standard output */
	int fd;
	bool shared;      /* fd is another's */
	size_t line_max;  /* bytes of a line */
	size_t write_max; /* bytes of one write */
	bool torn;        /* the last write ended inside a line */
	uint64_t dropped; /* lines lost since writing last worked */
	struct access_log_format format;
	struct access_log_stamp stamp;
	size_t used; /* of the buffer; EMPTY at least */
	char buffer[BUFFER_BYTES];
};

/* set_sizes looks at what the log is written to. */
static void
set_sizes(struct access_log *log)
{
	struct stat status;
	bool regular = fstat(log->fd, &status) == 0 && S_ISREG(status.st_mode);

	log->line_max = regular ? LINE_MAX_BYTES : PIPE_BUF;
	log->write_max = regular ? BUFFER_BYTES : PIPE_BUF;
}

int
access_log_new(struct access_log **log, const char *path, enum access_log_style style, const char *format)
{
	struct access_log *new_log;
	char why[256];
	int error;

	*log = NULL;
	if (path == NULL)
		return 0;
	new_log = calloc(1, sizeof(*new_log));
	if (new_log == NULL)
		return -ENOMEM;
	error = access_log_format_parse(&new_log->format, style, format, why, sizeof(why));
	new_log->fd = STDOUT_FILENO;
	if (error == 0 && strcmp(path, "-") != 0) {
		new_log->path = path;
		new_log->fd = log_open_file(path);
		error = new_log->fd < 0 ? new_log->fd : 0;
	}
	if (error != 0) {
		free(new_log);
		return error;
	}
	set_sizes(new_log);
	new_log->buffer[0] = '\n';
	new_log->used = EMPTY;
	*log = new_log;
	return 0;
}

int
access_log_share(struct access_log **log, const struct access_log *from)
{
	struct access_log *new_log = NULL;

	*log = NULL;
	if (from == NULL)
		return 0;
	new_log = calloc(1, sizeof(*new_log));
	if (new_log == NULL)
		return -ENOMEM;
	new_log->path = from->path;
	new_log->fd = from->fd;
	new_log->shared = true;
	new_log->line_max = from->line_max;
	new_log->write_max = from->write_max;
	new_log->format = from->format;
	new_log->buffer[0] = '\n';
	new_log->used = EMPTY;
	*log = new_log;
	return 0;
}

void
access_log_free(struct access_log *log)
{
	if (log == NULL)
		return;
	access_log_flush(log);
	if (log->path != NULL && !log->shared)
		close(log->fd);
	free(log);
}

int
access_log_reopen(struct access_log *log)
{
	int fd, error;

	if (log == NULL || log->path == NULL)
		return 0;
	assert(!log->shared);
	access_log_flush(log);
	fd = log_open_file(log->path);
	if (fd < 0)
		return fd;
	/* dup3 swaps the file under the same number, which is what other threads write to. */
	error = dup3(fd, log->fd, O_CLOEXEC) < 0 ? -errno : 0;
	close(fd);
	if (error != 0)
		return error;
	log->torn = false;
	set_sizes(log);
	return 0;
}

const char *const *
access_log_wanted(const struct access_log *log)
{
	return log != NULL && log->format.wanted_count > 0 ? log->format.wanted : NULL;
}

bool
access_log_needs_time(const struct access_log *log)
{
	return log != NULL && log->format.needs_time;
}

bool
access_log_needs_head(const struct access_log *log)
{
	return log != NULL && log->format.needs_head;
}

/* whole_lines returns how many of the LEN bytes AT may be written at once. */
static size_t
whole_lines(const struct access_log *log, const char *at, size_t len)
{
	const char *last;

	if (len <= log->write_max)
		return len;
	last = memrchr(at, '\n', log->write_max);
	assert(last != NULL);
	return (size_t)(last - at) + 1;
}

/* drop counts the lines that end in the LEN bytes AT as lost for ERROR. It is told at once, as writing may never work again. */
static void
drop(struct access_log *log, const char *at, size_t len, int error)
{
	if (log->dropped == 0)
		log_error("The access log cannot be written: %s; its lines are dropped until it can (make room; USR1 "
			  "opens it again)",
		    strerror(error));
	for (size_t i = 0; i < len; i++)
		log->dropped += at[i] == '\n';
}

void
access_log_flush(struct access_log *log)
{
	size_t done;
	int error = EIO;

	if (log == NULL || log->used == EMPTY)
		return;
	done = log->torn ? 0 : EMPTY;
	while (done < log->used) {
		ssize_t written =
		    write(log->fd, log->buffer + done, whole_lines(log, log->buffer + done, log->used - done));

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			error = errno;
		if (written <= 0)
			break;
		done += (size_t)written;
		log->torn = log->buffer[done - 1] != '\n';
	}
	if (done < log->used) {
		done = done > EMPTY ? done : EMPTY;
		drop(log, log->buffer + done, log->used - done, error);
	} else if (log->dropped > 0) {
		log_warning(
		    "The access log lost %llu lines that could not be written", (unsigned long long)log->dropped);
		log->dropped = 0;
	}
	log->used = EMPTY;
}

void
access_log_add(struct access_log *log, const struct access_log_entry *entry)
{
	if (log == NULL)
		return;
	if (BUFFER_BYTES - log->used < log->line_max)
		access_log_flush(log);
	log->used += access_log_line(log->buffer + log->used, log->line_max, &log->format, entry, &log->stamp);
}
