/* What a server of an experiment needs installed, and which Debian package brings it. */
#ifndef EXPERIMENTS_REQUIRES_H
#define EXPERIMENTS_REQUIRES_H

#include <stdbool.h>

#include "experiments/keeper.h"
#include "experiments/text.h"

struct requirement {
	char package[64]; /* "python3-aiohttp" */
	char kind[16];    /* "command" or "python" */
	char what[64];    /* the command's name, or the module's */
};

/*
 * requires_next cuts the next requirement off LIST ("package:kind:what, ..."); false at the end
 * (or when *LIST is NULL).
 */
bool requires_next(const char **list, struct requirement *requirement);

/*
 * requires_missing adds the packages of LIST that are not there to MISSING,
 * separated by blanks, each once.  A command must be in $PATH or in BIN; a Python module must be found by
 * {python} (command.h).
 */
void requires_missing(const char *list, const struct keeper *keeper, const char *bin, struct text *missing);

#endif
