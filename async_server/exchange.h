/* One request and its answer: what a connection needs only while it has a request, and lends out to the next one after. */
#ifndef ASYNC_SERVER_EXCHANGE_H
#define ASYNC_SERVER_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "async_server/pool.h"
#include "async_server/ws_deflate.h"
#include "common/compiler.h"
#include "common/http_request.h"
#include "common/http_response.h"
#include "common/workload.h"

struct conn;

struct exchange {
	struct http_request request;
	struct workload_plan plan;
	struct conn *conn;                /* whose request it is */
	struct exchange *next;            /* in the store */
	struct pool_job job;              /* the sleep, in threadpool mode */
	uint64_t request_bytes;           /* of the request's body, so far */
	uint64_t answer_bytes;            /* of the answer, header and framing included, so far */
	uint64_t body_bytes;              /* of them, those of its body */
	uint64_t begun_ns;                /* when its header was complete; 0: not so far, or nobody asked */
	struct ws_deflate_params deflate; /* of the WebSocket that it asks for */
	char *head;                       /* a copy of the answer's header section, for the access log; NULL: none */
	size_t head_len;
	bool planned;            /* the header is complete and the plan made */
	bool kept;               /* the request's spans no longer point into the read buffer */
	bool head_sent;          /* the answer has begun: its status cannot change */
	bool chunked;            /* the answer's body goes in chunks */
	bool keep_alive;         /* as the answer's head said */
	_Atomic uint64_t *ended; /* the counter that the end of its wait belongs to; NULL: it does not wait */
	bool limited;            /* its connection's deadline is --handler-timeout's, not the sleep's */
	bool overdue;            /* and has passed */
};

/* Exchanges that are free, so that a request costs no allocation. */
struct exchange_store {
	struct exchange *first;
	size_t count;
	const struct http_limits *limits;
};

/* How many free ones are kept; more than that go back to malloc after a peak. */
#define EXCHANGE_STORE_MAX 1024

/* exchange_take lends an exchange that is ready for a request's first byte; NULL when there is no memory. */
struct exchange *exchange_take(struct exchange_store *store, struct conn *conn);

/* exchange_keep_head copies the answer's header section; without memory there is none. */
void exchange_keep_head(struct exchange *exchange, const char *bytes, size_t len);

/* exchange_reset makes it ready for the connection's next request. */
void exchange_reset(struct exchange *exchange);

/* exchange_give takes it back. */
void exchange_give(struct exchange_store *store, struct exchange *exchange);

/* exchange_store_deinit frees the free ones. */
void exchange_store_deinit(struct exchange_store *store);

#endif
