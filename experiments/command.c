/* Command templates of an experiment file -> argument vectors, without a shell. */
#include "experiments/command.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "experiments/memory.h"
#include "experiments/text.h"

/* add_value adds what the placeholder NAME of LEN bytes stands for; false when there is no such. */
static bool
add_value(struct text *out, const char *name, size_t len, const struct command_values *values)
{
	const char *python = getenv("LOOPFORK_PYTHON");
	char key[32];

	snprintf(key, sizeof(key), "%.*s", (int)len, name);
	if (strcmp(key, "host") == 0)
		text_add(out, "%s", values->host);
	else if (strcmp(key, "port") == 0)
		text_add(out, "%d", values->port);
	else if (strcmp(key, "address") == 0)
		text_add(out, "%s:%d", values->host, values->port);
	else if (strcmp(key, "sleep") == 0)
		text_add(out, "%.10g", values->sleep_s);
	else if (strcmp(key, "concurrency") == 0)
		text_add(out, "%d", values->concurrency);
	else if (strcmp(key, "requests") == 0)
		text_add(out, "%lld", values->requests);
	else if (strcmp(key, "bin") == 0)
		text_add(out, "%s", values->bin);
	else if (strcmp(key, "experiments") == 0)
		text_add(out, "%s", values->experiments);
	else if (strcmp(key, "python") == 0)
		text_add(out, "%s", python != NULL && *python != '\0' ? python : COMMAND_PYTHON);
	else
		return false;
	return true;
}

/* expand adds the LEN bytes of WORD to OUT, its placeholders replaced. */
static int
expand(struct text *out, const char *word, size_t len, const struct command_values *values, char *error)
{
	for (size_t i = 0; i < len;) {
		const char *end = word[i] == '{' ? memchr(word + i, '}', len - i) : NULL;
		size_t name_len;

		if (word[i] == '{' && end == NULL) {
			snprintf(error, COMMAND_ERROR_MAX, "a { without its }");
			return -1;
		}
		if (end == NULL) {
			text_add_len(out, word + i++, 1);
			continue;
		}
		name_len = (size_t)(end - word) - i - 1;
		if (!add_value(out, word + i + 1, name_len, values)) {
			snprintf(error, COMMAND_ERROR_MAX,
			    "unknown placeholder {%.*s}; use any of {address} {host} {port} {sleep} {concurrency} "
			    "{requests} "
			    "{bin} {experiments} {python}",
			    (int)(name_len < 40 ? name_len : 40), word + i + 1);
			return -1;
		}
		i += name_len + 2;
	}
	return 0;
}

char *
command_expand(const char *template, const struct command_values *values, char *error)
{
	struct text out = {0};

	text_add_len(&out, "", 0);
	if (expand(&out, template, strlen(template), values, error) == 0)
		return out.at;
	text_deinit(&out);
	return NULL;
}

/*
 * next_word adds the next word of *AT to WORD, quotes removed and placeholders replaced. Returns
 * 1, 0 at the end, or -1.
 */
static int
next_word(const char **at, struct text *word, const struct command_values *values, char *error)
{
	const char *c = *at + strspn(*at, " \t\n");

	if (*c == '\0')
		return 0;
	text_add_len(word, "", 0);
	while (*c != '\0' && strchr(" \t\n", *c) == NULL) {
		size_t len = strcspn(c, " \t\n'\"");

		if (*c == '\'' || *c == '"') {
			const char *end = strchr(c + 1, *c);

			if (end == NULL) {
				snprintf(error, COMMAND_ERROR_MAX, "a %c without its end", *c);
				return -1;
			}
			if (expand(word, c + 1, (size_t)(end - c) - 1, values, error) != 0)
				return -1;
			c = end + 1;
		} else {
			if (expand(word, c, len, values, error) != 0)
				return -1;
			c += len;
		}
	}
	*at = c;
	return 1;
}

char **
command_split(const char *template, const struct command_values *values, char *error)
{
	char **argv = memory_new(1, sizeof(*argv));
	size_t count = 0;
	int got;

	for (;;) {
		struct text word = {0};

		got = next_word(&template, &word, values, error);
		if (got != 1) {
			text_deinit(&word);
			break;
		}
		argv = memory_grow(argv, count + 2, sizeof(*argv));
		argv[count++] = word.at;
		argv[count] = NULL;
	}
	if (got == 0 && count > 0)
		return argv;
	if (got == 0)
		snprintf(error, COMMAND_ERROR_MAX, "no program in it");
	command_free(argv);
	return NULL;
}

void
command_free(char **argv)
{
	for (size_t i = 0; argv != NULL && argv[i] != NULL; i++)
		free(argv[i]);
	free(argv);
}

static bool
is_executable(const char *path)
{
	struct stat file;

	return stat(path, &file) == 0 && S_ISREG(file.st_mode) && access(path, X_OK) == 0;
}

char *
command_find(const char *program, const char *bin)
{
	const char *folders = getenv("PATH");
	char *path;

	if (strchr(program, '/') != NULL)
		return is_executable(program) ? memory_copy(program) : NULL;
	path = memory_print("%s/%s", bin, program);
	if (is_executable(path))
		return path;
	free(path);
	for (; folders != NULL && *folders != '\0'; folders += strspn(folders, ":")) {
		size_t len = strcspn(folders, ":");

		path = memory_print("%.*s/%s", (int)len, folders, program);
		if (len > 0 && is_executable(path))
			return path;
		free(path);
		folders += len;
	}
	return NULL;
}
