/* SIGUSR2: a second arbiter, perhaps of a newer program, starts beside this one and on the same sockets. */
#include "prefork_server/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/listen_fds.h"
#include "common/log.h"

#define PID_VARIABLE "GUNICORN_PID"
#define FD_VARIABLE "GUNICORN_FD"
#define ADMIN_VARIABLE "LOOPFORK_ADMIN_FD"
#define EXEC_FAILED 127 /* exit status, as a shell has it */

/* parse_number reads a whole number from 1 of digits alone, and where it ends. Returns it, or -1. */
static int
parse_number(const char *text, const char **end)
{
	char *after;
	long number;

	if (*text < '0' || *text > '9')
		return -1;
	errno = 0;
	number = strtol(text, &after, 10);
	*end = after;
	return errno == 0 && number >= 1 && number <= INT_MAX ? (int)number : -1;
}

/* start_directory: $PWD where it is right. It says which symbolic links led here, and they may lead elsewhere by now. */
static char *
start_directory(void)
{
	const char *name = getenv("PWD");
	struct stat named, real;

	if (name != NULL && stat(name, &named) == 0 && stat(".", &real) == 0 && named.st_dev == real.st_dev &&
	    named.st_ino == real.st_ino)
		return strdup(name);
	return getcwd(NULL, 0);
}

int
upgrade_init(struct upgrade *upgrade, char **argv)
{
	const char *pid = getenv(PID_VARIABLE), *end = "";
	size_t count = 0;

	while (argv[count] != NULL)
		count++;
	*upgrade = (struct upgrade){.directory = start_directory()};
	upgrade->argv = malloc((count + 1) * sizeof(*argv));
	if (upgrade->argv == NULL) {
		upgrade_deinit(upgrade);
		return -ENOMEM;
	}
	memcpy(upgrade->argv, argv, (count + 1) * sizeof(*argv));
	unsetenv(PID_VARIABLE);
	if (pid == NULL)
		return 0;
	upgrade->parent = parse_number(pid, &end);
	if (upgrade->parent > 0 && *end == '\0')
		return 0;
	upgrade_deinit(upgrade);
	return -EINVAL;
}

void
upgrade_deinit(struct upgrade *upgrade)
{
	free(upgrade->directory);
	free(upgrade->argv);
	*upgrade = (struct upgrade){0};
}

/* is_among tells whether FD is one of LISTENERS. */
static bool
is_among(const struct listeners *listeners, int fd)
{
	for (size_t i = 0; i < listeners->count; i++)
		if (listeners->fds[i] == fd)
			return true;
	return false;
}

/* check_fd tells whether FD can be taken beside TAKEN. Returns 0, or -errno with a sentence in ERROR. */
static int
check_fd(const struct listeners *taken, int fd, char *error, size_t error_size)
{
	int result;

	if (is_among(taken, fd)) {
		snprintf(error, error_size, "inherited socket, descriptor %d: named twice", fd);
		return -EINVAL;
	}
	result = listen_fds_check(fd);
	if (result != 0)
		listen_fds_error(result, fd, error, error_size);
	return result;
}

/* take_all takes the descriptors that TEXT names. Returns as check_fd. */
static int
take_all(struct listeners *listeners, const char *text, char *error, size_t error_size)
{
	const char *end = text;

	for (;;) {
		int fd = parse_number(text, &end);
		int result;

		if (fd <= STDERR_FILENO || (*end != ',' && *end != '\0') || listeners->count == CONFIG_BINDS_MAX) {
			snprintf(error, error_size,
			    "$" FD_VARIABLE " must be numbers of descriptors from 3, with commas, at most %d of them",
			    CONFIG_BINDS_MAX);
			return -EINVAL;
		}
		result = check_fd(listeners, fd, error, error_size);
		if (result != 0)
			return result;
		listeners->fds[listeners->count++] = fd;
		if (*end == '\0')
			return 0;
		text = end + 1;
	}
}

/* take_admin takes the descriptor that TEXT names, which is none of LISTENERS. Returns it, or as check_fd. */
static int
take_admin(const struct listeners *listeners, const char *text, char *error, size_t error_size)
{
	const char *end = text;
	int fd = parse_number(text, &end);
	int result;

	if (fd <= STDERR_FILENO || *end != '\0') {
		snprintf(error, error_size, "$" ADMIN_VARIABLE " must be the number of a descriptor from 3");
		return -EINVAL;
	}
	result = check_fd(listeners, fd, error, error_size);
	return result == 0 ? fd : result;
}

