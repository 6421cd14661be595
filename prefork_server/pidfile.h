/* The file that holds the arbiter's pid, for scripts that send it signals. */
#ifndef PREFORK_SERVER_PIDFILE_H
#define PREFORK_SERVER_PIDFILE_H

#include <stddef.h>
#include <sys/types.h>

#include "common/compiler.h"

/*
 * pidfile_create writes the calling process's pid and a newline to PATH, whole
 * or not at all.  A file that names a live process stays (gunicorn: "Already
 * running on PID N"); any other content is stale and replaced.  Returns 0, or
 * -errno with a sentence in ERROR; -EEXIST when somebody lives.
 */
MUST_CHECK int pidfile_create(const char *path, char *error, size_t error_size);

/* pidfile_move is pidfile_create for TO, and then pidfile_remove for FROM; where the former fails FROM stays. */
MUST_CHECK int pidfile_move(const char *from, const char *to, char *error, size_t error_size);

/* pidfile_remove removes PATH if it still holds the calling process's pid. */
void pidfile_remove(const char *path);

/* pidfile_remove_of removes PATH if it holds PID, of a child that has ended and was perhaps killed. */
void pidfile_remove_of(const char *path, pid_t pid);

#endif
