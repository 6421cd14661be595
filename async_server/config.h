/* What the command line asks of async_server. */
#ifndef ASYNC_SERVER_CONFIG_H
#define ASYNC_SERVER_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"
#include "common/config_file.h"
#include "common/options.h"

#define CONFIG_LOOPS_MAX 64

/* Fixed after config_parse. Times are in nanoseconds; strings point into argv, or into the text of the file. */
struct config {
	const char *bind;
	const char *admin;             /* NULL: no admin address */
	const char *access_logfile;    /* NULL: none; "-": standard output */
	const char *access_log_format; /* NULL: aiohttp's default */
	bool log_json;                 /* both logs: then access_log_format is NULL */
	const char *config_file;       /* NULL: none */
	const char *error_logfile;     /* NULL or "-": standard error */
	int log_level;                 /* enum log_level */
	int mode;                      /* enum wait_mode at start */
	uint64_t sleep_ns;             /* at start */
	uint64_t max_sleep_ns;
	uint64_t cpu_ns; /* at start */
	uint64_t max_cpu_ns;
	uint32_t blocking_share; /* at start; parts of SETTINGS_SHARE_WHOLE */
	int64_t loops;           /* from 1 to CONFIG_LOOPS_MAX */
	int64_t threads;         /* of each loop's pool */
	int64_t pool_queue;      /* requests that may wait for a thread of it */
	int64_t backlog;
	int64_t max_connections;     /* 0: as many as there are file descriptors */
	uint64_t keep_alive_ns;      /* between two requests */
	uint64_t header_timeout_ns;  /* until the first byte; and from it to the end of the header */
	uint64_t body_timeout_ns;    /* between two pieces of a body */
	uint64_t handler_timeout_ns; /* from a request's end to its answer */
	uint64_t drain_timeout_ns;   /* for a peer that does not take an answer, or does not close after it */
	int64_t min_rate;            /* bytes a second, of a body or an answer, after those; 0: any */
	uint64_t ws_heartbeat_ns;    /* a WebSocket is pinged after so long without a byte; 0: never */
	uint64_t shutdown_timeout_ns;
	uint64_t slow_callback_ns;
};

/*
 * config_parse fills CONFIG from the defaults, the file of --config and the
 * command line, the later over the earlier.  It is part of start-up: --help and
 * --version print and exit 0, a mistake prints one line and exits 2.  FILE owns the
 * text of the file's values.
 */
void config_parse(struct config *config, struct config_file *file, int argc, char **argv);

/*
 * config_parse_again does the same at any time later.  Returns 0, and FILE is to
 * be freed when CONFIG is; or -errno with a line in ERROR, and nothing to free.
 */
MUST_CHECK int config_parse_again(
    struct config *config, struct config_file *file, int argc, char **argv, char *error, size_t error_size);

/* config_check finds what no option alone can be wrong about. Returns 0, or -EINVAL with a line in ERROR. */
MUST_CHECK int config_check(const struct config *config, char *error, size_t error_size);

/* config_differ calls DIFFER for each option that differs between A and B: see options_differ. */
void config_differ(const struct config *a, const struct config *b, options_differ_fn *differ, void *context);

#endif
