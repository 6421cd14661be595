/* "5,10,20": the values of an option that sweeps. */
#ifndef LOADGEN_LIST_H
#define LOADGEN_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"

#define LIST_MAX 64
#define LIST_RATE_UNIT 1000 /* rates are kept in thousandths */

struct list {
	uint64_t values[LIST_MAX];
	size_t len;
};

/*
 * list_parse_numbers reads whole numbers from MIN to MAX out of TEXT, and
 * list_parse_seconds seconds from 0 to MAX_S, stored in nanoseconds.  Values
 * are separated by single commas, each once, LIST_MAX at most.  They replace what LIST
 * held.  Returns 0, or -EINVAL with the end of the sentence `-c 5,x: ` in ERROR.
 */
MUST_CHECK int list_parse_numbers(
    struct list *list, const char *text, uint64_t min, uint64_t max, char *error, size_t error_size);
MUST_CHECK int list_parse_seconds(struct list *list, const char *text, double max_s, char *error, size_t error_size);

/* list_parse_rates reads requests per second, from 0.001 to MAX, stored in thousandths. */
MUST_CHECK int list_parse_rates(struct list *list, const char *text, uint64_t max, char *error, size_t error_size);

/* list_parse_rate reads one such number, from MIN to MAX thousandths. Returns false where it is none. */
bool list_parse_rate(const char *text, uint64_t min, uint64_t max, uint64_t *thousandths);

#endif
