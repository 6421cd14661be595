/* What the command line asks for. */
#ifndef LOADGEN_CONFIG_H
#define LOADGEN_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "loadgen/list.h"
#include "loadgen/request.h"

#define CONFIG_CONCURRENCY_MAX 20000 /* as in ab */
#define CONFIG_SLEEP_MAX_S 3600.0    /* as the servers' --max-sleep at most */
#define CONFIG_THREADS_MAX 256

struct config {
	int64_t requests;             /* -n */
	struct list concurrency;      /* -c */
	struct list sleeps;           /* --sleep, in nanoseconds; empty: nothing is added to the URL */
	uint64_t time_limit_ns;       /* -t; 0: none */
	uint64_t timeout_ns;          /* -s */
	int64_t threads;              /* --threads */
	bool variable_length;         /* -l */
	bool go_on;                   /* -r: a broken connection does not end the run */
	bool quiet;                   /* -q */
	bool no_percentiles;          /* -d */
	bool no_deviation;            /* -S */
	int64_t verbosity;            /* -v */
	const char *percentiles_file; /* -e; NULL: none, as the three below */
	const char *samples_file;     /* -g */
	const char *json_file;
	const char *csv_file;
	bool data_on_stdout;              /* one of the files is "-": nothing else goes to standard output */
	const char *post_file, *put_file; /* -p, -u */
	struct request_spec spec;
	int argc; /* the command, for the record */
	char **argv;
	char **urls; /* as given; the lab's two servers when none was */
	int urls_len;
};

/*
 * config_parse is part of start-up: it reads the command line, and on a
 * mistake prints one line that names it and exits 2 (1 for a body file that
 * cannot be read).  config_deinit frees what it loaded.
 */
void config_parse(struct config *config, int argc, char **argv);
void config_deinit(struct config *config);

/* config_cells: how many cells the sweep has. */
static inline size_t
config_cells(const struct config *config)
{
	return (size_t)config->urls_len * config->concurrency.len * (config->sleeps.len > 0 ? config->sleeps.len : 1);
}

#endif
