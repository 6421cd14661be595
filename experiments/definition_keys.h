/* The keys of an experiment file: one table row each, from text to field. */
#ifndef EXPERIMENTS_DEFINITION_KEYS_H
#define EXPERIMENTS_DEFINITION_KEYS_H

#include <stddef.h>

#include "common/compiler.h"
#include "experiments/definition.h"

/*
 * A key_parse_fn stores VALUE in TARGET (a struct experiment or struct server).
 * Returns 0, or -1 with a sentence in ERROR that says what is allowed.
 */
typedef int key_parse_fn(void *target, const char *value, char *error, size_t size);

struct definition_key {
	const char *name;
	key_parse_fn *parse;
};

/* The keys of [experiment] and of [server NAME]; each table ends with a NULL name. */
extern const struct definition_key definition_experiment_keys[];
extern const struct definition_key definition_server_keys[];

#endif
