/* Output files that appear only whole: written beside their place and renamed. */
#include "loadgen/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 40 /* that are followed, one after the other, as the kernel does */

/* in_place tells whether PATH is something that cannot be replaced: a device, a pipe, an open file without a name. */
static bool
in_place(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && (!S_ISREG(status.st_mode) || status.st_nlink == 0);
}

static bool
is_folder(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* follow returns what the symbolic links at PATH lead to, also where nothing is there yet.  The caller frees it; NULL: errno. */
static char *
follow(const char *path)
{
	char *at = strdup(path), *next, to[PATH_MAX];
	ssize_t len;

	for (int links = 0; at != NULL && (len = readlink(at, to, sizeof(to) - 1)) > 0; links++) {
		const char *slash = strrchr(at, '/');
		int folder = to[0] == '/' || slash == NULL ? 0 : (int)(slash - at) + 1;

		to[len] = '\0';
		if (links == LINKS_MAX) {
			free(at);
			errno = ELOOP;
			return NULL;
		}
		if (asprintf(&next, "%.*s%s", folder, at, to) < 0)
			next = NULL;
		free(at);
		at = next;
	}
	return at;
}

/* resolve: the file behind symbolic links is replaced, and they stay.  The caller frees it; NULL: errno. */
static char *
resolve(const char *path)
{
	char *file = realpath(path, NULL);

	return file != NULL || errno != ENOENT ? file : follow(path);
}

/* open_beside creates a temporary file next to PATH; its name goes to *NAME, which the caller frees. */
static int
open_beside(const char *path, char **name)
{
	int fd, error;

	if (asprintf(name, "%s.XXXXXX", path) < 0)
		return -ENOMEM;
	fd = mkostemp(*name, O_CLOEXEC);
	if (fd != -1)
		return fd;
	error = errno;
	free(*name);
	return -error;
}

int
outfile_check(const char *path)
{
	char *file, *name;
	int fd;

	if (strcmp(path, "-") == 0)
		return 0;
	if (*path == '\0')
		return -ENOENT;
	if (in_place(path)) /* opening it now would tell the reader of a pipe that all is over */
		return is_folder(path) ? -EISDIR : access(path, W_OK) == 0 ? 0 : -errno;
	file = resolve(path);
	if (file == NULL)
		return -errno;
	fd = open_beside(file, &name);
	free(file);
	if (fd < 0)
		return fd;
	close(fd);
	unlink(name);
	free(name);
	return 0;
}

/*
 * finish_stream flushes OUT to the disk and closes it, unless it is standard output.  Returns 0 or -errno; an error that
 * came before is that in errno, which was 0 when the first byte was written.
 */
static int
finish_stream(FILE *out, bool durable)
{
	int error = 0;

	if (fflush(out) != 0 || ferror(out) || (durable && fsync(fileno(out)) != 0))
		error = errno != 0 ? errno : EIO;
	if (out != stdout && fclose(out) != 0 && error == 0)
		error = errno;
	return -error;
}

static int
write_directly(const char *path, outfile_fn *write, const void *what)
{
	FILE *out = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
	int result, finished;

	if (out == NULL)
		return -errno;
	errno = 0;
	result = write(out, what);
	finished = finish_stream(out, false);
	return result != 0 ? result : finished;
}

/* mode_of returns who may do what with the file at PATH, or with one that comes to be there. */
static mode_t
mode_of(const char *path)
{
	struct stat status;
	mode_t mask;

	if (stat(path, &status) == 0)
		return status.st_mode & 0777;
	mask = umask(0);
	umask(mask);
	return 0666 & ~mask;
}

/* replace writes a new file beside PATH, a regular file or nothing yet, and renames it. */
static int
replace(const char *path, outfile_fn *write, const void *what)
{
	char *name;
	FILE *out;
	int fd, result;

	fd = open_beside(path, &name);
	if (fd < 0)
		return fd;
	out = fdopen(fd, "w");
	if (out == NULL) {
		result = -errno;
		close(fd);
	} else {
		errno = 0;
		result = write(out, what);
		if (result == 0 && fchmod(fd, mode_of(path)) != 0) /* mkostemp makes it private */
			result = -errno;
		if (result == 0)
			result = finish_stream(out, true);
		else
			fclose(out);
	}
	if (result == 0 && rename(name, path) != 0)
		result = -errno;
	if (result != 0)
		unlink(name);
	free(name);
	return result;
}

int
outfile_write(const char *path, outfile_fn *write, const void *what)
{
	char *file;
	int result;

	if (strcmp(path, "-") == 0 || in_place(path))
		return write_directly(path, write, what);
	file = resolve(path);
	if (file == NULL)
		return -errno;
	result = replace(file, write, what);
	free(file);
	return result;
}

/* place finds the folder that PATH lies in, and what it is called there. Returns false where there is no such folder. */
static bool
place(const char *path, struct stat *folder, const char **name)
{
	const char *slash = strrchr(path, '/');
	char *parent = slash == NULL ? strdup(".") : strndup(path, (size_t)(slash - path) + 1);
	bool found = parent != NULL && stat(parent, folder) == 0;

	free(parent);
	*name = slash != NULL ? slash + 1 : path;
	return found;
}

/* same_place: two paths of the same name in the same folder. */
static bool
same_place(const char *one, const char *other)
{
	struct stat first, second;
	const char *first_name, *second_name;

	return place(one, &first, &first_name) && place(other, &second, &second_name) &&
	       first.st_dev == second.st_dev && first.st_ino == second.st_ino && strcmp(first_name, second_name) == 0;
}

bool
outfile_same(const char *one, const char *other)
{
	struct stat first, second;
	char *first_file, *second_file;
	bool same;

	if (strcmp(one, other) == 0)
		return true;
	if (strcmp(one, "-") == 0 || strcmp(other, "-") == 0)
		return false;
	if (stat(one, &first) == 0 && stat(other, &second) == 0)
		return S_ISREG(first.st_mode) && first.st_dev == second.st_dev && first.st_ino == second.st_ino;
	first_file = follow(one);
	second_file = follow(other);
	same = first_file != NULL && second_file != NULL && same_place(first_file, second_file);
	free(first_file);
	free(second_file);
	return same;
}
