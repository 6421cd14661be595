/* Fuzzes the JSON lines of both logs: whatever bytes they tell of, jansson reads one object a line, with those bytes in it. */
#include <fcntl.h>
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/access_log_json.h"
#include "common/log.h"

#define TEXTS 5  /* target, Referer, User-Agent, Authorization, peer */
#define FLAGS 1  /* a byte of them */
#define PEER 100 /* bytes at most, but longer than any address */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool good, const char *promise)
{
	if (good)
		return;
	fprintf(stderr, "a JSON line broke its promise: %s\n", promise);
	abort();
}

/* read_line returns the object that LEN bytes LINE are. */
static json_t *
read_line(const char *line, size_t len)
{
	json_t *object;

	check(len > 2 && line[len - 1] == '\n', "a line ends");
	for (size_t i = 0; i + 1 < len; i++)
		check(line[i] >= ' ' && line[i] <= '~', "it is of printable characters");
	object = json_loadb(line, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	check(json_is_object(object), "it is an object");
	return object;
}

/* check_text: VALUE is TEXT, or a part from its beginning; where that is not UTF-8 all that is known is that it is not longer. */
static void
check_text(const json_t *value, struct http_span text)
{
	json_t *whole;

	if (text.at == NULL) {
		check(json_is_null(value), "what is not there is null");
		return;
	}
	check(json_is_string(value), "what is there is a string");
	check(json_string_length(value) <= 2 * text.len, "a byte becomes one character at most");
	whole = json_stringn(text.at, text.len);
	if (whole != NULL) {
		size_t len = json_string_length(value);

		check(len <= text.len && memcmp(json_string_value(value), text.at, len) == 0,
		    "UTF-8 reads as it was sent");
		check(len == text.len || len > 80, "only what is long is cut");
		json_decref(whole);
	}
}

static void
check_access(const struct http_span *texts, uint8_t flags)
{
	static struct access_log_stamp stamp;
	char out[16384], peer[PEER] = "";
	struct http_request request = {
	    .method = (flags & 1) != 0 ? NULL : "GET",
	    .minor = flags >> 1 & 1,
	    .target = texts[0],
	    .referer = texts[1],
	    .user_agent = texts[2],
	    .wanted = {texts[3]},
	};
	struct access_log_entry entry = {.peer = peer, .request = &request, .status = 200, .took_ns = texts[0].len};
	const struct http_span none = {0};
	size_t room = (flags & 4) != 0 ? sizeof(out) : ACCESS_LOG_LINE_MIN;
	size_t len;
	json_t *line;

	if (texts[4].at != NULL)
		memcpy(peer, texts[4].at, texts[4].len < PEER ? texts[4].len : PEER - 1);
	len = access_log_json(out, room, texts[3], &entry, &stamp);
	check(len <= room, "it fits");
	line = read_line(out, len);
	check(json_object_size(line) == 14, "all keys are there");
	check_text(json_object_get(line, "referer"), request.method != NULL ? request.referer : none);
	check_text(json_object_get(line, "user_agent"), request.method != NULL ? request.user_agent : none);
	check_text(
	    json_object_get(line, "peer"), *peer != '\0' ? (struct http_span){.at = peer, .len = strlen(peer)} : none);
	check(json_is_string(json_object_get(line, "path")) == (request.method != NULL && request.target.at != NULL),
	    "there is a path where there is a target");
	json_decref(line);
}

/* check_error has TEXT logged as a message, which ends at a NUL. */
static void
check_error(int fd, const char *text)
{
	char out[8192];
	ssize_t len;
	json_t *line;

	check(ftruncate(fd, 0) == 0, "the log is empty");
	log_error("%s", text);
	len = pread(fd, out, sizeof(out), 0);
	check(len > 0 && len <= 2048, "a line of the error log has 2 KiB");
	line = read_line(out, (size_t)len);
	check(json_object_size(line) == 4, "all keys are there");
	check_text(json_object_get(line, "message"), (struct http_span){.at = text, .len = strlen(text)});
	json_decref(line);
}

/* open_log has the error log written to memory, and returns where it can be read. */
static int
open_log(void)
{
	static char path[64];
	int fd = memfd_create("log", MFD_CLOEXEC);

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	check(fd >= 0 && log_open(path, LOG_LEVEL_DEBUG) == 0, "there is memory");
	log_set_json(true);
	return fd;
}

/* The first byte is flags; the next ones say where each text ends, in 8 bytes from the one before, or with 255 that it is not there. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int log_fd = -1;
	struct http_span texts[TEXTS] = {{0}};
	const uint8_t *ends = data + FLAGS;
	size_t begin = FLAGS + TEXTS;
	char *copy;

	if (size < begin)
		return 0;
	if (log_fd < 0)
		log_fd = open_log();
	for (size_t i = 0; i < TEXTS; i++) {
		size_t len = (size_t)ends[i] * 8;

		if (ends[i] == 255)
			continue;
		len = len < size - begin ? len : size - begin;
		texts[i] = (struct http_span){.at = (const char *)data + begin, .len = len};
		begin += len;
	}
	check_access(texts, data[0]);
	copy = strndup((const char *)data + FLAGS + TEXTS, size - FLAGS - TEXTS);
	check(copy != NULL, "there is memory");
	check_error(log_fd, copy);
	free(copy);
	return 0;
}
