/* One measured cell as JSON: docs/loadgen-output.md. */
#ifndef LOADGEN_CELL_JSON_H
#define LOADGEN_CELL_JSON_H

#include <jansson.h>

#include "loadgen/sweep.h"

/* cell_json returns the object of ROW, which the caller owns. */
json_t *cell_json(const struct row *row);

#endif
