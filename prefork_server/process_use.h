/* What a process takes of the machine: memory and CPU time, as the kernel tells. */
#ifndef PREFORK_SERVER_PROCESS_USE_H
#define PREFORK_SERVER_PROCESS_USE_H

#include <stdint.h>
#include <sys/types.h>

#include "common/compiler.h"

struct process_use {
	pid_t parent;
	uint64_t cpu_ns;  /* of all its threads, in user and in kernel mode; in steps of a hundredth of a second */
	uint64_t rss_kib; /* resident memory, what it shares with others included */
};

/*
 * process_use_read asks for PID by /proc/PID/stat (proc(5)).  Returns 0 or -errno: -ENOENT
 * and -ESRCH, there is no such process; -EPROTO, that is no line of proc(5).
 */
MUST_CHECK int process_use_read(pid_t pid, struct process_use *use);

/* process_use_parse reads LINE, as it stands there. Returns 0 or -EPROTO. */
MUST_CHECK int process_use_parse(const char *line, struct process_use *use);

#endif
