/* What a server of an experiment needs installed, and which Debian package brings it. */
#include "experiments/requires.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "experiments/command.h"
#include "experiments/memory.h"
#include "experiments/process.h"

#define PROBE_SECONDS 20.0 /* a cold start of Python from a slow disk */

bool
requires_next(const char **list, struct requirement *requirement)
{
	const char *end;
	bool found;

	if (*list == NULL)
		return false;
	found =
	    sscanf(*list, " %63[^:]:%15[^:]:%63[^, ]", requirement->package, requirement->kind, requirement->what) == 3;
	end = strchr(*list, ',');
	*list = end != NULL ? end + 1 : NULL;
	return found;
}

static bool
is_there(const struct requirement *requirement, const struct keeper *keeper, const char *bin)
{
	static const struct command_values none = {.host = "", .bin = "", .experiments = ""};
	char error[COMMAND_ERROR_MAX];
	char *python = command_expand("{python}", &none, error);
	bool command = strcmp(requirement->kind, "command") == 0;
	char *path = command_find(command || python == NULL ? requirement->what : python, bin);
	bool there = path != NULL;

	if (there && !command) {
		/* Looking is enough: importing Django takes half a second. */
		char *code = memory_print(
		    "import importlib.util as u, sys; sys.exit(u.find_spec('%s') is None)", requirement->what);
		char *argv[] = {path, "-c", code, NULL};

		there = process_run(keeper, argv, NULL, NULL, NULL, PROBE_SECONDS) == 0;
		free(code);
	}
	free(path);
	free(python);
	return there;
}

void
requires_missing(const char *list, const struct keeper *keeper, const char *bin, struct text *missing)
{
	struct requirement requirement;

	while (requires_next(&list, &requirement)) {
		if (strstr(text_string(missing), requirement.package) != NULL || is_there(&requirement, keeper, bin))
			continue;
		text_add(missing, "%s%s", missing->len > 0 ? " " : "", requirement.package);
	}
}
