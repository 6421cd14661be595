/* Unit tests of common/http_response: the bytes of heads, chunk heads, reasons and the Date. */
#include "common/http_response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "common/compiler.h"

/* head_of writes RESPONSE's head against a page that must not be touched, its date replaced by "now". */
static const char *
head_of(const struct http_response *response)
{
	static char *page, text[4096];
	size_t size = HTTP_RESPONSE_HEAD_MAX + (response->fields != NULL ? strlen(response->fields) : 0);
	size_t len;
	char *date;

	if (page == NULL) {
		page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_ptr_not_equal(page, MAP_FAILED);
		assert_int_equal(mprotect(page + 4096, 4096, PROT_NONE), 0);
	}
	len = http_response_head(page + 4096 - size, size, response);
	assert_in_range(len, 1, size);
	memcpy(text, page + 4096 - size, len);
	text[len] = '\0';
	date = strstr(text, "Date: ");
	assert_non_null(date);
	assert_memory_equal(date + 6 + 29 - 4, " GMT\r\n", 6);
	memcpy(date + 6, "now", 3);
	memmove(date + 9, date + 6 + 29, strlen(date + 6 + 29) + 1);
	return text;
}

static void
test_the_head_of_the_common_answer(void **state)
{
	const struct http_response response = {.status = 200,
	    .minor = 1,
	    .keep_alive = true,
	    .content_type = "text/plain; charset=utf-8",
	    .content_length = 16};

	(void)state;
	assert_string_equal(head_of(&response),
	    "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 16\r\nDate: now\r\n"
	    "Server: async_server/0.1.0\r\n\r\n");
}

static void
test_fields_follow_and_a_connection_that_ends_says_so(void **state)
{
	const struct http_response response = {.status = 405,
	    .minor = 1,
	    .content_type = "text/plain",
	    .fields = "Allow: GET,HEAD\r\n",
	    .content_length = 0};

	(void)state;
	assert_string_equal(head_of(&response),
	    "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain\r\nAllow: GET,HEAD\r\n"
	    "Content-Length: 0\r\nDate: now\r\nServer: async_server/0.1.0\r\nConnection: close\r\n\r\n");
}

static void
test_an_upgrade_has_no_length_and_its_own_connection_field(void **state)
{
	const struct http_response response = {
	    .status = 101, .minor = 1, .fields = "Upgrade: websocket\r\nConnection: upgrade\r\n"};

	(void)state;
	assert_string_equal(head_of(&response),
	    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\nDate: now\r\n"
	    "Server: async_server/0.1.0\r\n\r\n");
}

static void
test_connection_stands_only_where_the_version_needs_it(void **state)
{
	static const struct {
		int minor;
		bool keep_alive;
		const char *field;
	} cases[] = {
	    {1, true, NULL}, {1, false, "Connection: close"}, {0, true, "Connection: keep-alive"}, {0, false, NULL}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_response response = {
		    .status = 200, .minor = cases[i].minor, .keep_alive = cases[i].keep_alive};
		const char *head = head_of(&response);

		if (cases[i].field == NULL)
			assert_null(strstr(head, "Connection"));
		else
			assert_non_null(strstr(head, cases[i].field));
	}
}

static void
test_connection_is_said_always_where_it_is_asked_for(void **state)
{
	(void)state;
	for (int i = 0; i < 8; i++) {
		struct http_response response = {.status = 200,
		    .minor = i & 1,
		    .keep_alive = (i & 2) != 0,
		    .says_connection = true,
		    .content_length = (i & 4) != 0 ? HTTP_LENGTH_UNKNOWN : 0};
		bool stays = response.keep_alive && (response.minor == 1 || response.content_length == 0);
		const char *head = head_of(&response);

		assert_non_null(strstr(head, stays ? "\r\nConnection: keep-alive\r\n" : "\r\nConnection: close\r\n"));
		response.says_connection = false;
		head = head_of(&response);
		assert_int_equal(strstr(head, "Connection") != NULL, stays == (response.minor == 0));
	}
}

