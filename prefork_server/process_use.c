/* What a process takes of the machine: memory and CPU time, as the kernel tells. */
#include "prefork_server/process_use.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"

int
process_use_parse(const char *line, struct process_use *use)
{
	/* The name of the program stands in parentheses, and may have any byte in it, parentheses too. */
	const char *rest = strrchr(line, ')');
	unsigned long user, system;
	int parent;
	long pages;

	/* Fields 3 to 24 of proc(5): state, parent, 9 others, user and system time, 8 others, resident pages. */
	if (rest == NULL ||
	    sscanf(rest, ") %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %*d %*d %*u %*u %ld",
		&parent, &user, &system, &pages) != 4 ||
	    pages < 0)
		return -EPROTO;
	*use = (struct process_use){
	    .parent = parent,
	    .cpu_ns = (user + system) * (NS_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK)),
	    .rss_kib = (uint64_t)pages * ((uint64_t)sysconf(_SC_PAGESIZE) / 1024),
	};
	return 0;
}

int
process_use_read(pid_t pid, struct process_use *use)
{
	char line
	    [1024]; /* 52 numbers of up to 20 digits, of which those behind the 24th may be cut, and a name of 64 bytes */
	char path[32];
	ssize_t len;
	int fd, error;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	len = read(fd, line, sizeof(line) - 1);
	error = len < 0 ? -errno : 0;
	close(fd);
	if (error != 0)
		return error;
	line[len] = '\0';
	return process_use_parse(line, use);
}
