/* What measuring one cell came to. */
#include "experiments/result.h"

#include <math.h>
#include <stdlib.h>

const char *const result_latency_names[RESULT_LATENCIES] = {
    "min", "mean", "sd", "p50", "p66", "p75", "p80", "p90", "p95", "p98", "p99", "max"};

const char *const result_state_names[RESULT_STATES] = {"none", "done", "failed", "skipped"};

void
result_init(struct result *result)
{
	*result = (struct result){
	    .complete = -1,
	    .failed = -1,
	    .write_errors = -1,
	    .non_2xx = -1,
	    .keepalive = -1,
	    .duration_s = (double)NAN,
	    .rps = (double)NAN,
	    .time_ms = (double)NAN,
	    .time_all_ms = (double)NAN,
	    .client_cpu_s = (double)NAN,
	};
	for (int i = 0; i < RESULT_LATENCIES; i++)
		result->latency_ms[i] = (double)NAN;
}

void
result_deinit(struct result *result)
{
	free(result->json);
	result_init(result);
}