static void
test_an_unknown_length_is_chunked_on_1_1_and_ends_with_the_connection_on_1_0(void **state)
{
	struct http_response response = {
	    .status = 200, .minor = 1, .keep_alive = true, .content_length = HTTP_LENGTH_UNKNOWN};

	(void)state;
	assert_string_equal(head_of(&response),
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nDate: now\r\nServer: async_server/0.1.0\r\n\r\n");
	response.minor = 0;
	assert_string_equal(head_of(&response), "HTTP/1.1 200 OK\r\nDate: now\r\nServer: async_server/0.1.0\r\n\r\n");
}

static void
test_answers_that_never_have_a_body_carry_no_framing(void **state)
{
	struct http_response response = {.status = 204, .minor = 1, .keep_alive = true, .content_length = 5};

	(void)state;
	assert_string_equal(
	    head_of(&response), "HTTP/1.1 204 No Content\r\nDate: now\r\nServer: async_server/0.1.0\r\n\r\n");
	response = (struct http_response){
	    .status = 304, .minor = 1, .keep_alive = true, .content_length = HTTP_LENGTH_UNKNOWN};
	assert_string_equal(
	    head_of(&response), "HTTP/1.1 304 Not Modified\r\nDate: now\r\nServer: async_server/0.1.0\r\n\r\n");
}

static void
test_content_lengths_are_written_in_full(void **state)
{
	static const int64_t lengths[] = {0, 9, 10, 99, 100, 101, 12345, 1000000, INT64_MAX};
	char expected[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		struct http_response response = {.status = 200, .minor = 1, .content_length = lengths[i]};

		snprintf(expected, sizeof(expected), "\r\nContent-Length: %lld\r\n", (long long)lengths[i]);
		assert_non_null(strstr(head_of(&response), expected));
	}
}

static void
test_the_longest_head_fits_its_room(void **state)
{
	char type[HTTP_CONTENT_TYPE_MAX + 2];
	struct http_response response = {
	    .status = 431, .content_type = type, .content_length = INT64_MAX, .keep_alive = true};

	(void)state;
	http_response_set_server("0123456789012345678901234567890123456789012345678901234567890123");
	memset(type, 't', sizeof(type));
	type[HTTP_CONTENT_TYPE_MAX] = '\0';
	assert_non_null(strstr(head_of(&response), "Content-Type: ttt"));
	/* One byte more, and it is left out. */
	type[HTTP_CONTENT_TYPE_MAX] = 't';
	type[HTTP_CONTENT_TYPE_MAX + 1] = '\0';
	assert_null(strstr(head_of(&response), "Content-Type"));
	http_response_set_server("async_server/0.1.0");
}

static void
test_chunk_heads_are_hexadecimal(void **state)
{
	static const struct {
		size_t len;
		const char *head;
	} cases[] = {
	    {1, "1\r\n"}, {15, "f\r\n"}, {16, "10\r\n"}, {65536, "10000\r\n"}, {SIZE_MAX, "ffffffffffffffff\r\n"}};
	char buf[HTTP_CHUNK_HEAD_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t len = http_chunk_head(buf, cases[i].len);

		assert_int_equal(len, strlen(cases[i].head));
		assert_memory_equal(buf, cases[i].head, len);
	}
}

static void
test_every_status_we_send_has_its_reason(void **state)
{
	static const int statuses[] = {100, 200, 204, 304, 400, 403, 404, 405, 408, 411, 413, 414, 415, 417, 422, 429,
	    431, 500, 501, 502, 503, 504, 505};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
		assert_string_not_equal(http_reason(statuses[i]), "Unknown");
	assert_string_equal(http_reason(404), "Not Found");
	assert_string_equal(http_reason(299), "Unknown");
}

/* parse_date turns an IMF-fixdate back into seconds; strptime is the second opinion. */
static time_t
parse_date(const char *text)
{
	struct tm tm = {0};
	char again[30];
	const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	time_t seconds;

	assert_non_null(end);
	assert_int_equal(*end, '\0');
	seconds = timegm(&tm);
	gmtime_r(&seconds, &tm);
	strftime(again, sizeof(again), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	assert_string_equal(text, again);
	return seconds;
}

/* read_date copies the Date that an answer of now carries. */
static void
read_date(char date[30])
{
	const struct http_response response = {.status = 200, .minor = 1};
	char head[HTTP_RESPONSE_HEAD_MAX + 1];
	const char *field;

	head[http_response_head(head, HTTP_RESPONSE_HEAD_MAX, &response)] = '\0';
	field = strstr(head, "\r\nDate: ");
	assert_non_null(field);
	memcpy(date, field + strlen("\r\nDate: "), 29);
	date[29] = '\0';
	assert_memory_equal(field + strlen("\r\nDate: ") + 29, "\r\n", 2);
}

static void
test_the_date_is_now_and_moves_on(void **state)
{
	char first[30], second[30];
	time_t before = time(NULL);

	(void)state;
	read_date(first);
	/* The coarse clock may lag a tick behind. */
	assert_in_range(parse_date(first), before - 1, time(NULL));
	nanosleep(&(struct timespec){.tv_sec = 1, .tv_nsec = 50000000}, NULL);
	read_date(second);
	assert_true(parse_date(second) > parse_date(first));
}

static void *
date_in_a_thread(void *date)
{
	read_date(date);
	return NULL;
}

static void
test_each_thread_has_a_date(void **state)
{
	pthread_t thread;
	char date[30];

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, date_in_a_thread, date), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	parse_date(date);
}

static void
test_a_head_is_never_that_of_another_answer(void **state)
{
	char type[] = "text/plain";
	const struct http_response first = {
	    .status = 200,
	    .minor = 1,
	    .keep_alive = true,
	    .content_type = type,
	    .content_length = 16,
	};
	char expected[HTTP_RESPONSE_HEAD_MAX], again[HTTP_RESPONSE_HEAD_MAX];
	size_t expected_len, len;

	(void)state;
	for (int part = 0; part < 7; part++) {
		struct http_response other = first;

		do {
			expected_len = http_response_head(expected, sizeof(expected), &first);
			len = http_response_head(again, sizeof(again), &first);
			assert_int_equal(len, expected_len);
		} while (memcmp(expected, again, len) != 0); /* the second was over */
		switch (part) {
		case 0:
			other.status = 404;
			break;
		case 1:
			other.minor = 0;
			break;
		case 2:
			other.keep_alive = false;
			break;
		case 3:
			type[0] = 'T'; /* another type at the same place */
			break;
		case 4:
			other.content_length = 17;
			break;
		case 5:
			other.content_type = NULL;
			break;
		default:
			http_response_set_server("Async_server/0.1.0");
			break;
		}
		len = http_response_head(again, sizeof(again), &other);
		assert_false(len == expected_len && memcmp(expected, again, len) == 0);
		type[0] = 't';
		http_response_set_server("async_server/0.1.0");
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_head_of_the_common_answer),
	    cmocka_unit_test(test_fields_follow_and_a_connection_that_ends_says_so),
	    cmocka_unit_test(test_an_upgrade_has_no_length_and_its_own_connection_field),
	    cmocka_unit_test(test_connection_stands_only_where_the_version_needs_it),
	    cmocka_unit_test(test_connection_is_said_always_where_it_is_asked_for),
	    cmocka_unit_test(test_an_unknown_length_is_chunked_on_1_1_and_ends_with_the_connection_on_1_0),
	    cmocka_unit_test(test_answers_that_never_have_a_body_carry_no_framing),
	    cmocka_unit_test(test_content_lengths_are_written_in_full),
	    cmocka_unit_test(test_the_longest_head_fits_its_room),
	    cmocka_unit_test(test_chunk_heads_are_hexadecimal),
	    cmocka_unit_test(test_every_status_we_send_has_its_reason),
	    cmocka_unit_test(test_the_date_is_now_and_moves_on),
	    cmocka_unit_test(test_each_thread_has_a_date),
	    cmocka_unit_test(test_a_head_is_never_that_of_another_answer),
	};

	http_response_set_server("async_server/0.1.0");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
