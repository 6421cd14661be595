/* What -v prints of each exchange: headers, response codes, packets, in ab's words. */
#include "loadgen/trace.h"

#include <string.h>

void
trace_request(FILE *out, const struct request *request)
{
	const char *end = memmem(request->bytes, request->bytes_len, "\r\n\r\n", 4);
	size_t len = end != NULL ? (size_t)(end + 4 - request->bytes) : request->bytes_len;

	fprintf(out, "INFO: %s header == \n---\n%.*s\n---\n", request->method, (int)len, request->bytes);
}

void
trace_received(struct trace *trace, const char *data, size_t len, int64_t level)
{
	size_t room = sizeof(trace->head) - trace->len;
	const char *end;

	if (level >= TRACE_PACKETS) {
		fprintf(trace->out, "LOG: http packet received(%zu):\n", len);
		fwrite(data, 1, len, trace->out);
		fputc('\n', trace->out);
	}
	if (trace->shown)
		return;
	memcpy(trace->head + trace->len, data, len < room ? len : room);
	trace->len += len < room ? len : room;
	end = memmem(trace->head, trace->len, "\r\n\r\n", 4);
	if (end == NULL && trace->len < sizeof(trace->head))
		return;
	fprintf(trace->out, "LOG: header received:\n");
	fwrite(trace->head, 1, end != NULL ? (size_t)(end + 4 - trace->head) : trace->len, trace->out);
	fputc('\n', trace->out);
	trace->shown = true;
}

void
trace_end(struct trace *trace, const struct response_facts *facts, int64_t level)
{
	if (facts->head_done && facts->status / 100 != 2)
		fprintf(trace->out, "WARNING: Response code not 2xx (%u)\n", facts->status);
	else if (facts->head_done && level >= TRACE_CODES)
		fprintf(trace->out, "LOG: Response code = %u\n", facts->status);
	trace->len = 0;
	trace->shown = false;
}

void
trace_failure(struct trace *trace, const char *failure, const char *why)
{
	fprintf(trace->out, "LOG: request failed: %s (%s)\n", failure, why);
}
