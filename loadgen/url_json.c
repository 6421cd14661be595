/* A line of a --urls file as JSON: an object with the parts of a request. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loadgen/url_entry.h"

/* text_of returns the text of VALUE, the member NAME, or NULL after refusing what is none. */
static const char *
text_of(const json_t *value, const char *name, const struct url_place *place)
{
	const char *text = json_string_value(value);

	if (text == NULL)
		(void)url_refuse(place, "\"%s\" must be a string", name);
	else if (strlen(text) != json_string_length(value))
		(void)url_refuse(place, "\"%s\" holds a zero byte", name);
	else
		return text;
	return NULL;
}

static int
add_header(struct url_entry *entry, const struct url_place *place, const char *name, const json_t *value)
{
	const char *text = text_of(value, name, place);
	char *line;
	int result;

	if (text == NULL)
		return -EINVAL;
	if (asprintf(&line, "%s: %s", name, text) < 0)
		return -ENOMEM;
	result = url_entry_field(entry, place, line);
	free(line);
	return result;
}

static int
add_headers(struct url_entry *entry, const struct url_place *place, json_t *headers)
{
	const char *name;
	json_t *value, *item;
	size_t i;
	int result = 0;

	if (!json_is_object(headers))
		return url_refuse(place, "\"headers\" must be an object, as in {\"Accept\": \"text/html\"}");
	json_object_foreach(headers, name, value)
	{
		if (!json_is_array(value)) {
			result = add_header(entry, place, name, value);
		} else {
			json_array_foreach(value, i, item)
			{
				result = add_header(entry, place, name, item);
				if (result != 0)
					return result;
			}
		}
		if (result != 0)
			return result;
	}
	return 0;
}

static int
add_member(
    struct url_entry *entry, const struct url_place *place, const char *name, json_t *value, struct url_files *files)
{
	const char *text;

	if (strcmp(name, "headers") == 0)
		return add_headers(entry, place, value);
	if (strcmp(name, "body") == 0 && json_is_string(value)) /* zero bytes are welcome */
		return url_entry_body(entry, place, json_string_value(value), json_string_length(value));
	if (strcmp(name, "method") != 0 && strcmp(name, "target") != 0 && strcmp(name, "body") != 0 &&
	    strcmp(name, "body_file") != 0)
		return url_refuse(place, "there is no \"%s\"; use method, target, headers, body or body_file", name);
	text = text_of(value, name, place);
	if (text == NULL)
		return -EINVAL;
	if (strcmp(name, "method") == 0)
		return url_entry_method(entry, place, text);
	if (strcmp(name, "target") == 0)
		return url_entry_target(entry, place, text);
	return url_entry_body_file(entry, place, text, files);
}

int
url_entry_json(struct url_entry *entry, const struct url_place *place, const char *line, struct url_files *files)
{
	json_error_t why;
	json_t *root = json_loads(line, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why), *value;
	const char *name;
	int result = 0;

	if (root == NULL)
		return url_refuse(place, "this is not JSON: %s", why.text);
	json_object_foreach(root, name, value)
	{
		result = add_member(entry, place, name, value, files);
		if (result != 0)
			break;
	}
	if (result == 0 && entry->path == NULL)
		result = url_refuse(place, "\"target\" is missing, as in {\"target\": \"/x\"}");
	json_decref(root);
	return result;
}
