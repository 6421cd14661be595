/* loadgen's JSON (schema loopfork.loadgen/2) -> the result of one cell. */
#ifndef EXPERIMENTS_LOADGEN_RESULT_H
#define EXPERIMENTS_LOADGEN_RESULT_H

#include "common/compiler.h"
#include "experiments/result.h"

/*
 * loadgen_result_parse fills RESULT from JSON, which must hold exactly one
 * cell that asked for REQUESTS requests.  A cell in which not every request succeeded becomes
 * RESULT_FAILED, with its numbers; one that loadgen's own checks doubt is RESULT_DONE with their
 * sentences in result->error.  Returns 0, or -EINVAL with a sentence in
 * result->error (the state is then RESULT_FAILED too): not JSON, another schema, a number that is missing.
 * A latency that is null or missing stays NAN.
 */
MUST_CHECK int loadgen_result_parse(struct result *result, const char *json, int64_t requests);

#endif
