/* An experiment as its INI file tells it: what varies, which servers, what to draw and to answer. */
#ifndef EXPERIMENTS_DEFINITION_H
#define EXPERIMENTS_DEFINITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"

#define SERVERS_MAX 8        /* [server ...] sections of one file: as many as a plot can tell apart */
#define VALUES_MAX 32        /* values of what varies */
#define DEFINITION_MAX 65536 /* bytes of one file */
#define DEFINITION_ERROR_MAX 1024

/* What changes from one cell of a series to the next. */
enum vary {
	VARY_CONCURRENCY,
	VARY_SLEEP,
};

/* By which formula a server would answer if nothing but the sleep took time (ideal.h). */
enum ideal_kind {
	IDEAL_NONE,         /* not known: no dashed line, no percentage */
	IDEAL_LOOP,         /* event loop, waits overlap */
	IDEAL_BLOCKED_LOOP, /* event loop held by a blocking sleep: one worker */
	IDEAL_WORKERS,      /* blocking workers */
};

/* Bits of `plots`, `log_plots` and `questions`. */
enum {
	PLOT_TIME = 1,            /* time per request: mean, and mean across all concurrent requests */
	PLOT_RPS = 2,             /* requests per second */
	QUESTION_CONCURRENCY = 1, /* of each server: what does more concurrency do? */
	QUESTION_WAIT = 2,        /* of each server: what does a longer wait do? */
	QUESTION_BLOCKING = 4,    /* what does a blocking call do to the event loop? */
};

/* One [server NAME] section. Strings are NULL where the file has no such key, unless said otherwise. */
struct server {
	char *name;           /* never NULL */
	char *label;          /* the name when the file has none; NULL only with `from`: that one's */
	char *command;        /* with placeholders (command.h); NULL exactly when `from` is set */
	char *url;            /* with placeholders; NULL exactly when `from` is set */
	char *options;        /* further options for loadgen, with placeholders */
	char *from;           /* "EXPERIMENT/SERVER" whose cells this section shows */
	char *requires;       /* what must be installed: "package:command|python:what, ..." */
	char *ready_path;     /* GET this until it answers; NULL: a connection is enough */
	int ready_status;     /* the status that it must answer */
	uint64_t deadline_ns; /* how long it may take to get ready */
	uint64_t timeout_ns;  /* how long one cell may take; 0: by what is expected of it */
	int64_t port;         /* 0: any free one */
	int64_t style;        /* 1 to SERVERS_MAX: its colour and point in plots; 0: by its place */
	int64_t workers;      /* with IDEAL_WORKERS */
	enum ideal_kind ideal;
	bool hidden; /* measured for the answers, shown in no plot */
	int line;    /* of the section's head */
};

struct experiment {
	char *name;   /* "task7": the file's name without folder and .ini */
	char *folder; /* where the file lies: {experiments} in commands */
	char *source; /* the file's text */
	char *title;
	char *task; /* "" when the file has none */
	enum vary vary;
	double values[VALUES_MAX]; /* growing */
	size_t value_count;
	double sleep_s;      /* when it does not vary */
	int64_t concurrency; /* when it does not vary */
	int64_t requests;
	bool restart; /* each cell gets a fresh server */
	unsigned plots, log_plots;
	unsigned questions;
	struct server servers[SERVERS_MAX];
	size_t server_count;
};

/*
 * definition_load reads the file PATH.  Returns 0, or -errno where it cannot
 * be read, or -EINVAL where something in it is wrong, with one line in
 * ERROR[DEFINITION_ERROR_MAX]: "FILE:LINE: what is wrong and what is allowed".  After a failure there
 * is nothing to free; after success definition_deinit frees what it made.
 */
MUST_CHECK int definition_load(struct experiment *experiment, const char *path, char *error);

/* definition_parse is the same for a text that was read before, of a file that was called PATH. */
MUST_CHECK int definition_parse(struct experiment *experiment, const char *path, const char *source, char *error);

void definition_deinit(struct experiment *experiment);

/* definition_server finds a server by its name; NULL when there is none. */
const struct server *definition_server(const struct experiment *experiment, const char *name);

/* definition_name returns the name of the experiment in the file PATH, which the caller frees. */
char *definition_name(const char *path);

/* The sleep and the concurrency of the cell with VALUE. */
double definition_sleep(const struct experiment *experiment, double value);
int definition_concurrency(const struct experiment *experiment, double value);

#endif
