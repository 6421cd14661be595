/* What ends a fuzz target when a server breaks its word. */
#ifndef TESTS_FUZZ_CONNECTION_CHECK_H
#define TESTS_FUZZ_CONNECTION_CHECK_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* check aborts, with PROMISE on standard error, unless GOOD. */
static inline void
check(bool good, const char *promise)
{
	if (good)
		return;
	fprintf(stderr, "the server broke its promise: %s\n", promise);
	abort();
}

#endif
