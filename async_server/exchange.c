/* One request and its answer: what a connection needs only while it has a request, and lends out to the next one after. */
#include "async_server/exchange.h"

#include <stdlib.h>
#include <string.h>

static void
drop_head(struct exchange *exchange)
{
	free(exchange->head);
	exchange->head = NULL;
}

struct exchange *
exchange_take(struct exchange_store *store, struct conn *conn)
{
	struct exchange *exchange = store->first;

	if (exchange != NULL) {
		store->first = exchange->next;
		store->count--;
	} else {
		exchange = calloc(1, sizeof(*exchange));
		if (exchange == NULL)
			return NULL;
		if (http_request_init(&exchange->request, store->limits) != 0) {
			free(exchange);
			return NULL;
		}
	}
	exchange->conn = conn;
	return exchange;
}

void
exchange_keep_head(struct exchange *exchange, const char *bytes, size_t len)
{
	drop_head(exchange);
	exchange->head = malloc(len);
	if (exchange->head == NULL)
		return;
	memcpy(exchange->head, bytes, len);
	exchange->head_len = len;
}

void
exchange_reset(struct exchange *exchange)
{
	http_request_reset(&exchange->request);
	if (exchange->head != NULL)
		drop_head(exchange);
	exchange->begun_ns = 0;
	exchange->request_bytes = 0;
	exchange->answer_bytes = 0;
	exchange->body_bytes = 0;
	exchange->planned = false;
	exchange->kept = false;
	exchange->head_sent = false;
	exchange->chunked = false;
	exchange->keep_alive = false;
	exchange->ended = NULL;
	exchange->limited = false;
	exchange->overdue = false;
}

static void
destroy(struct exchange *exchange)
{
	http_request_deinit(&exchange->request);
	drop_head(exchange);
	free(exchange);
}

void
exchange_give(struct exchange_store *store, struct exchange *exchange)
{
	if (store->count == EXCHANGE_STORE_MAX) {
		destroy(exchange);
		return;
	}
	exchange_reset(exchange);
	exchange->next = store->first;
	store->first = exchange;
	store->count++;
}

void
exchange_store_deinit(struct exchange_store *store)
{
	while (store->first != NULL) {
		struct exchange *exchange = store->first;

		store->first = exchange->next;
		destroy(exchange);
	}
	store->count = 0;
}
