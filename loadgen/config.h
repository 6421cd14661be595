/* What the command line asks for. */
#ifndef LOADGEN_CONFIG_H
#define LOADGEN_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "loadgen/expect.h"
#include "loadgen/list.h"
#include "loadgen/request.h"
#include "loadgen/schedule.h"
#include "loadgen/source.h"
#include "loadgen/tls.h"
#include "loadgen/urls.h"

#define CONFIG_CONCURRENCY_MAX 20000 /* as in ab */
#define CONFIG_SLEEP_MAX_S 3600.0    /* as the servers' --max-sleep at most */
#define CONFIG_RATE_MAX 10000000     /* requests per second */
#define CONFIG_THREADS_MAX 256
#define CONFIG_PIPELINE_MAX 1000
#define CONFIG_REPEATS_MAX 1000
#define CONFIG_UNLIMITED INT64_MAX /* requests: only time ends a cell */

struct config {
	/* Load */
	int64_t requests;        /* -n; CONFIG_UNLIMITED: a cell ends after time_limit_ns */
	struct list concurrency; /* -c; with a rate: the most connections */
	struct list sleeps;      /* --sleep, in nanoseconds; empty: nothing is added to the URL */
	struct list rates;       /* --rate, in thousandths of a request per second; empty: closed loop */
	struct ramp ramp;        /* --ramp; duration_ns 0: none */
	int arrivals;            /* --arrivals: enum arrivals */
	uint64_t time_limit_ns;  /* -t, --duration; 0: none */
	uint64_t warmup_ns;      /* --warmup; 0: none */
	uint64_t timeout_ns;     /* -s */
	int64_t threads;         /* --threads; auto is resolved: at least 1 */
	bool pin;                /* --pin: each thread on a CPU of its own */
	int64_t pipeline;        /* --pipeline: requests under way on a connection, at least 1 */
	int64_t repeats;         /* --repeat */
	int64_t seed;            /* --seed: of the order of cells and the arrivals */
	bool until_saturated;    /* --until-saturated */
	/* Connections */
	int64_t socket_buffer;  /* -b: bytes; 0: the kernel's choice */
	struct source source;   /* -B or --source: local addresses; count 0: the kernel's choice */
	const char *proxy;      /* -X host[:port]; NULL: none */
	struct tls_options tls; /* -f -Z -E -I */
	/* Judging answers */
	bool variable_length;              /* -l */
	bool go_on;                        /* -r: a broken connection does not end the run */
	struct expect expects[EXPECT_MAX]; /* --expect */
	size_t expects_len;
	/* Report */
	bool quiet;          /* -q */
	bool no_percentiles; /* -d */
	bool no_deviation;   /* -S */
	int64_t verbosity;   /* -v */
	bool html;           /* -w, or one of the three below: the report is a table in HTML */
	const char *html_table, *html_row, *html_cell; /* -x -y -z: attributes; NULL: none */
	const char *percentiles_file;                  /* -e; NULL: none, as all below */
	const char *samples_file;                      /* -g */
	const char *json_file;
	const char *csv_file;
	const char *hgrm_file;
	const char *series_file;
	const char *plot_file;
	bool data_on_stdout; /* one of the files is "-": nothing else goes to standard output */
	/* Request */
	const char *post_file, *put_file; /* -p, -u */
	const char *urls_file;            /* --urls; NULL: one request for each URL */
	struct urls listed;               /* the requests in it; none, if len is 0 */
	struct request_spec spec;
	int argc; /* the command, for the record */
	char **argv;
	const char **secrets; /* every user:password in it; of several, one is used */
	size_t secrets_len;
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

/* config_open_loop tells whether requests are due at a rate, however the server answers. */
static inline bool
config_open_loop(const struct config *config)
{
	return config->rates.len > 0 || config->ramp.duration_ns > 0;
}

/* config_cells: how many cells the sweep has. */
static inline size_t
config_cells(const struct config *config)
{
	return (size_t)config->urls_len * config->concurrency.len * (config->sleeps.len > 0 ? config->sleeps.len : 1) *
	       (config->rates.len > 0 ? config->rates.len : 1);
}

#endif
