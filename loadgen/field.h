/* Fields of the JSON. */
#ifndef LOADGEN_FIELD_H
#define LOADGEN_FIELD_H

#include <jansson.h>
#include <stdint.h>

#include "common/compiler.h"
#include "loadgen/interval.h"

/*
 * field_begin is called before the first field, and field_end behind the last.  jansson leaves out what it has no memory
 * for, and says so in each of many places; field_end tells whether anything was left out since field_begin: -ENOMEM, or 0.
 */
void field_begin(void);
MUST_CHECK int field_end(void);

/*
 * field_add puts VALUE, which it takes over, into OBJECT as NAME.  The others
 * put what they say.  A real number that is none (NAN) becomes null.
 */
void field_add(json_t *object, const char *name, json_t *value);
void field_count(json_t *object, const char *name, uint64_t count);
void field_real(json_t *object, const char *name, double value);

/* field_ms: NS nanoseconds, in milliseconds. */
void field_ms(json_t *object, const char *name, double ns);

/* field_interval: [low, high], each divided by UNIT; null where it is not known. */
void field_interval(json_t *object, const char *name, const struct interval *interval, double unit);

/* field_text: bytes off the network or the command line need not be UTF-8, and JSON must: others become "?". */
json_t *field_text(const char *text);

#endif
