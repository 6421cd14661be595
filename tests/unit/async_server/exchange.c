/* Tests of the store of exchanges: lent and taken back clean, and no more kept than a peak should leave. */
#include "async_server/exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct http_limits limits = {.request_line = 100, .field_size = 100, .fields = 10, .header_size = 1000};

static void
what_comes_back_is_lent_again_and_clean(void **state)
{
	static const char begun[] = "GET / HTTP/1.1\r\nHos";
	static const char whole[] = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";
	struct exchange_store store = {.limits = &limits};
	struct exchange *first = exchange_take(&store, NULL);
	struct exchange *second = exchange_take(&store, NULL);
	size_t taken;

	(void)state;
	assert_non_null(first);
	assert_ptr_not_equal(first, second);
	assert_int_equal(http_request_read(&first->request, begun, strlen(begun), &taken), HTTP_MORE);
	first->planned = first->head_sent = first->kept = true;
	first->request_bytes = first->answer_bytes = 7;
	exchange_give(&store, first);
	assert_ptr_equal(exchange_take(&store, NULL), first);
	assert_false(first->planned || first->head_sent || first->kept);
	assert_int_equal(first->request_bytes + first->answer_bytes, 0);
	assert_false(http_request_started(&first->request));
	assert_int_equal(http_request_read(&first->request, whole, strlen(whole), &taken), HTTP_HEAD);
	exchange_give(&store, first);
	exchange_give(&store, second);
	exchange_store_deinit(&store);
	assert_null(store.first);
}

static bool no_memory;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

void *
__wrap_malloc(size_t size)
{
	return no_memory ? NULL : __real_malloc(size);
}

static void
a_kept_head_is_a_copy_and_goes_with_its_request(void **state)
{
	struct exchange_store store = {.limits = &limits};
	struct exchange *exchange = exchange_take(&store, NULL);
	char head[] = "HTTP/1.1 200 OK";

	(void)state;
	assert_non_null(exchange);
	exchange_keep_head(exchange, head, sizeof(head));
	exchange_keep_head(exchange, head, sizeof(head) - 1);
	head[0] = 'X';
	assert_int_equal(exchange->head_len, sizeof(head) - 1);
	assert_memory_equal(exchange->head, "HTTP/1.1 200 OK", sizeof(head) - 1);
	exchange_reset(exchange);
	assert_null(exchange->head);
	exchange_keep_head(exchange, head, sizeof(head));
	no_memory = true;
	exchange_keep_head(exchange, head, sizeof(head));
	no_memory = false;
	assert_null(exchange->head);
	exchange_keep_head(exchange, head, sizeof(head));
	exchange_give(&store, exchange);
	exchange_store_deinit(&store);
}

static void
a_peak_is_given_back(void **state)
{
	static struct exchange *peak[EXCHANGE_STORE_MAX + 50];
	struct exchange_store store = {.limits = &limits};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(peak); i++)
		assert_non_null(peak[i] = exchange_take(&store, NULL));
	for (size_t i = 0; i < ARRAY_LEN(peak); i++)
		exchange_give(&store, peak[i]);
	assert_int_equal(store.count, EXCHANGE_STORE_MAX);
	exchange_store_deinit(&store);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_comes_back_is_lent_again_and_clean),
	    cmocka_unit_test(a_kept_head_is_a_copy_and_goes_with_its_request),
	    cmocka_unit_test(a_peak_is_given_back),
	};

	return cmocka_run_group_tests_name("async_server/exchange", tests, NULL, NULL);
}
