/* What is sent to a target, with one sleep: the requests that its connections send in turn. */
#ifndef LOADGEN_VARIANT_H
#define LOADGEN_VARIANT_H

#include <stdint.h>

#include "common/compiler.h"
#include "loadgen/config.h"
#include "loadgen/request.h"
#include "loadgen/target.h"

struct variant {
	char *path; /* as reports show it: of the request, or of the first with how many follow */
	struct request_list requests;
};

/*
 * variant_init builds the requests to TARGET: its path, or those of --urls, each with sleep=SECONDS added to the query
 * unless SLEEP_NS is NULL.  Returns 0, -ENOMEM, or -errno of reading a body.  variant_deinit frees them (also
 * after a failure).
 */
MUST_CHECK int variant_init(
    struct variant *variant, const struct config *config, const struct target *target, const uint64_t *sleep_ns);
void variant_deinit(struct variant *variant);

#endif
