/* --urls FILE -> the requests that it lists, which connections send in turn. */
#include "loadgen/urls.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BYTE_ORDER_MARK "\xef\xbb\xbf" /* of UTF-8: some editors begin a file with it */

/* join_server sees that ENTRY, the last one, names the server that the others name. */
static int
join_server(struct urls *urls, const struct url_entry *entry, const struct url_place *place)
{
	if (entry->server == NULL)
		return 0;
	if (urls->server == NULL)
		urls->server = entry->server;
	if (strcmp(urls->server, entry->server) == 0)
		return 0;
	return url_refuse(
	    place, "%s is not %s; a file has one server, the command line several", entry->server, urls->server);
}

/* grow makes room for one more entry. */
static int
grow(struct urls *urls)
{
	struct url_entry *entries;

	if ((urls->len & (urls->len - 1)) != 0)
		return 0;
	entries = realloc(urls->entries, (urls->len > 0 ? 2 * urls->len : 1) * sizeof(*entries));
	if (entries == NULL)
		return -ENOMEM;
	urls->entries = entries;
	return 0;
}

/* add_line adds the request of LINE, LEN bytes without its end. */
static int
add_line(struct urls *urls, const struct url_place *place, char *line, size_t len)
{
	struct url_entry *entry;
	int result;

	if (place->line == 1 && strncmp(line, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0) {
		line += strlen(BYTE_ORDER_MARK);
		len -= strlen(BYTE_ORDER_MARK);
	}
	if (strlen(line) != len)
		return url_refuse(place, "a zero byte; lines are text");
	line += strspn(line, " \t");
	if (line[0] == '\0' || line[0] == '#')
		return 0;
	if (urls->len == URLS_MAX)
		return url_refuse(place, "more than %d requests", URLS_MAX);
	result = grow(urls);
	if (result != 0)
		return result;
	entry = &urls->entries[urls->len++];
	*entry = (struct url_entry){0};
	result = line[0] == '{' ? url_entry_json(entry, place, line, &urls->files)
				: url_entry_text(entry, place, line, &urls->files);
	if (result == 0 && strcmp(entry->path, "*") == 0 &&
	    (entry->method == NULL || strcmp(entry->method, "OPTIONS") != 0))
		return url_refuse(place, "\"*\": the whole server is a target of OPTIONS alone, as in OPTIONS *");
	return result != 0 ? result : join_server(urls, entry, place);
}

/* read_line reads the next line with its end into LINE. Returns its length, 0 at the end; above URLS_LINE_MAX it is cut. */
static size_t
read_line(FILE *in, char *line)
{
	size_t len = 0;
	int byte = 0;

	while (byte != '\n' && len <= URLS_LINE_MAX && (byte = getc_unlocked(in)) != EOF)
		line[len++] = (char)byte;
	line[len] = '\0';
	return len;
}

static int
add_lines(struct urls *urls, FILE *in, struct url_place *place)
{
	char *line = malloc(URLS_LINE_MAX + 2);
	uint64_t read = 0;
	size_t len;
	int result = line != NULL ? 0 : -ENOMEM;

	while (result == 0 && (len = read_line(in, line)) > 0) {
		place->line++;
		read += len;
		if (len > URLS_LINE_MAX)
			result = url_refuse(place, "a line of more than %d bytes", URLS_LINE_MAX);
		else if (read > URLS_BYTES_MAX)
			result = url_refuse(place, "more than %d bytes up to this line", URLS_BYTES_MAX);
		if (result != 0)
			break;
		while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
			line[--len] = '\0';
		result = add_line(urls, place, line, len);
	}
	if (result == 0 && ferror(in))
		result = -errno;
	free(line);
	return result;
}

int
urls_load(struct urls *urls, const char *name, char *error, size_t error_size)
{
	struct url_place place = {.file = name, .error = error, .error_size = error_size};
	FILE *in = strcmp(name, "-") == 0 ? stdin : fopen(name, "re");
	int result;

	*urls = (struct urls){0};
	error[0] = '\0';
	if (in == NULL) {
		result = -errno;
	} else {
		result = add_lines(urls, in, &place);
		if (in != stdin)
			fclose(in);
	}
	if (result == 0 && urls->len == 0) {
		snprintf(error, error_size, "%s: there is no request in it; a line is one, as in GET /", name);
		result = -EINVAL;
	}
	if (result != 0 && error[0] == '\0')
		snprintf(error, error_size, "cannot read %s: %s", name, strerror(-result));
	return result;
}

void
urls_deinit(struct urls *urls)
{
	for (size_t i = 0; i < urls->len; i++)
		url_entry_deinit(&urls->entries[i]);
	free(urls->entries);
	for (size_t i = 0; i < urls->files.len; i++) {
		close(urls->files.items[i].fd);
		free(urls->files.items[i].name);
	}
	free(urls->files.items);
	*urls = (struct urls){0};
}

/* entry_sets tells whether ENTRY has a field of the name of LINE's. */
static bool
entry_sets(const struct url_entry *entry, const char *line)
{
	size_t len = strcspn(line, ":") + 1;

	for (size_t i = 0; i < entry->fields_len; i++)
		if (strncasecmp(entry->fields[i], line, len) == 0)
			return true;
	return false;
}

void
urls_spec(struct request_spec *spec, const struct urls *urls, size_t index, const struct request_spec *common)
{
	const struct url_entry *entry = &urls->entries[index];

	*spec = *common;
	spec->fields_len = 0;
	for (size_t i = 0; i < common->fields_len; i++)
		if (!entry_sets(entry, common->fields[i]))
			spec->fields[spec->fields_len++] = common->fields[i];
	for (size_t i = 0; i < entry->fields_len; i++)
		spec->fields[spec->fields_len++] = entry->fields[i];
	if (entry->method != NULL)
		spec->method = entry->method;
	if (entry->body == NULL && entry->body_file == NULL)
		return;
	spec->body = entry->body;
	spec->body_file = entry->body_file;
	spec->body_fd = entry->body_fd;
	spec->body_len = entry->body_len;
}
