/* --user and --group: who the processes run as that clients talk to. */
#ifndef PREFORK_SERVER_PRIVILEGES_H
#define PREFORK_SERVER_PRIVILEGES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/compiler.h"

#define PRIVILEGES_GROUPS_MAX 256

/* Found at start, so that no worker has to read /etc/passwd. */
struct privileges {
	bool change; /* false: they run as the arbiter does, and nothing below counts */
	uid_t uid;
	gid_t gid;
	int count; /* of the user's other groups */
	gid_t groups[PRIVILEGES_GROUPS_MAX];
};

/*
 * privileges_find finds USER and GROUP, names or numbers, NULL: not asked for.
 * A user comes with the user's own groups; GROUP replaces the first of them.  (In
 * gunicorn a user without a group keeps root's.)  Returns 0; or the exit status
 * with a sentence in ERROR: 2 where there is no such user or group, 1 where
 * only root could become it.
 */
MUST_CHECK int privileges_find(
    struct privileges *privileges, const char *user, const char *group, char *error, size_t error_size);

/*
 * privileges_drop makes the calling process run as they say, for good: a way
 * back to root is looked for, and its absence is part of success.  It clears
 * PR_SET_PDEATHSIG (prctl(2)).  Returns 0 or -errno, -EPERM where a way back was left: then the process must end.
 */
MUST_CHECK int privileges_drop(const struct privileges *privileges);

/*
 * privileges_give_log gives them the log file PATH, as gunicorn does, so that
 * they can open it again; NULL, "-" and what is no regular file of the arbiter's own stays as it is.
 * privileges_give_socket gives them the file of the Unix socket FD, if it is one.
 * Whatever else stands at those names, in a folder that others can write to, is left alone.
 */
void privileges_give_log(const struct privileges *privileges, const char *path);
void privileges_give_socket(const struct privileges *privileges, int fd);

#endif
