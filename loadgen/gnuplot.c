/* Pictures by gnuplot. */
#include "loadgen/gnuplot.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 60000

extern char **environ;

bool
gnuplot_check(void)
{
	const char *folders = getenv("PATH");
	bool found = false;

	for (const char *from = folders; from != NULL && !found;) {
		const char *end = strchrnul(from, ':');
		char *file;

		if (asprintf(&file, "%.*s/gnuplot", (int)(end - from), from) < 0)
			return false;
		found = access(file, X_OK) == 0;
		free(file);
		from = *end == ':' ? end + 1 : NULL;
	}
	return found;
}

/* memory opens a file in memory. Returns -1 with errno set. */
static int
memory(void)
{
	return memfd_create("gnuplot", MFD_CLOEXEC);
}

FILE *
gnuplot_open(void)
{
	int fd = memory();
	FILE *script = fd != -1 ? fdopen(fd, "w") : NULL;

	if (script == NULL && fd != -1)
		close(fd);
	return script;
}

/* start runs gnuplot between these files. Returns 0 or an errno value. */
static int
start(pid_t *pid, int script, int picture, int words)
{
	char *argv[] = {"gnuplot", "-d", NULL};
	posix_spawn_file_actions_t files;
	int error = posix_spawn_file_actions_init(&files);

	if (error != 0)
		return error;
	error = posix_spawn_file_actions_adddup2(&files, script, STDIN_FILENO);
	if (error == 0)
		error = posix_spawn_file_actions_adddup2(&files, picture, STDOUT_FILENO);
	if (error == 0)
		error = posix_spawn_file_actions_adddup2(&files, words, STDERR_FILENO);
	if (error == 0)
		error = posix_spawnp(pid, "gnuplot", &files, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&files);
	return error;
}

/* await reaps PID, which is killed when it takes too long. Returns its status, as waitpid gives it. */
static int
await(pid_t pid)
{
	struct pollfd ended = {.fd = pidfd_open(pid, 0), .events = POLLIN};
	int status = 0;

	if (ended.fd != -1) {
		if (poll(&ended, 1, PATIENCE_MS) == 0)
			kill(pid, SIGKILL);
		close(ended.fd);
	}
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	return status;
}

/* contents reads all of FD, with a terminator behind. Returns NULL when out of memory. */
static char *
contents(int fd, size_t *len)
{
	struct stat status;
	ssize_t count;
	char *text;

	*len = 0;
	if (fstat(fd, &status) != 0)
		return NULL;
	text = malloc((size_t)status.st_size + 1);
	if (text == NULL)
		return NULL;
	while (*len < (size_t)status.st_size) {
		count = pread(fd, text + *len, (size_t)status.st_size - *len, (off_t)*len);
		if (count <= 0)
			break;
		*len += (size_t)count;
	}
	text[*len] = '\0';
	return text;
}

/* explain makes one line of what gnuplot said. */
static void
explain(int words, int status, char *error, size_t error_size)
{
	size_t len;
	char *said = contents(words, &len), *line = said;

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)said[i] <= ' ')
			said[i] = ' ';
	while (line != NULL && *line == ' ')
		line++;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		snprintf(error, error_size, "gnuplot was killed: it took more than %d s", PATIENCE_MS / 1000);
	else
		snprintf(error, error_size, "gnuplot: %s", line != NULL && *line != '\0' ? line : "it drew nothing");
	free(said);
}

int
gnuplot_draw(FILE *script, char **picture, size_t *len, char *error, size_t error_size)
{
	int drawn = memory(), words = memory(), failed = -1, status;
	pid_t pid;

	*picture = NULL;
	*len = 0;
	if (drawn == -1 || words == -1 || fflush(script) != 0 || lseek(fileno(script), 0, SEEK_SET) != 0) {
		snprintf(error, error_size, "cannot run gnuplot: %s", strerror(errno));
		goto out;
	}
	errno = start(&pid, fileno(script), drawn, words);
	if (errno != 0) {
		snprintf(
		    error, error_size, errno == ENOENT ? GNUPLOT_MISSING : "cannot run gnuplot: %s", strerror(errno));
		goto out;
	}
	status = await(pid);
	*picture = contents(drawn, len);
	if (*picture != NULL && *len > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		failed = 0;
	else
		explain(words, status, error, error_size);
out:
	if (failed != 0) {
		free(*picture);
		*picture = NULL;
	}
	if (drawn != -1)
		close(drawn);
	if (words != -1)
		close(words);
	fclose(script);
	return failed;
}