int
upgrade_inherit(struct upgrade *upgrade, struct listeners *listeners, int *admin_fd, char *error, size_t error_size)
{
	const char *fds = getenv(FD_VARIABLE), *admin = getenv(ADMIN_VARIABLE);
	struct listeners taken = *listeners;
	int result = 0;

	*admin_fd = -1;
	if (upgrade->parent == 0)
		return 0;
	if (fds == NULL && taken.count == 0) {
		snprintf(error, error_size, "$" PID_VARIABLE " is set, but not $" FD_VARIABLE ": unset it");
		result = -EINVAL;
	}
	/* Where the service manager's sockets are handed on, they have come by its own variables. */
	if (result == 0 && taken.count == 0)
		result = take_all(&taken, fds, error, error_size);
	if (result == 0 && admin != NULL) {
		int fd = take_admin(&taken, admin, error, error_size);

		*admin_fd = fd < 0 ? -1 : fd;
		result = fd < 0 ? fd : 0;
	}
	if (result == 0)
		*listeners = taken;
	else
		listeners->count = 0;
	unsetenv(FD_VARIABLE);
	unsetenv(ADMIN_VARIABLE);
	return result;
}

/* hand_on lets FD survive exec. */
static bool
hand_on(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	return flags >= 0 && fcntl(fd, F_SETFD, flags & ~FD_CLOEXEC) == 0;
}

static bool
set_number(const char *name, int number)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", number);
	return setenv(name, text, 1) == 0;
}

/* fill_environment tells the next arbiter, which is this process, what it inherits. */
static bool
fill_environment(const struct listeners *listeners, int admin_fd, pid_t parent)
{
	char list[CONFIG_BINDS_MAX * 12] = "";
	size_t used = 0;
	bool good = set_number(PID_VARIABLE, (int)parent);

	for (size_t i = 0; i < listeners->count; i++) {
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%d", i > 0 ? "," : "", listeners->fds[i]);
		good = good && hand_on(listeners->fds[i]);
	}
	if (listeners->managed)
		good =
		    good && set_number("LISTEN_PID", (int)getpid()) && set_number("LISTEN_FDS", (int)listeners->count);
	else
		good = good && setenv(FD_VARIABLE, list, 1) == 0;
	if (admin_fd >= 0)
		good = good && hand_on(admin_fd) && set_number(ADMIN_VARIABLE, admin_fd);
	return good;
}

/*
 * execute is execvp(3) without its last resort, a shell: a program that is
 * being copied, or was cut short, is no script.  Returns only where it fails, with errno set.
 */
static void
execute(char **argv)
{
	const char *path = getenv("PATH");
	char program[PATH_MAX];
	int error = ENOENT;

	if (strchr(argv[0], '/') != NULL) {
		execv(argv[0], argv);
		return;
	}
	for (path = path != NULL ? path : "/bin:/usr/bin"; error == ENOENT || error == EACCES; path++) {
		size_t len = strcspn(path, ":");

		if ((size_t)snprintf(program, sizeof(program), "%.*s%s%s", (int)len, path, len > 0 ? "/" : "",
			argv[0]) < sizeof(program)) {
			execv(program, argv);
			if (errno != ENOENT && errno != ENOTDIR)
				error = errno;
		}
		path += len;
		if (*path == '\0')
			break;
	}
	errno = error;
}

/* be_next is where the child becomes the next arbiter. */
static _Noreturn void
be_next(const struct upgrade *upgrade, const struct listeners *listeners, int admin_fd, pid_t parent)
{
	sigset_t none;

	if (fill_environment(listeners, admin_fd, parent) &&
	    (upgrade->directory == NULL || chdir(upgrade->directory) == 0)) {
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		execute(upgrade->argv);
	}
	log_error("Cannot start %s in %s: %s", upgrade->argv[0], upgrade->directory != NULL ? upgrade->directory : ".",
	    strerror(errno));
	_exit(EXEC_FAILED);
}

int
upgrade_start(struct upgrade *upgrade, const struct listeners *listeners, int admin_fd)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	if (pid == 0)
		be_next(upgrade, listeners, admin_fd, parent);
	if (pid < 0)
		return -errno;
	upgrade->child = pid;
	return 0;
}

bool
upgrade_reaped(struct upgrade *upgrade, pid_t pid, int status)
{
	const char *name;

	if (pid != upgrade->child)
		return false;
	upgrade->child = 0;
	if (WIFSIGNALED(status)) {
		name = sigabbrev_np(WTERMSIG(status));
		log_error("The other arbiter (pid:%d) was killed by SIG%s; this one goes on", (int)pid,
		    name != NULL ? name : "?");
	} else if (WEXITSTATUS(status) != 0) {
		log_error("The other arbiter (pid:%d) failed with exit status %d; this one goes on", (int)pid,
		    WEXITSTATUS(status));
	} else {
		log_info("The other arbiter (pid:%d) has ended; this one goes on", (int)pid);
	}
	return true;
}

bool
upgrade_promoted(struct upgrade *upgrade)
{
	if (upgrade->parent == 0 || upgrade->parent == getppid())
		return false;
	upgrade->parent = 0;
	return true;
}

bool
upgrade_is_under_way(const struct upgrade *upgrade)
{
	return upgrade->child != 0 || upgrade->parent != 0;
}
