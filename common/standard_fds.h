/* Descriptors 0 to 2: open, whoever started the program. */
#ifndef COMMON_STANDARD_FDS_H
#define COMMON_STANDARD_FDS_H

#include "common/compiler.h"

/*
 * standard_fds_open opens /dev/null as each of standard input, output and error
 * that is closed: else the next socket or file would get that number, and log lines with
 * it.  Those that are open stay as they are.  To be called before anything else is
 * opened and before any thread starts.  Returns 0, or -errno of open(2): then one of
 * them, perhaps standard error, is still closed.
 */
MUST_CHECK int standard_fds_open(void);

#endif
