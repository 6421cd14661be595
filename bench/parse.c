/* What common/ costs a request: bytes -> request -> plan -> head of the answer, without a socket. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/compiler.h"
#include "common/http_request.h"
#include "common/http_response.h"
#include "common/settings.h"
#include "common/workload.h"

/* Arguments: ROUNDS of COUNT batches, of which the fastest counts, and one SHAPE to measure alone. See bench/parse. */

/* Requests lie in one buffer behind each other, as a read of a pipelining client finds them. */
#define BATCH 16
#define FIREFOX \
	"Host: localhost:8080\r\n" \
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n" \
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n" \
	"Accept-Language: en-US,en;q=0.5\r\n" \
	"Accept-Encoding: gzip, deflate, br, zstd\r\n" \
	"Referer: http://localhost:8080/\r\n" \
	"Connection: keep-alive\r\n" \
	"Cookie: session=5f2b6c0d9f2a4f2e8a7d; theme=dark\r\n" \
	"Upgrade-Insecure-Requests: 1\r\n" \
	"Sec-Fetch-Dest: document\r\n" \
	"Sec-Fetch-Mode: navigate\r\n" \
	"Sec-Fetch-Site: same-origin\r\n"

static const struct {
	const char *name, *text;
} shapes[] = {
    {"wrk", "GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n"},
    {"ab", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\nHost: 127.0.0.1:8080\r\nUser-Agent: ApacheBench/2.3\r\n"
	   "Accept: */*\r\n\r\n"},
    {"curl", "GET /anna HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n"},
    {"browser", "GET /anna?sleep=0 HTTP/1.1\r\n" FIREFOX "\r\n"},
    {"post", "POST /echo HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n"
	     "Content-Length: 11\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\nhello=world"},
    {"chunked", "POST /echo HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n"
		"Transfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\nb\r\nhello world\r\n0\r\n\r\n"},
};

static const struct http_limits limits = {
    .request_line = 8190,
    .field_size = 8190,
    .fields = 128,
    .header_size = 32768,
};

static void
fail(const char *what)
{
	fprintf(stderr, "bench/parse: %s\n", what);
	exit(1);
}

/* answer does what both servers do at HTTP_COMPLETE; returns the length of the answer's head. */
static size_t
answer(const struct http_request *request, const struct workload_plan *plan)
{
	static char out[HTTP_RESPONSE_HEAD_MAX + 256];
	struct http_response response = {
	    .status = plan->status,
	    .minor = request->minor,
	    .keep_alive = request->keep_alive,
	    .content_type = plan->content_type,
	    .fields = plan->fields,
	    .content_length = (int64_t)plan->body_len,
	};

	return http_response_head(out, sizeof(out), &response);
}

/* serve reads and answers every request in DATA; returns the bytes of the answers' heads.  Not inlined: callgrind counts in it. */
__attribute__((noinline)) static size_t
serve(struct http_request *request, const struct settings *settings, const char *data, size_t len)
{
	static struct workload_plan plan;
	size_t bytes = 0;

	while (len > 0) {
		size_t taken;
		enum http_event event = http_request_read(request, data, len, &taken);

		data += taken;
		len -= taken;
		if (event == HTTP_HEAD)
			workload_plan(&plan, request, settings);
		else if (event != HTTP_BODY)
			fail("a request does not begin as it should");
		while (event == HTTP_HEAD || event == HTTP_BODY) {
			event = http_request_read(request, data, len, &taken);
			data += taken;
			len -= taken;
		}
		if (event != HTTP_COMPLETE || plan.status != 200)
			fail("a request is not read and planned as a whole");
		bytes += answer(request, &plan);
		http_request_reset(request);
	}
	return bytes;
}

static double
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* measure returns the nanoseconds of one request, in the fastest of ROUNDS rounds of COUNT batches. */
static double
measure(const struct settings *settings, const char *text, int rounds, int count)
{
	size_t len = strlen(text);
	char *data = malloc(BATCH * len);
	struct http_request request;
	double best = 1e18;

	if (data == NULL || http_request_init(&request, &limits) != 0)
		fail("no memory");
	for (size_t i = 0; i < BATCH; i++)
		memcpy(data + i * len, text, len);
	for (int round = 0; round < rounds; round++) {
		double start = now_ns(), took;

		for (int i = 0; i < count; i++)
			if (serve(&request, settings, data, BATCH * len) == 0)
				fail("nothing was answered");
		took = (now_ns() - start) / count / BATCH;
		best = took < best ? took : best;
	}
	http_request_deinit(&request);
	free(data);
	return best;
}

int
main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 200;
	int count = argc > 2 ? atoi(argv[2]) : 200;
	const char *only = argc > 3 ? argv[3] : NULL;
	struct settings *settings = settings_new((struct settings_values){.mode = WAIT_ASYNC},
	    (struct settings_limits){.max_sleep_ns = 1000000000, .modes = 1U << WAIT_ASYNC});

	if (settings == NULL || rounds < 1 || count < 1)
		fail("usage: parse [ROUNDS [COUNT [SHAPE]]]");
	http_response_set_server("async_server/0.1.0");
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++)
		if (only == NULL || strcmp(only, shapes[i].name) == 0)
			printf("%-8s %6.0f ns\n", shapes[i].name, measure(settings, shapes[i].text, rounds, count));
	settings_free(settings);
	return 0;
}
