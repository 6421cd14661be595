/* --user and --group: who the processes run as that clients talk to. */
#include "prefork_server/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* parse_id reads a number that can be a user or a group: the largest one stands for none. */
static bool
parse_id(const char *text, uint32_t *id)
{
	unsigned long long number;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	number = strtoull(text, &end, 10);
	*id = (uint32_t)number;
	return errno == 0 && *end == '\0' && number < UINT32_MAX;
}

/* find_user fills uid, gid and groups. Returns 0, or the exit status with a sentence in ERROR. */
static int
find_user(struct privileges *privileges, const char *user, bool needs_group, char *error, size_t error_size)
{
	const struct passwd *entry = getpwnam(user);
	uint32_t id;

	if (entry == NULL && parse_id(user, &id)) {
		entry = getpwuid(id);
		privileges->uid = id;
		if (entry == NULL && needs_group) {
			snprintf(
			    error, error_size, "--user %s: nobody has this number, so name a --group as well", user);
			return 2;
		}
		if (entry == NULL)
			return 0;
	}
	if (entry == NULL) {
		snprintf(error, error_size, "--user %s: there is no such user", user);
		return 2;
	}
	privileges->uid = entry->pw_uid;
	privileges->gid = entry->pw_gid;
	privileges->count = PRIVILEGES_GROUPS_MAX;
	if (getgrouplist(entry->pw_name, entry->pw_gid, privileges->groups, &privileges->count) < 0) {
		snprintf(error, error_size, "--user %s: is in more than %d groups", user, PRIVILEGES_GROUPS_MAX);
		return 2;
	}
	return 0;
}

/* find_group replaces gid. Returns as find_user does. */
static int
find_group(struct privileges *privileges, const char *group, char *error, size_t error_size)
{
	const struct group *entry = getgrnam(group);
	uint32_t id;

	if (entry != NULL) {
		privileges->gid = entry->gr_gid;
	} else if (parse_id(group, &id)) {
		privileges->gid = id;
	} else {
		snprintf(error, error_size, "--group %s: there is no such group", group);
		return 2;
	}
	return 0;
}

int
privileges_find(struct privileges *privileges, const char *user, const char *group, char *error, size_t error_size)
{
	int status = 0;

	*privileges = (struct privileges){.uid = geteuid(), .gid = getegid()};
	if (user != NULL)
		status = find_user(privileges, user, group == NULL, error, error_size);
	if (status == 0 && group != NULL)
		status = find_group(privileges, group, error, error_size);
	if (status != 0)
		return status;
	/* root has other groups to leave even where it stays root. */
	privileges->change = geteuid() == 0 && (user != NULL || group != NULL);
	if (!privileges->change && (privileges->uid != geteuid() || privileges->gid != getegid())) {
		snprintf(error, error_size, "--%s %s: only root can become another %s", user != NULL ? "user" : "group",
		    user != NULL ? user : group, user != NULL ? "user" : "group");
		return 1;
	}
	return 0;
}

/* can_go_back tells whether anything of what was left can be had again. */
static bool
can_go_back(const struct privileges *privileges)
{
	uid_t uids[3];
	gid_t gids[3];

	if (getresuid(&uids[0], &uids[1], &uids[2]) != 0 || getresgid(&gids[0], &gids[1], &gids[2]) != 0)
		return true;
	for (int i = 0; i < 3; i++)
		if (uids[i] != privileges->uid || gids[i] != privileges->gid)
			return true;
	if (privileges->uid == 0)
		return false; /* it was asked to stay root */
	return setuid(0) == 0 || seteuid(0) == 0 || (privileges->gid != 0 && (setgid(0) == 0 || setegid(0) == 0)) ||
	       setgroups(0, NULL) == 0;
}

int
privileges_drop(const struct privileges *privileges)
{
	if (!privileges->change)
		return 0;
	/* Groups first: only root can leave them. */
	if (setgroups((size_t)privileges->count, privileges->groups) != 0 ||
	    setresgid(privileges->gid, privileges->gid, privileges->gid) != 0 ||
	    setresuid(privileges->uid, privileges->uid, privileges->uid) != 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return -errno;
	return can_go_back(privileges) ? -EPERM : 0;
}

/* give gives what stands at PATH, where it is of TYPE and has one name, and is this process's own: not a link laid there. */
static void
give(const struct privileges *privileges, const char *path, mode_t type)
{
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat status;

	if (fd < 0)
		return;
	if (fstat(fd, &status) == 0 && (status.st_mode & S_IFMT) == type && status.st_nlink == 1 &&
	    status.st_uid == geteuid())
		(void)!fchownat(fd, "", privileges->uid, privileges->gid, AT_EMPTY_PATH);
	close(fd);
}

void
privileges_give_log(const struct privileges *privileges, const char *path)
{
	if (privileges->change && path != NULL && strcmp(path, "-") != 0)
		give(privileges, path, S_IFREG);
}

void
privileges_give_socket(const struct privileges *privileges, int fd)
{
	struct sockaddr_un address = {0};
	socklen_t len = sizeof(address) - 1;

	if (privileges->change && getsockname(fd, (struct sockaddr *)&address, &len) == 0 &&
	    address.sun_family == AF_UNIX && address.sun_path[0] != '\0')
		give(privileges, address.sun_path, S_IFSOCK);
}
