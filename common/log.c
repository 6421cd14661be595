/* The error log: one line a write, in gunicorn's form, `[2026-11-21 10:00:00 +0000] [pid] [LEVEL] text`, or as JSON. */
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/json_text.h"

#define LINE_MAX_BYTES 2048

static const char *const level_names[] = {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"};

static _Atomic int log_fd = STDERR_FILENO;
static _Atomic int log_minimum = LOG_LEVEL_INFO; /* enum log_level */
static atomic_bool log_json;
static const char *log_path;            /* NULL: standard error */
static atomic_uint log_generation;      /* calls of log_reopen_all */
static _Thread_local unsigned log_seen; /* those that this thread has followed */

int
log_open_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0644);

	if (fd < 0)
		return -errno;
	(void)fcntl(fd, F_SETFL, O_APPEND); /* no O_NONBLOCK from here on */
	return fd;
}

void
log_set_level(enum log_level level)
{
	atomic_store(&log_minimum, (int)level);
}

void
log_set_json(bool json)
{
	atomic_store(&log_json, json);
}

int
log_open(const char *path, enum log_level level)
{
	log_set_level(level);
	log_path = path == NULL || strcmp(path, "-") == 0 ? NULL : path;
	if (log_path == NULL) {
		int old = atomic_exchange(&log_fd, STDERR_FILENO);

		if (old != STDERR_FILENO)
			close(old);
	}
	return log_reopen();
}

int
log_reopen(void)
{
	int fd, old;

	if (log_path == NULL)
		return 0;
	fd = log_open_file(log_path);
	if (fd < 0)
		return fd;
	old = atomic_load(&log_fd);
	if (old == STDERR_FILENO) {
		atomic_store(&log_fd, fd);
		return 0;
	}
	/* dup3 swaps the file under the same number, so that a thread in the middle of a write keeps a valid one. */
	if (dup3(fd, old, O_CLOEXEC) < 0) {
		int error = -errno;

		close(fd);
		return error;
	}
	close(fd);
	return 0;
}

int
log_reopen_all(void)
{
	log_seen = atomic_fetch_add(&log_generation, 1) + 1;
	return log_reopen();
}

void
log_follow(void)
{
	if (log_seen == atomic_load_explicit(&log_generation, memory_order_relaxed))
		return;
	log_seen = atomic_load(&log_generation);
	(void)!log_reopen(); /* log_reopen_all's caller says what is wrong, if anything is */
}

/* put_plain writes a line to LINE[LINE_MAX_BYTES] but for the newline, and returns its length. */
static size_t PRINTF_LIKE(3, 0) put_plain(char *line, enum log_level level, const char *format, va_list args)
{
	time_t now = time(NULL);
	struct tm local;
	size_t used;
	int len;

	localtime_r(&now, &local);
	used = strftime(line, LINE_MAX_BYTES, "[%Y-%m-%d %H:%M:%S %z]", &local);
	used += (size_t)snprintf(line + used, LINE_MAX_BYTES - used, " [%d] [%s] ", (int)getpid(), level_names[level]);
	len = vsnprintf(line + used, LINE_MAX_BYTES - used, format, args);
	used += len < 0 ? 0 : (size_t)len;
	return used < LINE_MAX_BYTES ? used : LINE_MAX_BYTES - 1;
}

/* put_json does the same for a JSON line. */
static size_t PRINTF_LIKE(3, 0) put_json(char *line, enum log_level level, const char *format, va_list args)
{
	static const char tail[] = "\"}";
	/* Escaped it is no shorter, so what it is cut at here is never where it ends in the line. */
	char text[LINE_MAX_BYTES];
	uint64_t now_ns = clock_wall_ns();
	time_t second = (time_t)(now_ns / NS_PER_SEC);
	struct tm utc;
	size_t used;
	int len;

	gmtime_r(&second, &utc);
	used = strftime(line, LINE_MAX_BYTES, "{\"time\":\"%Y-%m-%dT%H:%M:%S", &utc);
	used += (size_t)snprintf(line + used, LINE_MAX_BYTES - used,
	    ".%06u+00:00\",\"pid\":%d,\"level\":\"%s\",\"message\":\"", (unsigned)(now_ns % NS_PER_SEC / NS_PER_US),
	    (int)getpid(), level_names[level]);
	len = vsnprintf(text, sizeof(text), format, args);
	if (len > 0)
		used += json_escape(line + used, LINE_MAX_BYTES - sizeof(tail) - used, text, strlen(text));
	memcpy(line + used, tail, sizeof(tail) - 1);
	return used + sizeof(tail) - 1;
}

void
log_line(enum log_level level, const char *format, ...)
{
	char line[LINE_MAX_BYTES];
	va_list args;
	size_t used;

	if ((int)level < atomic_load_explicit(&log_minimum, memory_order_relaxed))
		return;
	log_follow();
	va_start(args, format);
	if (atomic_load_explicit(&log_json, memory_order_relaxed))
		used = put_json(line, level, format, args);
	else
		used = put_plain(line, level, format, args);
	va_end(args);
	line[used++] = '\n';
	/* There is nobody left to tell when the log itself fails. */
	while (write(atomic_load(&log_fd), line, used) < 0 && errno == EINTR)
		;
}

const char *
log_escape(char *out, size_t size, const char *bytes, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	size_t used = 0;

	/* Four bytes are the longest that one input byte becomes; one more ends the string. */
	for (size_t i = 0; i < len && used + 5 <= size; i++) {
		unsigned char byte = (unsigned char)bytes[i];

		if (byte == '"' || byte == '\\') {
			out[used++] = '\\';
			out[used++] = (char)byte;
		} else if (byte >= 0x20 && byte < 0x7f) {
			out[used++] = (char)byte;
		} else {
			out[used++] = '\\';
			out[used++] = 'x';
			out[used++] = hex[byte >> 4];
			out[used++] = hex[byte & 15];
		}
	}
	out[used] = '\0';
	return out;
}
