/* What -v prints of each exchange: headers, response codes, packets, in ab's words. */
#ifndef LOADGEN_TRACE_H
#define LOADGEN_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "loadgen/request.h"
#include "loadgen/response.h"

#define TRACE_HEAD_MAX 8192 /* of a header; the rest is not shown */

/* Levels of -v. */
#define TRACE_HEADERS 2
#define TRACE_CODES 3
#define TRACE_PACKETS 4

/* The header of the response under way on one connection, gathered until it is complete. */
struct trace {
	FILE *out;
	size_t len;
	bool shown;
	char head[TRACE_HEAD_MAX];
};

/* trace_request prints the header of a cell's request. */
void trace_request(FILE *out, const struct request *request);

/* trace_received takes DATA[0..LEN) as it came; trace_end says that the response ended with FACTS. */
void trace_received(struct trace *trace, const char *data, size_t len, int64_t level);
void trace_end(struct trace *trace, const struct response_facts *facts, int64_t level);

/* trace_failure says that a request failed, and why. */
void trace_failure(struct trace *trace, const char *failure, const char *why);

#endif
