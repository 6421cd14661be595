/* What the command line, a file and the environment ask for: gunicorn's settings, and ours. */
#ifndef PREFORK_SERVER_CONFIG_H
#define PREFORK_SERVER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"
#include "common/config_file.h"
#include "common/http_request.h"
#include "common/options.h"

/* Most workers that --workers and TTIN can ask for. */
#define CONFIG_WORKERS_MAX 1024

/* What a limit of 0 (no limit, in gunicorn's words) comes to, and the most that a whole header section may take. */
#define CONFIG_HEADER_MAX (1024 * 1024)

/* Most threads of a worker. */
#define CONFIG_THREADS_MAX 256

/* Most connections of a gthread worker. */
#define CONFIG_CONNECTIONS_MAX 65535

/* Most addresses that --bind can name, and bytes of one of them. */
#define CONFIG_BINDS_MAX 16
#define CONFIG_ADDRESS_MAX 280

#define CONFIG_UMASK_AS_STARTED (-1)

struct config_binds {
	size_t count;
	char addresses[CONFIG_BINDS_MAX][CONFIG_ADDRESS_MAX]; /* for listener_open; zero behind each */
};

/* Fixed after config_parse. Times are in nanoseconds; strings point into argv, or into the text of the file. */
struct config {
	struct config_binds binds;
	bool binds_begun; /* while reading: the next address is added to them */
	int64_t backlog;
	bool reuse_port;
	const char *admin; /* NULL: no admin address */

	int64_t workers;
	int worker_class;           /* index into worker_classes */
	int64_t threads;            /* of a worker; more than 1 only with gthread */
	int64_t worker_connections; /* of a gthread worker */
	int64_t max_requests;       /* of a worker; 0: any number */
	int64_t max_requests_jitter;
	int64_t max_rss_mib; /* of a worker; 0: any size */
	uint64_t timeout_ns; /* 0: workers are never overdue */
	uint64_t graceful_timeout_ns;

	uint64_t sleep_ns;
	uint64_t max_sleep_ns;
	uint64_t cpu_ns;
	uint64_t max_cpu_ns;
	uint64_t handler_timeout_ns; /* 0: none */
	uint64_t keep_alive_ns;      /* 0: one request a connection; gthread only */
	uint64_t header_timeout_ns;
	uint64_t body_timeout_ns;
	uint64_t drain_timeout_ns;
	int64_t min_rate; /* bytes a second, of a body or an answer, after those; 0: any */

	int64_t limit_request_line;
	int64_t limit_request_fields;
	int64_t limit_request_field_size;
	struct http_limits limits; /* the three above, as the parser takes them */

	bool daemon;
	const char *user;  /* NULL: as started */
	const char *group; /* NULL: as started */
	int64_t umask;     /* or CONFIG_UMASK_AS_STARTED */

	const char *config_file; /* NULL: none */
	bool check_config;
	const char *pid_file;          /* NULL: none */
	const char *access_log;        /* NULL: none */
	const char *access_log_format; /* NULL: gunicorn's default */
	bool log_json;                 /* both logs: then access_log_format is NULL */
	const char *error_log;
	int log_level;
};

/*
 * config_parse fills CONFIG: the defaults, then $WEB_CONCURRENCY, then the file
 * of --config, then the command line, the later over the earlier.  It is part of start-up:
 * --help and --version print and exit 0, a mistake prints one line and exits 2.  FILE owns the text of the file's values.
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
