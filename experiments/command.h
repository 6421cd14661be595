/* Command templates of an experiment file -> argument vectors, without a shell. */
#ifndef EXPERIMENTS_COMMAND_H
#define EXPERIMENTS_COMMAND_H

#include "common/compiler.h"

#define COMMAND_ERROR_MAX 256
/* {python}, unless $LOOPFORK_PYTHON names another one: the one that Debian's packages are for. */
#define COMMAND_PYTHON "/usr/bin/python3"

/* What the placeholders stand for. */
struct command_values {
	const char *host;        /* {host} */
	int port;                /* {port}; {address} is host:port */
	double sleep_s;          /* {sleep} */
	int concurrency;         /* {concurrency} */
	long long requests;      /* {requests} */
	const char *bin;         /* {bin}: the folder of our programs */
	const char *experiments; /* {experiments}: the folder of the experiment's file */
};

/*
 * command_expand replaces the placeholders of TEMPLATE.  Returns a string that the
 * caller frees, or NULL with a sentence in ERROR that names the unknown
 * placeholder and those that there are.
 */
char *command_expand(const char *template, const struct command_values *values, char *error);

/*
 * command_split splits TEMPLATE at blanks ('...' and "..." keep blanks, there
 * is no other quoting) and expands the placeholders in each word, so that a
 * value with a blank in it stays one argument.  Returns a NULL-terminated vector that
 * command_free frees, or NULL with a sentence in ERROR: an unknown
 * placeholder, a quote without its end, no word at all.
 */
char **command_split(const char *template, const struct command_values *values, char *error);
void command_free(char **argv);

/*
 * command_find returns the path of PROGRAM, which the caller frees: as it is
 * when it has a slash, else in BIN, else in $PATH.  NULL when there is no such
 * executable file.
 */
char *command_find(const char *program, const char *bin);

#endif
