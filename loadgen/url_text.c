/* A line of a --urls file as text: METHOD TARGET, then header lines and a body with tabs between them. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "loadgen/url_entry.h"

#define BODY "body="

/* next_word cuts the first word off *TEXT; what ended it goes to *END. */
static char *
next_word(char **text, char *end)
{
	char *word = *text + strspn(*text, " \t");

	*text = word + strcspn(word, " \t");
	*end = **text;
	if (*end != '\0')
		*(*text)++ = '\0';
	return word;
}

/* is_target: a method is a token (RFC 9110, 5.6.2), which has neither of these characters; `*` may be one, and is none. */
static bool
is_target(const char *word)
{
	return strpbrk(word, "/:") != NULL || strcmp(word, "*") == 0;
}

static int
add_part(struct url_entry *entry, const struct url_place *place, char *part, struct url_files *files)
{
	if (strncmp(part, BODY, strlen(BODY)) == 0)
		return url_entry_body(entry, place, part + strlen(BODY), strlen(part) - strlen(BODY));
	part += strspn(part, " ");
	if (part[0] == '@')
		return url_entry_body_file(entry, place, part + 1, files);
	return part[0] != '\0' ? url_entry_field(entry, place, part) : 0;
}

int
url_entry_text(struct url_entry *entry, const struct url_place *place, char *line, struct url_files *files)
{
	char *rest = line, *part, end;
	char *word = next_word(&rest, &end);
	int result = 0;

	if (!is_target(word)) {
		result = url_entry_method(entry, place, word);
		word = next_word(&rest, &end);
		if (result == 0 && word[0] == '\0')
			return url_refuse(place, "the target is missing, as in %s /x", entry->method);
	}
	if (result == 0)
		result = url_entry_target(entry, place, word);
	if (end == ' ') {
		rest += strspn(rest, " ");
		if (result == 0 && rest[0] != '\t' && rest[0] != '\0')
			return url_refuse(
			    place, "\"%s\" after the target: a method stands before it, all else after a tab", rest);
	}
	while (result == 0 && (part = strsep(&rest, "\t")) != NULL)
		result = add_part(entry, place, part, files);
	return result;
}
