/* The file that holds the arbiter's pid, for scripts that send it signals. */
#include "prefork_server/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* read_pid returns the pid in PATH; 0 where there is none, or something else. */
static pid_t
read_pid(const char *path)
{
	char text[32];
	ssize_t len;
	char *end;
	long pid;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return 0;
	len = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (len <= 0)
		return 0;
	text[len] = '\0';
	errno = 0;
	pid = strtol(text, &end, 10);
	if (errno != 0 || end == text || (*end != '\0' && *end != '\n') || pid <= 0 || pid > (1L << 30))
		return 0;
	return (pid_t)pid;
}

/* is_foreign tells whether PATH is something that no server wrote: no file, or one with more in it than a number. */
static bool
is_foreign(const char *path)
{
	char text[32];
	struct stat status;
	ssize_t len = 0;
	int fd;

	if (stat(path, &status) != 0)
		return false;
	if (!S_ISREG(status.st_mode) || status.st_size >= (off_t)sizeof(text))
		return true;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		len = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	if (len < 0)
		return true;
	text[len] = '\0';
	return strspn(text, "-0123456789\n") != (size_t)len;
}

static int
write_pid(int fd)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	ssize_t written = write(fd, text, (size_t)len);

	if (written == len && fchmod(fd, 0644) == 0)
		return 0;
	return written >= 0 && written < len ? -ENOSPC : -errno;
}

int
pidfile_create(const char *path, char *error, size_t error_size)
{
	pid_t old = read_pid(path);
	char temporary[4096];
	int result;
	int fd;

	/* After a restart in a container the same small pid may be ours. */
	if (old != 0 && old != getpid() && (kill(old, 0) == 0 || errno == EPERM)) {
		snprintf(error, error_size, "already running on PID %d (or pid file %s is stale: then remove it)",
		    (int)old, path);
		return -EEXIST;
	}
	if (is_foreign(path)) {
		snprintf(error, error_size, "%s is there already and is no pid file: choose another", path);
		return -EEXIST;
	}
	if ((size_t)snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path) >= sizeof(temporary)) {
		snprintf(error, error_size, "pid file %s: %s", path, strerror(ENAMETOOLONG));
		return -ENAMETOOLONG;
	}
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0) {
		result = -errno;
		snprintf(error, error_size, "pid file %s: %s", path, strerror(errno));
		return result;
	}
	result = write_pid(fd);
	close(fd);
	if (result == 0 && rename(temporary, path) != 0)
		result = -errno;
	if (result != 0) {
		unlink(temporary);
		snprintf(error, error_size, "pid file %s: %s", path, strerror(-result));
	}
	return result;
}

void
pidfile_remove_of(const char *path, pid_t pid)
{
	if (read_pid(path) == pid)
		unlink(path);
}

void
pidfile_remove(const char *path)
{
	pidfile_remove_of(path, getpid());
}

int
pidfile_move(const char *from, const char *to, char *error, size_t error_size)
{
	int result = pidfile_create(to, error, error_size);

	if (result == 0)
		pidfile_remove(from);
	return result;
}
