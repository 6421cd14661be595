/* What the command line and the environment ask for: gunicorn's settings, and ours. */
#ifndef PREFORK_SERVER_CONFIG_H
#define PREFORK_SERVER_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/http_request.h"

/* Most workers that --workers and TTIN can ask for. */
#define CONFIG_WORKERS_MAX 1024

/* What a limit of 0 (no limit, in gunicorn's words) comes to, and the most that a whole header section may take. */
#define CONFIG_HEADER_MAX (1024 * 1024)

struct config {
	const char *bind;
	int64_t backlog;
	bool reuse_port;
	const char *admin; /* NULL: no admin address */

	int64_t workers;
	int worker_class;    /* index into worker_classes */
	uint64_t timeout_ns; /* 0: workers are never overdue */
	uint64_t graceful_timeout_ns;

	uint64_t sleep_ns;
	uint64_t max_sleep_ns;
	uint64_t cpu_ns;
	uint64_t max_cpu_ns;
	uint64_t header_timeout_ns;
	uint64_t body_timeout_ns;
	uint64_t drain_timeout_ns;

	int64_t limit_request_line;
	int64_t limit_request_fields;
	int64_t limit_request_field_size;
	struct http_limits limits; /* the three above, as the parser takes them */

	const char *pid_file;   /* NULL: none */
	const char *access_log; /* NULL: none */
	const char *error_log;
	int log_level;
};

/*
 * config_parse fills CONFIG: the defaults, then $WEB_CONCURRENCY, then the
 * command line.  Strings point into ARGV.  It is part of start-up: a mistake
 * is one line on standard error and exit status 2.
 */
void config_parse(struct config *config, int argc, char **argv);

#endif
