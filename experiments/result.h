/* What measuring one cell came to. */
#ifndef EXPERIMENTS_RESULT_H
#define EXPERIMENTS_RESULT_H

#include <stdint.h>

#define RESULT_ERROR_MAX 512

enum result_state {
	RESULT_NONE,    /* not measured: the run was interrupted before */
	RESULT_DONE,    /* `error`, unless it is empty, says why loadgen doubts the figures */
	RESULT_FAILED,  /* not measured, or not every request succeeded: `error` says why */
	RESULT_SKIPPED, /* something that the server needs is not installed: `error` names it */
};
#define RESULT_STATES 4

/* The latency numbers that are kept, in milliseconds, in the order of result_latency_names. */
#define RESULT_LATENCIES 12
extern const char *const result_latency_names[RESULT_LATENCIES];
extern const char *const result_state_names[RESULT_STATES];

/* The numbers are NAN (counts -1) where they were not measured. */
struct result {
	enum result_state state;
	char error[RESULT_ERROR_MAX];
	int64_t complete, failed, write_errors, non_2xx, keepalive;
	double duration_s, rps;
	double time_ms;     /* time per request (mean) */
	double time_all_ms; /* time per request (mean, across all concurrent requests) */
	double latency_ms[RESULT_LATENCIES];
	double client_cpu_s;
	char *json; /* loadgen's whole answer; NULL: none. result_deinit frees it */
};

/* result_init makes an unmeasured result. */
void result_init(struct result *result);
void result_deinit(struct result *result);

#endif
