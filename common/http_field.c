/* One field of a header section that was read already, by its name: for what only few requests need. */
#include "common/http_field.h"

#include <string.h>
#include <strings.h>

/* The guard has seen to it that each line ends with CRLF: a request line, field lines `name:value`, and an empty one. */

static struct http_span
trim(const char *begin, const char *end)
{
	while (begin < end && (*begin == ' ' || *begin == '\t'))
		begin++;
	while (end > begin && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	return (struct http_span){begin, (size_t)(end - begin)};
}

struct http_span
http_field_find(struct http_span header, const char *name)
{
	const char *line = header.at, *end = header.at + header.len, *line_end;
	size_t name_len = strlen(name);

	while ((line_end = memchr(line, '\r', (size_t)(end - line))) != line) {
		if (line != header.at && (size_t)(line_end - line) > name_len && line[name_len] == ':' &&
		    strncasecmp(line, name, name_len) == 0)
			return trim(line + name_len + 1, line_end);
		line = line_end + 2;
	}
	return (struct http_span){0};
}
