/* Unit tests of common/http_parts. */
#include "common/http_parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "common/compiler.h"

/* span_of copies TEXT to memory of its own size, so that a read beyond it is found; the caller frees `at`. */
static struct http_span
span_of(const char *text)
{
	size_t len = strlen(text);
	char *at = malloc(len > 0 ? len : 1);

	assert_non_null(at);
	memcpy(at, text, len);
	return (struct http_span){.at = at, .len = len};
}

static void
free_span(struct http_span span)
{
	free((char *)(uintptr_t)span.at);
}

static void
test_a_target_is_split_at_its_first_question_mark(void **state)
{
	static const struct {
		const char *target, *path, *query; /* a query of NULL: there is none */
	} rows[] = {
	    {"/", "/", NULL},
	    {"/a?b", "/a", "b"},
	    {"/a?b?c", "/a", "b?c"},
	    {"/?", "/", ""},
	    {"?", "", ""},
	    {"", "", NULL},
	};
	struct http_span path, query;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_span target = span_of(rows[i].target);

		http_split_target(target, &path, &query);
		assert_int_equal(path.len, strlen(rows[i].path));
		assert_memory_equal(path.at, rows[i].path, path.len);
		if (rows[i].query == NULL) {
			assert_null(query.at);
		} else {
			assert_int_equal(query.len, strlen(rows[i].query));
			assert_memory_equal(query.at, rows[i].query, query.len);
		}
		free_span(target);
	}
	http_split_target((struct http_span){0}, &path, &query);
	assert_null(path.at);
	assert_null(query.at);
}

static void
test_percent_encoding(void **state)
{
	static const struct {
		const char *text, *decoded;
	} rows[] = {{"", ""}, {"abc", "abc"}, {"%41%7e%7E", "A~~"}, {"%", "%"}, {"%4", "%4"},
	    {"%4g%g4%%41", "%4g%g4%A"}, {"a%2", "a%2"}};
	char out[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_span text = span_of(rows[i].text);

		for (size_t size = 0; size < sizeof(out); size++) {
			size_t whole = strlen(rows[i].decoded);
			size_t len = http_percent_decode(text, out, size);

			assert_int_equal(len, size < whole ? size : whole);
			assert_memory_equal(out, rows[i].decoded, len);
		}
		free_span(text);
	}
	assert_int_equal(http_percent_decode((struct http_span){.at = "%00", .len = 3}, out, sizeof(out)), 1);
	assert_int_equal(out[0], '\0');
}

static void
test_the_user_of_basic_authentication(void **state)
{
	static const struct {
		const char *field, *user; /* NULL: none */
	} rows[] = {
	    {"Basic Ym9iOnNlY3JldA==", "bob"},
	    {"bAsIc   Ym9iOg", "bob"},
	    {"Basic Ym9i", NULL},       /* no colon */
	    {"Basic OnNlY3JldA", NULL}, /* no name before it */
	    {"Basic ", NULL},
	    {"Basic", NULL},
	    {"Basic !", NULL},
	    {"Bearer Ym9iOg", NULL},
	    {"", NULL},
	};
	char out[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_span field = span_of(rows[i].field);
		struct http_span user;

		memset(out, ':', sizeof(out)); /* of what stood there before nothing is read */
		user = http_basic_user(field, out, sizeof(out));
		if (rows[i].user == NULL) {
			assert_null(user.at);
		} else {
			assert_int_equal(user.len, strlen(rows[i].user));
			assert_memory_equal(user.at, rows[i].user, user.len);
		}
		free_span(field);
	}
	/* A name that fills the memory has no end there. */
	assert_null(http_basic_user((struct http_span){.at = "Basic Ym9iOg", .len = 12}, out, 3).at);
	assert_int_equal(http_basic_user((struct http_span){.at = "Basic Ym9iOg", .len = 12}, out, 4).len, 3);
	assert_null(http_basic_user((struct http_span){0}, out, sizeof(out)).at);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_target_is_split_at_its_first_question_mark),
	    cmocka_unit_test(test_percent_encoding),
	    cmocka_unit_test(test_the_user_of_basic_authentication),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
