/* A header that has not come whole, put aside so that its thread can serve others meanwhile. */
#include "prefork_server/exchange_rest.h"

#include <stdlib.h>
#include <string.h>

struct exchange_rest {
	struct http_request request; /* a thread's own while this lies empty: the two change places */
	uint64_t received;
	size_t came_len;
	char came[EXCHANGE_CAME_BYTES];
};

static void
swap(struct http_request *a, struct http_request *b)
{
	struct http_request kept = *a;

	*a = *b;
	*b = kept;
}

struct exchange_rest *
exchange_put_aside(struct exchange *exchange)
{
	struct exchange_rest *rest = malloc(sizeof(*rest));

	if (rest == NULL)
		return NULL;
	if (http_request_init(&rest->request, &exchange->worker->limits) != 0) {
		free(rest);
		return NULL;
	}
	swap(&rest->request, &exchange->request);
	rest->received = exchange->received;
	rest->came_len = exchange->came_len;
	memcpy(rest->came, exchange->came, sizeof(rest->came));
	return rest;
}

void
exchange_take_up(struct exchange *exchange, struct exchange_rest *rest)
{
	swap(&rest->request, &exchange->request);
	exchange->received = rest->received;
	exchange->came_len = rest->came_len;
	memcpy(exchange->came, rest->came, sizeof(rest->came));
	exchange_forget(rest);
}

void
exchange_forget(struct exchange_rest *rest)
{
	http_request_deinit(&rest->request);
	free(rest);
}
