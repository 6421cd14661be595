/* One request of a --urls file, put together part by part. */
#include "loadgen/url_entry.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loadgen/request.h"
#include "loadgen/target.h"
#include "loadgen/urls.h"

int
url_refuse(const struct url_place *place, const char *format, ...)
{
	int len = snprintf(place->error, place->error_size, "%s:%zu: ", place->file, place->line);
	va_list args;

	if (len < 0 || (size_t)len >= place->error_size)
		return -EINVAL;
	va_start(args, format);
	vsnprintf(place->error + len, place->error_size - (size_t)len, format, args);
	va_end(args);
	return -EINVAL;
}

int
url_entry_method(struct url_entry *entry, const struct url_place *place, const char *method)
{
	char why[256];

	if (request_check_method(method, why, sizeof(why)) != 0)
		return url_refuse(place, "\"%s\": %s", method, why);
	entry->method = strdup(method);
	return entry->method != NULL ? 0 : -ENOMEM;
}

int
url_entry_target(struct url_entry *entry, const struct url_place *place, const char *target)
{
	struct target parsed;
	char why[256];
	char *url = NULL;
	int result;

	if (strcmp(target, "*") == 0) {
		entry->path = strdup(target);
		return entry->path != NULL ? 0 : -ENOMEM;
	}
	if (target[0] != '/' && strstr(target, "://") == NULL && strncmp(target, "unix:", 5) != 0)
		return url_refuse(
		    place, "\"%s\": a target is a path like /x?y=1, or a URL with http:// before it", target);
	/* A path is judged as that of any server. */
	if (target[0] == '/' && asprintf(&url, "http://localhost%s", target) < 0)
		return -ENOMEM;
	result = target_parse(&parsed, url != NULL ? url : target, why, sizeof(why));
	if (result == 0) {
		entry->path = strdup(parsed.path);
		if (url == NULL)
			entry->server = strndup(parsed.url, strlen(parsed.url) - strlen(parsed.path) + 1);
		if (entry->path == NULL || (url == NULL && entry->server == NULL))
			result = -ENOMEM;
	} else if (result == -EINVAL) {
		result = url_refuse(place, "\"%s\": %s", target, why);
	}
	target_deinit(&parsed);
	free(url);
	return result;
}

int
url_entry_field(struct url_entry *entry, const struct url_place *place, const char *line)
{
	char why[256];
	char **fields;

	if (request_check_field(line, why, sizeof(why)) != 0)
		return url_refuse(place, "\"%s\": %s", line, why);
	if (entry->fields_len == REQUEST_FIELDS_MAX)
		return url_refuse(place, "more than %d header lines", REQUEST_FIELDS_MAX);
	fields = realloc(entry->fields, (entry->fields_len + 1) * sizeof(*fields));
	if (fields == NULL)
		return -ENOMEM;
	entry->fields = fields;
	fields[entry->fields_len] = strdup(line);
	if (fields[entry->fields_len] == NULL)
		return -ENOMEM;
	entry->fields_len++;
	return 0;
}

static int
has_body_already(const struct url_entry *entry, const struct url_place *place)
{
	if (entry->body == NULL && entry->body_file == NULL)
		return 0;
	return url_refuse(place, "two bodies; a request has one");
}

int
url_entry_body(struct url_entry *entry, const struct url_place *place, const char *text, size_t len)
{
	int result = has_body_already(entry, place);

	if (result != 0)
		return result;
	if (len > REQUEST_SMALL_MAX)
		return url_refuse(
		    place, "a body of %zu bytes; put one of more than %d into a file", len, REQUEST_SMALL_MAX);
	entry->body = malloc(len + 1);
	if (entry->body == NULL)
		return -ENOMEM;
	memcpy(entry->body, text, len);
	entry->body[len] = '\0';
	entry->body_len = len;
	return 0;
}

/* read_small copies the body that SPEC has open. A file that got shorter meanwhile is -EIO. */
static int
read_small(struct url_entry *entry, const struct request_spec *spec)
{
	size_t len = (size_t)spec->body_len, done = 0;
	ssize_t got = 1;

	entry->body = malloc(len + 1);
	if (entry->body == NULL)
		return -ENOMEM;
	while (done < len && got > 0) {
		got = pread(spec->body_fd, entry->body + done, len - done, (off_t)done);
		done += got > 0 ? (size_t)got : 0;
	}
	entry->body_len = len;
	if (got < 0)
		return -errno;
	return done == len ? 0 : -EIO;
}

/* keep_open adds the file that SPEC has open to FILES, and leaves it to them. */
static int
keep_open(struct url_entry *entry, const struct url_place *place, struct request_spec *spec, struct url_files *files)
{
	struct url_file *file;

	if (files->len == URLS_FILES_MAX)
		return url_refuse(
		    place, "more than %d different body files of over %d bytes", URLS_FILES_MAX, REQUEST_SMALL_MAX);
	file = realloc(files->items, (files->len + 1) * sizeof(*file));
	if (file == NULL)
		return -ENOMEM;
	files->items = file;
	file += files->len;
	file->name = strdup(spec->body_file);
	if (file->name == NULL)
		return -ENOMEM;
	files->len++;
	file->fd = spec->body_fd;
	file->len = spec->body_len;
	spec->body_file = NULL; /* it stays open */
	entry->body_file = file->name;
	entry->body_fd = file->fd;
	entry->body_len = file->len;
	return 0;
}

int
url_entry_body_file(struct url_entry *entry, const struct url_place *place, const char *name, struct url_files *files)
{
	struct request_spec spec = {0};
	int result = has_body_already(entry, place);

	if (result != 0)
		return result;
	for (size_t i = 0; i < files->len; i++)
		if (strcmp(files->items[i].name, name) == 0) {
			entry->body_file = files->items[i].name;
			entry->body_fd = files->items[i].fd;
			entry->body_len = files->items[i].len;
			return 0;
		}
	result = request_open_body(&spec, name);
	if (result != 0) {
		(void)url_refuse(place, "cannot read the body from %s: %s", name, request_body_error(result));
		return result == -EINVAL ? -EIO : result; /* the list itself is right */
	}
	result = spec.body_len > REQUEST_SMALL_MAX ? keep_open(entry, place, &spec, files) : read_small(entry, &spec);
	request_close_body(&spec);
	return result;
}

void
url_entry_deinit(struct url_entry *entry)
{
	for (size_t i = 0; i < entry->fields_len; i++)
		free(entry->fields[i]);
	free(entry->fields);
	free(entry->method);
	free(entry->path);
	free(entry->server);
	free(entry->body);
}
