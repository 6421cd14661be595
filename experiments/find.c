/* Where things are: the programs beside the lab's own, and the experiments. */
#include "experiments/find.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "experiments/memory.h"
#include "experiments/text.h"

char *
find_bin(void)
{
	char path[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (len <= 0)
		return memory_copy(".");
	path[len] = '\0';
	*strrchr(path, '/') = '\0';
	return memory_copy(path);
}

static bool
is_folder(const char *path)
{
	struct stat file;

	return stat(path, &file) == 0 && S_ISDIR(file.st_mode);
}

/* real returns the shortest absolute form of PATH, which it frees: reports show it. */
static char *
real(char *path)
{
	char *resolved = realpath(path, NULL);

	if (resolved == NULL)
		return path;
	free(path);
	return resolved;
}

char *
find_experiments(const char *bin)
{
	const char *told = getenv("LOOPFORK_EXPERIMENTS");
	static const char *const places[] = {"../../../experiments", "../share/loopfork/experiments"};

	if (told != NULL && *told != '\0')
		return memory_copy(told);
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		char *path = memory_print("%s/%s", bin, places[i]);

		if (is_folder(path))
			return real(path);
		free(path);
	}
	return is_folder("experiments") ? memory_copy("experiments") : NULL;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char **
find_names(const char *folder, size_t *count)
{
	DIR *files = folder != NULL ? opendir(folder) : NULL;
	char **names = memory_new(1, sizeof(*names));
	const struct dirent *file;

	*count = 0;
	while (files != NULL && (file = readdir(files)) != NULL) {
		size_t len = strlen(file->d_name);

		if (len <= 4 || strcmp(file->d_name + len - 4, ".ini") != 0 || file->d_name[0] == '.')
			continue;
		names = memory_grow(names, *count + 1, sizeof(*names));
		names[(*count)++] = memory_copy_len(file->d_name, len - 4);
	}
	if (files != NULL)
		closedir(files);
	qsort(names, *count, sizeof(*names), by_name);
	return names;
}

/* unknown names the experiments that there are. */
static int
unknown(const char *folder, const char *what, char *error)
{
	struct text known = {0};
	size_t count;
	char **names = find_names(folder, &count);

	for (size_t i = 0; i < count; i++) {
		text_add(&known, "%s%s", i > 0 ? ", " : "", names[i]);
		free(names[i]);
	}
	free(names);
	snprintf(error, DEFINITION_ERROR_MAX,
	    "unknown experiment %s; there are %.500s; or give the path of an .ini file", what,
	    known.len > 0 ? known.at : "none");
	text_deinit(&known);
	return -ENOENT;
}

int
find_definition(struct experiment *experiment, const char *folder, const char *what, char *error)
{
	size_t len = strlen(what);
	char *path;
	int result;

	if (strchr(what, '/') != NULL || (len > 4 && strcmp(what + len - 4, ".ini") == 0))
		return definition_load(experiment, what, error);
	if (folder == NULL)
		return unknown(NULL, what, error);
	path = memory_print("%s/%s.ini", folder, what);
	result = access(path, F_OK) == 0 ? definition_load(experiment, path, error) : unknown(folder, what, error);
	free(path);
	return result;
}

int
find_lender(struct experiment *experiment, const struct experiment *by, const char *name, void *context, char *error)
{
	char *beside = memory_print("%s/%s.ini", by->folder, name);
	int result = access(beside, F_OK) == 0 ? definition_load(experiment, beside, error)
					       : find_definition(experiment, context, name, error);

	free(beside);
	return result;
}
